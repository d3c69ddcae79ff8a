import Glibc
import RootfsModel
import SystemPackage
import Testing

@testable import Storage

/// What is removed from a store, and what stays because somebody uses it.
@Suite struct StoreUseTests {
    private let store: Store
    /// Three files of 8 KiB and a layer, used a day apart, the oldest first.
    private let files: [Digest]
    private let layer = Digest(hashing: "a layer")

    private init() throws {
        store = try Store(at: FilePath("/tmp/rootfs-build-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))"))
        var files = [Digest]()
        for byte in UInt8(0)..<3 { files.append(try store.keep(bytes: [UInt8](repeating: byte, count: 8192))) }
        self.files = files
        let temporary = try store.makeTemporaryDirectory("test")
        try makeDirectory(at: temporary.path.appending("made"))
        try writeFile([1], to: temporary.path.appending("made/f"))
        try store.keep(directoryAt: temporary.path.appending("made"), on: .layers, key: layer)
        for (day, path) in (files.map { store.file($0) } + [store.directory(.layers, key: layer)]).enumerated() {
            try setLastUse(of: try #require(path), 86_400 * Int64(day + 1))
        }
    }

    private func setLastUse(of path: FilePath, _ seconds: Int64) throws {
        let time = timespec(tv_sec: Int(seconds), tv_nsec: 0)
        try #require(utimensat(AT_FDCWD, path.string, [time, time], AT_SYMLINK_NOFOLLOW) == 0)
    }

    private var left: [Digest] { get throws { try store.entries().compactMap { Digest(hex: $0.name) } } }

    @Test func entriesHaveTheirSizesAndLastUses() throws {
        defer { try? removeTree(at: store.root) }
        try store.setRecord("some-record", [1])
        let entries = try store.entries()
        #expect(entries.map(\.kind) == [.files, .files, .files, .layers, .records])
        #expect(entries.filter { $0.kind == .files }.allSatisfy { $0.bytes == 8192 })
        #expect(Set(entries.prefix(4).map(\.lastUse)) == Set((1...4).map { $0 * 86_400 }))
        #expect(entries.last?.name == "some-record")
        for entry in entries { #expect(exists(store.root.pushing(FilePath(entry.path)))) }
    }

    @Test func theOldestGoFirstUntilTheRestFits() throws {
        defer { try? removeTree(at: store.root) }
        let all = try store.entries().reduce(0) { $0 + $1.bytes }
        #expect(try store.removeUnused(limit: all, oldest: nil, dryRun: false).removed == [])
        let removal = try store.removeUnused(limit: all - 8193, oldest: nil, dryRun: false)
        #expect(removal.removed.map(\.name) == files.prefix(2).map(\.hex))
        #expect(removal.left == all - 16384)
        #expect(try Set(left) == [files[2], layer])
        #expect(try directoryNames(at: store.root.appending("tmp")) == [])
    }

    @Test func whatWasNotUsedForLongGoes() throws {
        defer { try? removeTree(at: store.root) }
        let removal = try store.removeUnused(limit: nil, oldest: 2 * 86_400 + 1, dryRun: false)
        #expect(removal.removed.map(\.name) == files.prefix(2).map(\.hex))
        #expect(try Set(left) == [files[2], layer])
    }

    @Test func aDryRunSaysWhatWouldGoAndRemovesNothing() throws {
        defer { try? removeTree(at: store.root) }
        let removal = try store.removeUnused(limit: 0, oldest: nil, dryRun: true)
        #expect(removal.removed.map(\.name) == (files + [layer]).map(\.hex))
        #expect(removal.left == 0)
        #expect(try Set(left) == Set(files + [layer]))
    }

    @Test func whatIsUsedStaysUntilItsUseEnds() throws {
        defer { try? removeTree(at: store.root) }
        // What is still to be made can be used too.
        let use = try store.use(files: [files[0]], payloads: [files[0]], layers: [layer], trees: [])
        let removal = try store.removeUnused(limit: 0, oldest: nil, dryRun: false)
        #expect(removal.removed.map(\.name) == files[1...].map(\.hex))
        #expect(removal.inUse == 2)
        #expect(try Set(left) == [files[0], layer])
        // The use was noted.
        #expect(try store.entries().allSatisfy { $0.lastUse > 1_000_000_000 })
        use.end()
        #expect(try store.removeUnused(limit: 0, oldest: nil, dryRun: false).removed.count == 2)
    }

    @Test func aDeadProcessUsesNothing() throws {
        defer { try? removeTree(at: store.root) }
        let mark = store.root.appending("tmp/use-dead00")
        try makeDirectory(at: mark)
        try writeFile([], to: mark.appending(".owner"))
        let path = try #require(try store.entries().first).path
        try writeFile(Array("\(path)\n".utf8), to: mark.appending("entries"))
        #expect(try store.removeUnused(limit: 0, oldest: nil, dryRun: false).removed.count == 4)
    }

    @Test func nothingIsRemovedWhileSomebodyLooksThingsUp() throws {
        defer { try? removeTree(at: store.root) }
        let gate = try store.holdOffRemoval()
        let other = try store.holdOffRemoval()
        other.open()
        var leftWhileWaiting = Set<Digest>()
        let removal = try store.removeUnused(limit: 0, oldest: nil, dryRun: false) {
            leftWhileWaiting = Set((try? left) ?? [])
            gate.open()
        }
        #expect(leftWhileWaiting == Set(files + [layer]))
        #expect(removal.removed.count == 4)
    }

    @Test func whatIsDiscardedIsGoneAtOnceAndLeavesNothing() throws {
        defer { try? removeTree(at: store.root) }
        try store.discard(.layers, key: layer)
        try store.discard(.layers, key: layer)
        #expect(store.directory(.layers, key: layer) == nil)
        #expect(try directoryNames(at: store.root.appending("tmp")) == [])
    }
}
