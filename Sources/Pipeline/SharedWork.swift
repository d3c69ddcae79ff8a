internal import Synchronization

/// Things that several recipes need and one of them makes: the first to ask makes it, the others wait for it.
///
/// If the maker fails, each that waited makes it itself, so that a failure is told where it would be told without the
/// others.
final class SharedWork<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private enum State {
        case made(Value)
        /// Fulfilled when it is made or its maker failed.
        case making(Promise<Void>)
    }

    private let states = Mutex([Key: State]())

    /// What was made under this key; it is made here if nobody has begun.
    func value(_ key: Key, make: () async throws -> Value) async throws -> Value {
        while true {
            let ours = Promise<Void>()
            let state = states.withLock { states in
                if let state = states[key] { return state }
                states[key] = .making(ours)
                return .making(ours)
            }
            switch state {
            case .made(let value): return value
            case .making(let promise) where promise !== ours: try await promise.value()
            case .making:
                defer { ours.fulfil(.success(())) }
                do {
                    let value = try await make()
                    states.withLock { $0[key] = .made(value) }
                    return value
                } catch {
                    states.withLock { $0[key] = nil }
                    throw error
                }
            }
        }
    }
}
