import CLinux
import Glibc
import RootfsModel
import SystemPackage
import Testing

@testable import Storage

/// A directory of the test's own.
private func scratch() throws -> (store: Store, directory: TemporaryDirectory) {
    let store = try Store(at: FilePath("/tmp/rootfs-build-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))"))
    return (store, try store.makeTemporaryDirectory("test"))
}

@Suite struct StoreTests {
    @Test func aKeptFileIsFoundByItsDigest() throws {
        let (store, _) = try scratch()
        defer { try? removeTree(at: store.root) }
        let digest = try store.keep(bytes: Array("hello".utf8))
        let path = try #require(store.file(digest))
        #expect(try readFile(at: path) == Array("hello".utf8))
        #expect(store.file(Digest(hashing: "other")) == nil)
    }

    @Test func theSecondOfTwoEqualDirectoriesGivesWay() throws {
        let (store, _) = try scratch()
        defer { try? removeTree(at: store.root) }
        let key = Digest(hashing: "key")
        for content in ["first", "second"] {
            let temporary = try store.makeTemporaryDirectory("made")
            let directory = temporary.path.appending("result")
            try makeDirectory(at: directory)
            try writeFile(Array(content.utf8), to: directory.appending("f"))
            let kept = try store.keep(directoryAt: directory, on: .layers, key: key)
            #expect(try readFile(at: kept.appending("f")) == Array("first".utf8))
        }
        try store.discard(.layers, key: key)
        #expect(store.directory(.layers, key: key) == nil)
    }

    @Test func whatADeadProcessLeftIsSweptAndWhatALivingOneHoldsStays() throws {
        let (store, held) = try scratch()
        defer { try? removeTree(at: store.root) }
        let left = store.root.appending("tmp/layer-dead00")
        try makeDirectory(at: left)
        try writeFile([], to: left.appending(".owner"))
        _ = try Store(at: store.root)
        #expect(!exists(left))
        #expect(exists(held.path))
    }

    @Test(.enabled(if: geteuid() == 0, "needs root"))
    func whatCannotBeSweptKeepsTheSignThatItsOwnerIsDead() async throws {
        let (store, _) = try scratch()
        defer { try? removeTree(at: store.root) }
        let left = store.root.appending("tmp/layer-dead00")
        try makeDirectory(at: left.appending("others"))
        for name in [".owner", "mine", "others/file"] { try writeFile([], to: left.appending(name)) }
        let root = store.root.string
        // All is nobody's but the directory `others`, as an ordinary user's build leaves it behind.
        for path in ["", "/tmp", "/records", "/files", "/payloads", "/layers", "/kernels"] {
            chown(root + path, 65534, 65534)
        }
        for path in ["", "/.owner", "/mine"] { chown(left.string + path, 65534, 65534) }
        await #expect(processExitsWith: .success) { [root = root as String] in
            try #require(setgid(65534) == 0 && setuid(65534) == 0)
            _ = try Store(at: FilePath(root))
        }
        #expect(!exists(left.appending("mine")) && exists(left.appending("others/file")))
        #expect(exists(left.appending(".owner")))
        _ = try Store(at: store.root)
        #expect(!exists(left))
    }

    @Test func aTemporaryDirectoryThatIsSweptWhileItIsMadeIsMadeAgain() throws {
        let (store, _) = try scratch()
        defer { try? removeTree(at: store.root) }
        let parent = store.root.appending("tmp")
        var made = [FilePath]()
        var sweepers = [Int32]()
        defer { for sweeper in sweepers { close(sweeper) } }
        let directory = try TemporaryDirectory(in: parent, purpose: "raced") { path in
            made.append(path)
            switch made.count {
            case 1: try? removeTree(at: path)
            case 2:
                sweepers.append(open(path.appending(".owner").string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
                flock(sweepers[0], LOCK_EX)
            default: break
            }
        }
        #expect(made.count == 3 && directory.path == made.last)
        TemporaryDirectory.sweep(parent)
        #expect(exists(directory.path))

        let failure = #expect(throws: Failure.self) {
            _ = try TemporaryDirectory(in: parent, purpose: "lost") { try? removeTree(at: $0) }
        }
        #expect(
            failure?.message
                == "cannot make a temporary directory in \(parent): another process takes away what is made there")
    }

    @Test func nobodyElseComesIntoAStore() throws {
        func mode(_ path: FilePath) -> mode_t? { Status(at: path.string).map { $0.raw.st_mode & 0o7777 } }
        let (store, directory) = try scratch()
        defer { try? removeTree(at: store.root) }
        #expect(mode(store.root) == 0o700)
        #expect(mode(directory.path) == 0o700)
        // A store of an earlier time is closed; what its owner allows the group stays.
        chmod(store.root.string, 0o755)
        _ = try Store(at: store.root)
        #expect(mode(store.root) == 0o750)
        // A directory that was there before the store was not made by us.
        let given = directory.path.appending("given")
        try makeDirectory(at: given)
        chmod(given.string, 0o755)
        _ = try Store(at: given)
        #expect(mode(given) == 0o755)
    }

    @Test func aDamagedFileIsNoFileOfTheStore() throws {
        let (store, _) = try scratch()
        defer { try? removeTree(at: store.root) }
        let digest = try store.keep(bytes: Array("hello".utf8))
        let path = try #require(store.file(digest))
        #expect(store.file(digest, size: 5) == path && store.file(digest, size: nil) == path)
        #expect(try store.intactFile(digest) == path)
        try writeFile(Array("hellO".utf8), to: path)
        #expect(try store.intactFile(digest) == nil)
        #expect(store.file(digest) == nil)
        try store.keep(bytes: Array("hello".utf8))
        try writeFile([], to: path)
        #expect(store.file(digest, size: 5) == nil && store.file(digest, size: nil) == path)
    }

    @Test func filesAreReadWholeWithAndWithoutASize() throws {
        let (store, directory) = try scratch()
        defer { try? removeTree(at: store.root) }
        let path = directory.path.appending("f")
        for count in [0, 1, 65_535, 65_536, 1_000_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try writeFile(bytes, to: path)
            let read = try readFile(at: path)
            #expect(read == bytes)
        }
        #expect(try readFile(at: "/proc/self/mounts").last == UInt8(ascii: "\n"))
    }

    @Test func aStoreThatCannotBeMadeSaysWhy() throws {
        let failure = #expect(throws: Failure.self) { try Store(at: "/proc/nothing/here") }
        #expect(failure?.message == "cannot make directory /proc/nothing: No such file or directory")
    }
}

