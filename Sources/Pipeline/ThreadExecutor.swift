internal import Glibc

/// Runs the pieces of tasks on threads of its own, as many as there are pieces at once: decompressing, dpkg and
/// downloads block, and Swift's own pool has no more threads than the machine has processors. How much of it works at
/// once is for `WorkSlots` to say. A thread that is done takes the next piece; the threads end with the executor.
final class ThreadExecutor: TaskExecutor {
    private let pieces = Pieces()

    deinit {
        pieces.close()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if pieces.add(job, self) { return }
        let context = Unmanaged.passRetained(pieces).toOpaque()
        var thread = pthread_t()
        // A machine that has no thread left for us now has one when others end.
        while pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let pieces = Unmanaged<Pieces>.fromOpaque(context).takeRetainedValue()
                while let (job, executor) = pieces.next() {
                    job.runSynchronously(on: executor.asUnownedTaskExecutor())
                }
                return nil
            }, context) != 0
        { usleep(1000) }
        pthread_detach(thread)
    }

    /// What waits for a thread, and the threads that wait for something to do.
    private final class Pieces: @unchecked Sendable {
        // All that is below is used with the lock held.
        private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        /// The newest first: none waits for more than the start of a thread.
        private var waiting = [(job: UnownedJob, executor: ThreadExecutor)]()
        private var idleThreads = 0
        private var isClosed = false

        init() {
            pthread_mutex_init(lock, nil)
            pthread_cond_init(changed, nil)
        }

        deinit {
            pthread_cond_destroy(changed)
            pthread_mutex_destroy(lock)
            changed.deallocate()
            lock.deallocate()
        }

        /// False where no thread is free for it: one has to be started.
        func add(_ job: UnownedJob, _ executor: ThreadExecutor) -> Bool {
            pthread_mutex_lock(lock)
            defer { pthread_mutex_unlock(lock) }
            waiting.append((job, executor))
            guard idleThreads >= waiting.count else { return false }
            pthread_cond_signal(changed)
            return true
        }

        /// The next piece, which is waited for; nil when there will be none.
        func next() -> (job: UnownedJob, executor: ThreadExecutor)? {
            pthread_mutex_lock(lock)
            defer { pthread_mutex_unlock(lock) }
            idleThreads += 1
            defer { idleThreads -= 1 }
            while waiting.isEmpty && !isClosed { pthread_cond_wait(changed, lock) }
            return waiting.popLast()
        }

        /// Lets the threads end.
        func close() {
            pthread_mutex_lock(lock)
            isClosed = true
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(lock)
        }
    }
}
