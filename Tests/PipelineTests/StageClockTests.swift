import Glibc
import RootfsModel
import Storage
import Synchronization
import SystemPackage
import Testing

@testable import Pipeline

/// A clock that stands until it is moved.
private final class HandClock: Sendable {
    private let time = Mutex<UInt64>(5_000_000_000)

    func advance(_ seconds: Double) { time.withLock { $0 += UInt64(seconds * 1e9) } }
    var now: UInt64 { time.withLock { $0 } }
}

@Suite struct StageClockTests {
    private let hand = HandClock()
    private let events = EventList()
    private let store: Store
    private let clock: StageClock

    private final class EventList: Sendable {
        private let list = Mutex([String]())
        var lines: [String] { list.withLock { $0 } }

        func add(_ event: ProgressEvent) {
            switch event {
            case .started(let recipe, let stage): list.withLock { $0.append("\(recipe) begins \(stage)") }
            case .finished(let recipe, let stage, let detail):
                list.withLock { $0.append("\(recipe) ends \(stage): \(detail)") }
            default: break
            }
        }
    }

    private init() throws {
        store = try Store(at: FilePath("/tmp/rootfs-build-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))"))
        let (hand, events) = (hand, events)
        clock = StageClock(
            recipe: "r",
            settings: BuildSettings(
                store: store, jobs: 1, now: 0, hostArchitecture: "amd64", toolVersion: "test",
                measure: { Measurement(wall: hand.now, cpu: 0) }, progress: { events.add($0) }))
    }

    private func compute() -> Int { (0..<200_000).reduce(0) { $0 &* 31 &+ $1 } }

    @Test func `overlapping stages have their own start, waits and processor time`() throws {
        defer { try? removeTree(at: store.root) }
        hand.advance(1)
        let long = try clock.begin("long")
        hand.advance(0.5)
        let waits = [StageWait(for: "long", 0.5), StageWait(for: "a free job", 0.0001)]
        #expect(try clock.run("short", waits: waits) { _ in (compute(), detail: "computed") } != 1)
        long.add(cpu: 2_000_000_000)
        hand.advance(0.25)
        long.end("waited only")
        #expect(
            events.lines == ["r begins long", "r begins short", "r ends short: computed", "r ends long: waited only"])
        let timings = clock.timings
        #expect(timings.map(\.stage) == ["long", "short"])
        #expect(timings.map(\.startSeconds) == [1, 1.5])
        #expect(timings.map(\.wallSeconds) == [0.75, 0])
        // What passing a value on takes is no waiting.
        #expect(timings.map(\.waits) == [[], [StageWait(for: "long", 0.5)]])
        #expect(timings[0].cpuSeconds == 2)
        #expect(timings[1].cpuSeconds > 0)
        #expect(clock.threads.total == UInt64((timings[1].cpuSeconds * 1e9).rounded()))
    }

    @Test func `a cancelled build begins no stage`() async throws {
        defer { try? removeTree(at: store.root) }
        let clock = clock
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            _ = try clock.begin("late")
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(events.lines == [])
    }
}