@Suite struct ScanTests {
    @Test func scanningGivesLinksNamesAndDigests() throws {
        let (store, temporary) = try scratch()
        defer { try? removeTree(at: store.root) }
        let root = temporary.path.appending("tree")
        try makeDirectory(at: root.appending("d"))
        try writeFile(Array("abc".utf8), to: root.appending("d/a"), mode: 0o640)
        link(root.appending("d/a").string, root.appending("d/b").string)
        symlink("d/a", root.appending("s").string)
        mkfifo(root.appending("p").string, 0o600)
        let strange = hostPathBytes(root.string, try #require(TreePath(normalizing: [0xFF, 0x0A, 0x20])))
        close(open(strange, O_CREAT | O_WRONLY, 0o600))
        let tree = try scanDirectory(root, digesting: true)
        #expect(tree.nodes.map(\.path.bytes.count) == [0, 1, 3, 3, 1, 1, 3])
        #expect(tree["d/a"]?.blob?.digest == Digest(hashing: "abc"))
        #expect(tree["d/a"]?.metadata.mode == 0o640)
        #expect(tree["d/a"]?.linkGroup == 1 && tree["d/b"]?.linkGroup == 1)
        #expect(tree["s"]?.linkTarget == Array("d/a".utf8))
        #expect(tree["p"]?.kind == .fifo)
        #expect(try tree["d/b"]?.blob?.readAll() == Array("abc".utf8))
    }

    @Test func aFileThatChangedSinceTheScanIsRefused() throws {
        let (store, temporary) = try scratch()
        defer { try? removeTree(at: store.root) }
        let root = temporary.path.appending("tree")
        try makeDirectory(at: root)
        try writeFile(Array("abc".utf8), to: root.appending("a"))
        let tree = try scanDirectory(root, digesting: false)
        try writeFile(Array("longer".utf8), to: root.appending("a"))
        let failure = #expect(throws: Failure.self) { try tree["a"]?.blob?.readAll() }
        #expect(failure?.message == "\(root)/a has 6 bytes, but had 3 when it was scanned")
    }

    @Test func contentThatIsNotItsDigestsIsRefused() throws {
        let (store, temporary) = try scratch()
        defer { try? removeTree(at: store.root) }
        let root = temporary.path.appending("tree")
        try makeDirectory(at: root)
        try writeFile(Array("abc".utf8), to: root.appending("a"))
        let tree = try scanDirectory(root, digesting: true)
        try writeFile(Array("abd".utf8), to: root.appending("a"))
        let failure = #expect(throws: Failure.self) { try tree["a"]?.blob?.readAll() }
        #expect(
            failure?.description == """
                error: \(root)/a is not what it was: it should have the digest \(Digest(hashing: "abc"))
                  it has \(Digest(hashing: "abd"))
                """)
    }

