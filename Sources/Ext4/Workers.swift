import Glibc

/// Runs `body` on the calling thread and on `jobs` − 1 others at once, and returns when all are done. What the bodies
/// share they guard with a `Lock`.
func runConcurrently(_ jobs: Int, _ body: () -> Void) {
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
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
