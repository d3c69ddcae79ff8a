internal import Dispatch
internal import Glibc
internal import Synchronization

/// SIGINT and SIGTERM as cancellation: the first one asks the work to stop and clean up, a second SIGINT ends
/// the program at once.
final class Interruption: Sendable {
    private let sources: [any DispatchSourceSignal]
    private let count = Mutex(0)

    var happened: Bool { count.withLock { $0 > 0 } }

    init(_ cancel: @escaping @Sendable () -> Void) {
        let signals = [SIGINT, SIGTERM, SIGHUP]
        sources = signals.map { DispatchSource.makeSignalSource(signal: $0, queue: .global()) }
        for (signal, source) in zip(signals, sources) {
            Glibc.signal(signal, SIG_IGN)
            source.setEventHandler { [weak self] in
                let times = self?.count.withLock { count in
                    count += 1
                    return count
                }
                if times ?? 2 > 1 { _exit(130) }
                cancel()
            }
            source.resume()
        }
    }

    func end() {
        for source in sources { source.cancel() }
    }
}
