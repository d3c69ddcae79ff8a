import RootfsModel
import Synchronization
import Testing

@testable import Pipeline

/// A value that several tasks change.
private final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var now: Value { value.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
}

/// Blocks a thread until it is opened, as dpkg or a decompression would.
private final class Gate: Sendable {
    private let isOpen = Atomic(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    /// False where the task was cancelled before.
    func pass() -> Bool {
        while !isOpen.load(ordering: .acquiring) {
            if Task.isCancelled { return false }
        }
        return true
    }
}

@Suite struct SharedWorkTests {
    @Test func `what many ask for is made once`() async throws {
        let work = SharedWork<String, Int>()
        let made = Shared(0)
        let results = try await withTaskExecutorPreference(ThreadExecutor()) {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await work.value("key") {
                            await Task.yield()
                            made.change { $0 += 1 }
                            return made.now
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(results == [Int](repeating: 1, count: 20))
        #expect(made.now == 1)
        #expect(try await work.value("other") { 7 } == 7)
    }

    @Test func `where the maker fails, one who waited makes it`() async throws {
        let work = SharedWork<String, Int>()
        let begun = Promise<Void>()
        let fail = Promise<Void>()
        let first = Task {
            try await work.value("key") {
                begun.fulfil(.success(()))
                try await fail.value()
                throw Failure("the maker failed")
            }
        }
        try await begun.value()
        let second = Task { try await work.value("key") { 2 } }
        fail.fulfil(.success(()))
        await #expect(throws: Failure("the maker failed")) { try await first.value }
        #expect(try await second.value == 2)
    }

    @Test func `a cancelled task stops waiting, the others do not`() async throws {
        let promise = Promise<Int>()
        let cancelled = Task { try await promise.value() }
        let other = Task { try await promise.value() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        promise.fulfil(.success(3))
        promise.fulfil(.success(4))
        #expect(try await other.value == 3)
        #expect(try await promise.value() == 3)
    }
}

@Suite struct WorkSlotsTests {
    @Test(arguments: [1, 2, 5]) func `no more goes on at once than there are slots`(count: Int) async throws {
        let slots = WorkSlots(count)
        let counts = Shared((running: 0, most: 0, done: 0))
        try await withTaskExecutorPreference(ThreadExecutor()) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        try await slots.run(.unpacking(number)) { granted in
                            counts.change { now in
                                now.running += granted
                                now.most = max(now.most, now.running)
                            }
                            await Task.yield()
                            counts.change { now in
                                now.running -= granted
                                now.done += 1
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let end = counts.now
        #expect(end.done == 40 && end.running == 0)
        #expect(end.most <= count)
    }

    @Test func `the most urgent goes first, and takes what is free`() async throws {
        let slots = WorkSlots(3)
        let order = Shared([String]())
        let gate = Promise<Void>()
        let isTaken = Promise<Void>()
        let holder = Task {
            try await slots.run(.layer, most: 3) { granted in
                order.change { $0.append("held \(granted)") }
                isTaken.fulfil(.success(()))
                try await gate.value()
            }
        }
        try await isTaken.value()
        let second = Task {
            try await slots.run(.unpacking(4), most: 3) { granted in order.change { $0.append("second \(granted)") } }
        }
        let first = Task {
            try await slots.run(.layer, most: 3) { granted in order.change { $0.append("first \(granted)") } }
        }
        while slots.waitingCount < 2 { await Task.yield() }
        gate.fulfil(.success(()))
        try await holder.value
        try await first.value
        try await second.value
        #expect(order.now == ["held 3", "first 3", "second 3"])
    }

    @Test func `who is cancelled while he waits takes no slot`() async throws {
        let slots = WorkSlots(1)
        let gate = Promise<Void>()
        let isTaken = Promise<Void>()
        let holder = Task {
            try await slots.run(.layer) { _ in
                isTaken.fulfil(.success(()))
                try await gate.value()
            }
        }
        try await isTaken.value()
        let waiting = Task { try await slots.run(.layer) { _ in Issue.record("it ran") } }
        while slots.waitingCount < 1 { await Task.yield() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.fulfil(.success(()))
        try await holder.value
        #expect(try await slots.run(.layer) { $0 } == 1)
    }
}

@Suite struct ThreadExecutorTests {
    @Test func `tasks that block keep none from going on, and see that they are cancelled`() async throws {
        let gates = (0..<16).map { _ in Gate() }
        let task = Task {
            await withTaskExecutorPreference(ThreadExecutor()) {
                await withTaskGroup(of: Bool.self) { group in
                    for (index, gate) in gates.enumerated() {
                        group.addTask {
                            // Each opens the gate before its own, the last one first: all must run at once.
                            let passed = index == gates.count - 1 || gate.pass()
                            if index > 0 { gates[index - 1].open() }
                            return passed
                        }
                    }
                    return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                }
            }
        }
        #expect(await task.value == 16)
        let closed = Gate()
        let cancelled = Task { await withTaskExecutorPreference(ThreadExecutor()) { closed.pass() } }
        cancelled.cancel()
        #expect(await cancelled.value == false)
    }
}
