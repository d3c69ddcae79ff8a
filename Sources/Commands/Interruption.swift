internal import Glibc
internal import Synchronization

/// SIGINT, SIGTERM and SIGHUP as cancellation: the first one asks the work to stop and clean up, a second one ends
/// the program at once.
///
/// The main thread waits for them; they are blocked everywhere, so that no system call is cut short.
enum Interruption {
    private struct State {
        var count = 0
        var cancel: (@Sendable () -> Void)?
    }

    private static let state = Mutex(State())

    static var happened: Bool { state.withLock { $0.count > 0 } }

    /// Blocks the signals; called before the program's first thread is made, as threads inherit the mask.
    static func block() {
        var set = signals
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Calls `cancel` when a signal comes, also when it came before this call.
    static func watch(_ cancel: @escaping @Sendable () -> Void) {
        state.withLock { $0.cancel = cancel }
        if happened { cancel() }
    }

    /// Takes signals for as long as the program runs.
    static func wait() -> Never {
        var set = signals
        while true {
            var number: Int32 = 0
            if sigwait(&set, &number) == 0 { arrived() }
        }
    }

    private static func arrived() {
        let (count, cancel) = state.withLock { state in
            state.count += 1
            return (state.count, state.cancel)
        }
        if count > 1 { _exit(130) }
        cancel?()
    }

    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, number) }
        return set
    }
}
