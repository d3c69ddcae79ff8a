internal import Synchronization

/// A value that comes later, once, for any number of tasks that wait for it.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiting = [Int: CheckedContinuation<Void, any Error>]()
        var next = 0
    }

    private let state = Mutex(State())

    /// Gives the value, or the reason why there is none; what comes after the first time counts for nothing.
    func fulfil(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Void, any Error>]() }
            state.result = result
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        // Only that it is there: each who waited takes the value from here himself.
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for it. Throws `CancellationError` when the waiting task is cancelled.
    func value() async throws -> Value {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isWaiting = state.withLock { state in
                    // Cancelled before there was anything to take back.
                    if state.result != nil || Task.isCancelled { return false }
                    state.waiting[number] = continuation
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
        guard let result = state.withLock({ $0.result }) else { throw CancellationError() }
        return try result.get()
    }
}
