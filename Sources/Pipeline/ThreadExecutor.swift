internal import Glibc

/// Runs every piece of a task on a thread of its own: decompressing, dpkg and downloads block, and Swift's own pool has
/// no more threads than the machine has processors. How much of it works at once is for `WorkSlots` to say.
final class ThreadExecutor: TaskExecutor {
    private final class Piece {
        let job: UnownedJob
        let executor: ThreadExecutor

        init(_ job: UnownedJob, _ executor: ThreadExecutor) {
            self.job = job
            self.executor = executor
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let piece = Unmanaged.passRetained(Piece(UnownedJob(job), self)).toOpaque()
        var thread = pthread_t()
        // A machine that has no thread left for us now has one when others end.
        while pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let piece = Unmanaged<Piece>.fromOpaque(context).takeRetainedValue()
                piece.job.runSynchronously(on: piece.executor.asUnownedTaskExecutor())
                return nil
            }, piece) != 0
        { usleep(1000) }
        pthread_detach(thread)
    }
}
