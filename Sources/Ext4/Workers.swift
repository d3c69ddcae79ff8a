import Glibc

/// Runs `body` on the calling thread and on `jobs` − 1 others at once, and returns when all are done. What the bodies
/// share they guard with a lock.
public func runConcurrently(_ jobs: Int, _ body: () -> Void) {
    withoutActuallyEscaping(body) { body in
        let work = Work(body)
        let context = Unmanaged.passUnretained(work).toOpaque()
        var threads = [pthread_t]()
        for _ in 1..<max(2, jobs) where jobs > 1 {
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { context in
                    if let context { Unmanaged<Work>.fromOpaque(context).takeUnretainedValue().body() }
                    return nil
                }, context)
            // With fewer threads it takes longer, that is all.
            if code == 0 { threads.append(thread) }
        }
        body()
        for thread in threads { pthread_join(thread, nil) }
        withExtendedLifetime(work) {}
    }
}

private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}

/// A value that one thread at a time sees. For values that hold pointers; others belong into a `Mutex`.
final class Lock<Value> {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Signalled after every change.
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        changed = .allocate(capacity: 1)
        changed.initialize(to: pthread_cond_t())
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        pthread_cond_destroy(changed)
        changed.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return body(&value)
    }

    /// Waits until `body` finds something in the value: it is called again after every change.
    func wait<Result>(for body: (inout Value) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        while true {
            if let result = body(&value) { return result }
            pthread_cond_wait(changed, mutex)
        }
    }
}
