internal import Pipeline
internal import Synchronization

/// What the parts of a night took.
final class NightClock: Sendable {
    private let measure: @Sendable () -> Measurement
    private let taken = Mutex([NightRecord.Timing]())

    init(measure: @escaping @Sendable () -> Measurement) { self.measure = measure }

    /// In the order they were first begun; what was done again is counted together.
    var timings: [NightRecord.Timing] { taken.withLock { $0 } }

    func time<Result>(_ what: String, _ body: () throws -> Result) rethrows -> Result {
        let began = measure().wall
        defer { add(what, since: began) }
        return try body()
    }

    func time<Result>(_ what: String, _ body: () async throws -> Result) async rethrows -> Result {
        let began = measure().wall
        defer { add(what, since: began) }
        return try await body()
    }

    private func add(_ what: String, since began: UInt64) {
        let seconds = Double((measure().wall - began) / 1_000_000) / 1000
        taken.withLock { taken in
            if let index = taken.firstIndex(where: { $0.what == what }) {
                taken[index].seconds += seconds
            } else {
                taken.append(NightRecord.Timing(what: what, seconds: seconds))
            }
        }
    }
}
