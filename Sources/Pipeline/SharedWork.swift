internal import Synchronization

/// Things that several recipes need and one of them makes: the first to ask makes it, the others wait for it.
///
/// Whose maker fails is nobody's: each that waited tries for itself, so that a failure is told where it would be told
/// without the others.
final class SharedWork<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let promises = Mutex([Key: Promise<Value?>]())

    /// What was made under this key, and whether this call made it.
    func value(_ key: Key, make: () async throws -> Value) async throws -> (value: Value, isOurs: Bool) {
        while true {
            let (promise, isOurs) = promises.withLock { promises in
                if let promise = promises[key] { return (promise, false) }
                let promise = Promise<Value?>()
                promises[key] = promise
                return (promise, true)
            }
            if isOurs {
                do {
                    let value = try await make()
                    promise.fulfil(.success(value))
                    return (value, true)
                } catch {
                    promises.withLock { $0[key] = nil }
                    promise.fulfil(.success(nil))
                    throw error
                }
            }
            if let value = try await promise.value() { return (value, false) }
        }
    }
}
