internal import Glibc
internal import Synchronization

/// SIGINT, SIGTERM and SIGHUP as cancellation: the first one asks the work to stop and clean up, a second one ends
/// the program at once.
///
/// The handler only writes to a pipe, which a thread of its own reads. Blocking the signals and waiting for them would
/// not do: the runtime's main thread waits with an empty mask.
enum Interruption {
    private struct State {
        var count = 0
        var cancel: (@Sendable () -> Void)?
        var farewell: (@Sendable () -> Void)?
    }

    private static let state = Mutex(State())
    /// The pipe's end that the handler writes to.
    private static let pipeEnd = Atomic<Int32>(-1)

    static var happened: Bool { state.withLock { $0.count > 0 } }

    /// Calls `cancel` when a signal comes. A signal that the program was started with as ignored stays so, as under
    /// nohup.
    static func watch(_ cancel: @escaping @Sendable () -> Void) {
        state.withLock { $0.cancel = cancel }
        // A reader of stdout or a server that went away is an error of write(2), not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        guard pipeEnd.load(ordering: .relaxed) < 0 else { return }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
        let readEnd = UnsafeMutableRawPointer(bitPattern: Int(ends[0]))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                let readEnd = Int32(Int(bitPattern: context))
                var byte: UInt8 = 0
                while read(readEnd, &byte, 1) != 0 { Interruption.arrived() }
                return nil
            }, readEnd)
        pthread_detach(thread)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var old = sigaction()
            guard sigaction(number, nil, &old) == 0, !isIgnored(old) else { continue }
            var new = sigaction()
            new.__sigaction_handler.sa_handler = { _ in
                var byte: UInt8 = 1
                let saved = errno
                _ = write(Interruption.pipeEnd.load(ordering: .relaxed), &byte, 1)
                errno = saved
            }
            new.sa_flags = SA_RESTART
            sigaction(number, &new, nil)
        }
    }

    /// What is done where a second signal ends the program at once.
    static func beforeExit(_ farewell: @escaping @Sendable () -> Void) {
        state.withLock { $0.farewell = farewell }
    }

    /// SIG_IGN, which is the address 1.
    private static func isIgnored(_ action: sigaction) -> Bool {
        unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    private static func arrived() {
        let (count, cancel) = state.withLock { state in
            state.count += 1
            return (state.count, state.cancel)
        }
        if count > 1 {
            state.withLock { $0.farewell }?()
            _exit(130)
        }
        cancel?()
    }
}