    @Test func extentsReadZerosBetween() throws {
        let (store, temporary) = try scratch()
        defer { try? removeTree(at: store.root) }
        let image = temporary.path.appending("image")
        try writeFile(Array("0123456789".utf8), to: image)
        let blob = Blob(
            size: 8, digest: nil,
            source: .extents(
                file: image.string,
                [ContentExtent(offset: 1, source: 5, length: 2), ContentExtent(offset: 6, source: 0, length: 1)]))
        #expect(try blob.readAll() == [0] + Array("56".utf8) + [0, 0, 0] + Array("0".utf8) + [0])
        #expect(try blob.takeDigest() == Digest(hashing: blob.readAll()))
    }

    @Test(.enabled(if: geteuid() == 0, "whiteouts are devices: only root makes them"))
    func anOverlayUpperIsAChange() throws {
        let (store, temporary) = try scratch()
        defer { try? removeTree(at: store.root) }
        let upper = temporary.path.appending("upper")
        try makeDirectory(at: upper.appending("opaque"))
        mknod(upper.appending("gone").string, S_IFCHR | 0o600, 0)
        try writeFile(Array("x".utf8), to: upper.appending("new"))
        setxattr(upper.appending("opaque").string, "trusted.overlay.opaque", "y", 1, 0)
        setxattr(upper.appending("new").string, "trusted.overlay.origin", "o", 1, 0)
        // As a store on xfs has it.
        setxattr(upper.appending("new").string, "trusted.SGI_ACL_FILE", "a", 1, 0)
        setxattr(upper.appending("new").string, "user.kept", "v", 1, 0)
        let change = try scanOverlayUpper(upper)
        #expect(change.removals == ["gone"])
        #expect(change.opaques == ["opaque"])
        #expect(change.puts.map(\.path) == ["new", "opaque"])
        #expect(change.puts.first?.metadata.xattrs == [ExtendedAttribute(name: "user.kept", value: Array("v".utf8))])
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts"))
    func aMountedOverlayIsRead() async {
        await #expect(processExitsWith: .success) {
            // The mounts are this thread's alone. Swift does not see unshare, CLONE_NEWNS, MS_REC and MS_PRIVATE.
            typealias Unshare = @convention(c) (Int32) -> Int32
            let unshare = unsafeBitCast(try #require(dlsym(nil, "unshare")), to: Unshare.self)
            try #require(unshare(0x20000) == 0)
            let (store, temporary) = try scratch()
            defer { try? removeTree(at: store.root) }
            let base = temporary.path.string
            try #require(mount(nil, "/", nil, 0x4000 | 0x40000, nil) == 0)
            try #require(mount("tmpfs", base, "tmpfs", 0, nil) == 0)
            for name in ["lower", "upper", "upper/folder", "work", "merged"] { mkdir("\(base)/\(name)", 0o755) }
            setxattr("\(base)/upper/folder", "trusted.overlay.opaque", "y", 1, 0)
            setxattr("\(base)/upper/folder", "trusted.own", "v", 1, 0)
            let options = "lowerdir=\(base)/lower,upperdir=\(base)/upper,workdir=\(base)/work"
            try #require(options.withCString { mount("overlay", "\(base)/merged", "overlay", 0, $0) == 0 })
            // The kernel counts its own attribute's name, and does not list it.
            let folder = try scanDirectory(FilePath("\(base)/merged"), digesting: false).nodes.first { !$0.path.isRoot }
            #expect(folder?.metadata.xattrs == [ExtendedAttribute(name: "trusted.own", value: Array("v".utf8))])
            umount("\(base)/merged")
            try #require(umount(base) == 0)
        }
    }
}
