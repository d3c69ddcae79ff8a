internal import Glibc
internal import Synchronization

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
    private final class Pieces: Sendable {
        private struct State {
            var waiting = [(job: UnownedJob, executor: ThreadExecutor)]()
            /// Threads that sleep and that nobody has woken yet.
            var sleeping = 0
            var isClosed = false
        }

        private let state = Mutex(State())
        /// A byte for each thread that is woken; -1 where the machine has no descriptor left, and then none sleeps.
        private let bell: (sleepers: Int32, ringer: Int32)
        /// Each that sleeps keeps memory.
        private static let mostSleeping = 8

        init() {
            var ends: [Int32] = [-1, -1]
            bell = pipe(&ends) == 0 ? (ends[0], ends[1]) : (-1, -1)
            for end in ends where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        }

        deinit {
            if bell.ringer >= 0 {
                Glibc.close(bell.sleepers)
                Glibc.close(bell.ringer)
            }
        }

        /// False where no thread is free for it: one has to be started.
        func add(_ job: UnownedJob, _ executor: ThreadExecutor) -> Bool {
            let isWoken = state.withLock { state in
                state.waiting.append((job, executor))
                if state.sleeping == 0 { return false }
                state.sleeping -= 1
                return true
            }
            if isWoken { ring(1) }
            return isWoken
        }

        /// The next piece, which is waited for; nil when the thread has to end: there will be none, or enough others
        /// wait for one.
        func next() -> (job: UnownedJob, executor: ThreadExecutor)? {
            while true {
                let (piece, sleeps) = state.withLock { state in
                    if let piece = state.waiting.popLast() { return (Optional(piece), false) }
                    if state.isClosed || bell.ringer < 0 || state.sleeping >= Self.mostSleeping { return (nil, false) }
                    state.sleeping += 1
                    return (nil, true)
                }
                if !sleeps { return piece }
                var byte: UInt8 = 0
                while read(bell.sleepers, &byte, 1) < 0 && errno == EINTR {}
            }
        }

        /// Lets the threads end.
        func close() {
            let sleeping = state.withLock { state in
                state.isClosed = true
                defer { state.sleeping = 0 }
                return state.sleeping
            }
            ring(sleeping)
        }

        private func ring(_ count: Int) {
            let bytes = [UInt8](repeating: 0, count: count)
            while write(bell.ringer, bytes, count) < 0 && errno == EINTR {}
        }
    }
}
