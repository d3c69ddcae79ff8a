internal import Synchronization

/// Lets so much work go on at once and no more; of what waits, the most urgent goes first.
final class WorkSlots: Sendable {
    /// The smaller, the sooner; what is equally urgent goes in the order in which it came.
    struct Urgency: Comparable {
        private let rank: Int

        /// Everything else waits for a layer sooner or later, and for an image only its reader.
        static let layer = Urgency(rank: -2)
        static let image = Urgency(rank: -1)
        /// By the place in `unpackOrder`.
        static func unpacking(_ place: Int) -> Urgency { Urgency(rank: place) }

        static func < (left: Urgency, right: Urgency) -> Bool { left.rank < right.rank }
    }

    private struct Waiting {
        var urgency: Urgency
        var number: Int
        var most: Int
        var continuation: CheckedContinuation<Int, any Error>
    }

    private struct State {
        var free: Int
        var waiting = [Waiting]()
        var next = 0
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(free: max(1, count)))
    }

    /// How many wait for a slot.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Waits for a slot and runs `body`, with all that are free then up to `most`; it is told how many they are.
    /// Throws `CancellationError` when the task is cancelled while it waits.
    func run<Result>(_ urgency: Urgency, most: Int = 1, _ body: (Int) async throws -> Result) async throws -> Result {
        let count = try await take(urgency, most: most)
        defer { giveBack(count) }
        return try await body(count)
    }

    private func take(_ urgency: Urgency, most: Int) async throws -> Int {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isWaiting = state.withLock { state in
                    if Task.isCancelled { return false }
                    state.waiting.append(
                        Waiting(urgency: urgency, number: number, most: most, continuation: continuation))
                    return true
                }
                if isWaiting { grant() } else { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let cancelled = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
            }
            cancelled?.continuation.resume(throwing: CancellationError())
        }
    }

    private func giveBack(_ count: Int) {
        state.withLock { $0.free += count }
        grant()
    }

    private func grant() {
        while true {
            let granted: (Waiting, Int)? = state.withLock { state in
                guard state.free > 0,
                    let index = state.waiting.indices.min(by: {
                        let (left, right) = (state.waiting[$0], state.waiting[$1])
                        return (left.urgency, left.number) < (right.urgency, right.number)
                    })
                else { return nil }
                let next = state.waiting.remove(at: index)
                let count = min(max(1, next.most), state.free)
                state.free -= count
                return (next, count)
            }
            guard let (next, count) = granted else { return }
            next.continuation.resume(returning: count)
        }
    }
}
