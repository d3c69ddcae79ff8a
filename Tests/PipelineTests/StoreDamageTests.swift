import ArchiveFixture
import Debian
import Dpkg
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Pipeline

/// What a failed build does with a store that is not what it was.
@Suite struct StoreDamageTests {
    private let store: Store
    private let lock: Lock
    private let layer = Digest(hashing: "a layer")

    /// A store with three packages, fetched and unpacked, and a layer made of them.
    private init() throws {
        store = try Store(at: FilePath("/tmp/rootfs-build-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))"))
        var packages = [Lock.Package]()
        for name in ["one", "two", "three"] {
            let bytes = try FixturePackage(name, files: [.file("usr/\(name)", "the content of \(name)")]).deb()
            let digest = try store.keep(bytes: bytes)
            packages.append(
                Lock.Package(
                    name: name, version: "1.0", architecture: "all", size: UInt64(bytes.count), sha256: digest,
                    filename: "pool/\(name).deb", pocket: "bookworm", purpose: .layer("base")))
            _ = try Payload.take(
                DebSource(path: try #require(store.file(digest)), digest: digest, label: "\(name) 1.0"), store: store)
        }
        lock = Lock(
            recipe: "test", architecture: "amd64", moment: 1, archives: [], requests: [], packages: packages)
        let temporary = try store.makeTemporaryDirectory("layer")
        try makeDirectory(at: temporary.path.appending("made/delta"))
        try store.keep(directoryAt: temporary.path.appending("made"), on: .layers, key: layer)
    }

    private func digest(_ name: String) throws -> Digest {
        try #require(lock.packages.first { $0.name == name }).sha256
    }

    @Test func aSoundStoreStaysAsItIs() throws {
        defer { try? removeTree(at: store.root) }
        #expect(try discardDamage(of: lock, layers: [layer], in: store) == [])
        #expect(store.directory(.layers, key: layer) != nil)
        #expect(try store.directory(.payloads, key: digest("one")) != nil)
    }

    @Test func aDamagedPayloadGoesWithTheLayersMadeOfIt() throws {
        defer { try? removeTree(at: store.root) }
        let payload = try #require(try store.directory(.payloads, key: digest("two")))
        try writeFile(Array("the content of twO".utf8), to: payload.appending("tree/usr/two"))
        #expect(
            try discardDamage(of: lock, layers: [layer], in: store).map(\.warning)
                == ["two 1.0 in the store is not what it was when it was unpacked: it is unpacked again"])
        #expect(!exists(payload))
        #expect(try store.directory(.payloads, key: digest("one")) != nil)
        #expect(store.directory(.layers, key: layer) == nil)
    }

    @Test func aDamagedPackageFileGoesAlone() throws {
        defer { try? removeTree(at: store.root) }
        let file = try #require(try store.file(digest("three")))
        try writeFile([], to: file)
        #expect(
            try discardDamage(of: lock, layers: [layer], in: store).map(\.warning)
                == ["the package file of three 1.0 in the store is not what was fetched: it is fetched again"])
        #expect(!exists(file))
        #expect(store.directory(.layers, key: layer) != nil)
    }

    @Test func aDeltasDigestTellsAllThatItDoes() throws {
        defer { try? removeTree(at: store.root) }
        let file = FileNode(
            path: "a/f", kind: .file(Blob(Array("x".utf8)), linkGroup: 0), metadata: Metadata(mode: 0o644))
        var other = file
        other.metadata.mode = 0o600
        let changes = [
            TreeChange(), TreeChange(puts: [file]), TreeChange(puts: [other]), TreeChange(removals: ["a"]),
            TreeChange(opaques: ["a"]), TreeChange(removals: ["a", "b"]), TreeChange(removals: ["a"], opaques: ["b"]),
        ]
        #expect(Set(try changes.map { try Pipeline.digest(ofDelta: $0) }).count == changes.count)
        #expect(try Pipeline.digest(ofDelta: changes[1]) == Pipeline.digest(ofDelta: changes[1]))
    }
}
