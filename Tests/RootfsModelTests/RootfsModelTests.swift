import RootfsModel
import TestSupport
import Testing

private func directory(_ path: TreePath, mode: UInt16 = 0o755) -> FileNode {
    FileNode(path: path, kind: .directory, metadata: Metadata(mode: mode))
}

private func file(_ path: TreePath, _ text: String, group: UInt32 = 0) -> FileNode {
    FileNode(path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: group), metadata: Metadata(mode: 0o644))
}

private func link(_ path: TreePath, _ target: String) -> FileNode {
    FileNode(path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777))
}

@Suite struct DigestTests {
    @Test func hexIsSHA256OfTheBytes() {
        let digest = Digest(hashing: "abc")
        #expect(digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(hex: digest.description.uppercased().replacing("SHA256:", with: "sha256:")) == digest)
        #expect(Digest(hex: "abc") == nil)
        #expect(digest.bytes.first == 0xba)
        #expect(digest.bytes.count == 32)
    }
}

@Suite struct TreePathTests {
    @Test func normalizingRefusesToLeaveTheTree() {
        #expect(TreePath(normalizing: "./usr//bin/./x/")?.description == "/usr/bin/x")
        #expect(TreePath(normalizing: "/") == .root)
        #expect(TreePath(normalizing: "a/../../etc") == nil)
        #expect(TreePath(normalizing: [0x61, 0, 0x62]) == nil)
    }

    @Test func namesThatDifferOnlyInNormalizationAreTwo() {
        let composed = TreePath(normalizing: [0xC3, 0xA9])
        let decomposed = TreePath(normalizing: [0x65, 0xCC, 0x81])
        #expect(composed != decomposed)
    }

    @Test func withinIsByComponent() {
        let path: TreePath = "usr/bin"
        #expect(path.isWithin("usr"))
        #expect(!TreePath(stringLiteral: "usr-local/x").isWithin("usr"))
        #expect(path.relative(to: "usr") == "bin")
        #expect(TreePath("a/b") < TreePath("a/c"))
        #expect(TreePath("a") < TreePath("a/b"))
    }
}

@Suite struct FileTreeTests {
    @Test func aChildIsOneNameBelow() {
        for (path, directory) in [("a/b/c", "a/b"), ("a", ""), ("ab/c", "ab")] as [(TreePath, TreePath)] {
            #expect(path.parent == directory)
            #expect(path.isChild(of: directory))
        }
        for (path, directory) in [("a/b/c", "a"), ("a/b/c", ""), ("ab/c", "a"), ("a", "a"), ("", ""), ("a", "a/b")]
            as [(TreePath, TreePath)]
        {
            #expect(path.parent != directory)
            #expect(!path.isChild(of: directory))
        }
    }

    /// A million nodes are in memory several times while a build changes them.
    @Test func aNodeIsSmall() {
        #expect(MemoryLayout<FileNode>.stride <= 160)
    }

    @Test func missingParentsAreMadeAndDuplicatesRefused() throws {
        let tree = try FileTree([file("a/b/c", "x"), file("a-b", "y")])
        #expect(tree.nodes.map(\.path.description) == ["/", "/a", "/a-b", "/a/b", "/a/b/c"])
        #expect(throws: Failure("/x comes twice in one tree")) { try FileTree([file("x", "1"), file("x", "2")]) }
        #expect(throws: Failure("/a/b stands below /a, which is no directory")) {
            try FileTree([file("a", "1"), file("a/b", "2")])
        }
    }

    @Test func linksAreFollowedInsideTheTreeOnly() throws {
        let tree = try FileTree([
            directory("usr/bin"), file("usr/bin/node", "x"), link("bin", "usr/bin"), link("up", "../../../bin/node"),
            link("loop", "loop"), link("abs", "/bin"),
        ])
        #expect(tree.resolve("bin/node") == "usr/bin/node")
        #expect(tree.resolve("up") == "usr/bin/node")
        #expect(tree.resolve("abs/node") == "usr/bin/node")
        #expect(tree.resolve("loop") == nil)
        #expect(tree.resolve("bin", followingLast: false) == "bin")
        #expect(tree.placement(of: "bin/new/x") == "usr/bin/new/x")
    }

    @Test func aChangeRemovesThenPuts() throws {
        let tree = try FileTree([file("d/a", "1"), file("d/b", "2"), file("e/x", "3"), file("f", "4")])
        let change = TreeChange(
            puts: [file("d/c", "5"), file("e", "now a file"), file("f/g", "6"), directory("f")], removals: ["d/a"])
        let result = try tree.applying(change)
        #expect(result.nodes.map(\.path.description) == ["/", "/d", "/d/b", "/d/c", "/e", "/f", "/f/g"])
    }

    @Test func opaqueDirectoriesKeepNothingOfBelow() throws {
        let tree = try FileTree([file("d/a", "1"), file("d/s/b", "2")])
        let result = try tree.applying(TreeChange(puts: [directory("d"), file("d/new", "3")], opaques: ["d"]))
        #expect(result.nodes.map(\.path.description) == ["/", "/d", "/d/new"])
    }

    @Test func aReplacedNameLeavesItsGroup() throws {
        let tree = try FileTree([file("a", "1", group: 7), file("b", "1", group: 7), file("c", "1", group: 7)])
        let replaced = try tree.applying(TreeChange(puts: [file("b", "2")]))
        #expect(replaced.hardLinks == [["a", "c"]])
        #expect(try replaced.applying(TreeChange(removals: ["a"])).hardLinks == [])
    }

    @Test func placedChangesFollowDirectoryLinks() throws {
        let tree = try FileTree([directory("usr/bin"), link("bin", "usr/bin")])
        let change = TreeChange(puts: [directory("bin"), file("bin/x", "1")]).placed(in: tree)
        #expect(change.puts.map(\.path.description) == ["/usr/bin/x"])
    }
}

@Suite struct ListingTests {
    /// Trees of random shape with every kind of node and nasty names.
    static func tree(seed: UInt64) throws -> FileTree {
        var random = SeededGenerator(seed: seed)
        var nodes = [FileNode]()
        var directories: [TreePath] = [.root]
        for index in 0..<60 {
            guard let parent = directories.randomElement(using: &random) else { continue }
            var name = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                UInt8.random(in: 1...255, using: &random)
            }
            name.removeAll { $0 == UInt8(ascii: "/") }
            name += Array("\(index)".utf8)
            let path = parent.appending(name)
            var metadata = Metadata(
                mode: .random(in: 0...0o7777, using: &random), uid: .random(in: 0 ... .max, using: &random),
                gid: .random(in: 0...70000, using: &random),
                mtime: Timestamp(
                    seconds: .random(in: -5_000_000_000...5_000_000_000, using: &random),
                    nanoseconds: .random(in: 0..<1_000_000_000, using: &random)))
            if Bool.random(using: &random) {
                metadata.xattrs = [
                    ExtendedAttribute(name: "user.a b=", value: [0, 255, 10]),
                    ExtendedAttribute(name: "user.empty", value: []),
                ]
            }
            let kind: NodeKind
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                kind = .directory
                directories.append(path)
            case 2, 3:
                kind = .file(
                    Blob(
                        size: .random(in: 0...1 << 40, using: &random), digest: Digest(hashing: name), source: .absent),
                    linkGroup: 0)
            case 4: kind = .symbolicLink(Array(name.reversed()))
            case 5: kind = .characterDevice(major: 5, minor: .random(in: 0...1_000_000, using: &random))
            case 6: kind = .blockDevice(major: 8, minor: 1)
            default: kind = Bool.random(using: &random) ? .fifo : .socket
            }
            nodes.append(FileNode(path: path, kind: kind, metadata: metadata))
            if case .file(let blob, _) = kind, Bool.random(using: &random) {
                nodes[nodes.count - 1].kind = .file(blob, linkGroup: UInt32(index + 1))
                nodes.append(
                    FileNode(
                        path: parent.appending(name + [0x7E]), kind: nodes[nodes.count - 1].kind, metadata: metadata))
            }
        }
        return try FileTree(nodes)
    }

    @Test(arguments: 1...40) func parsingGivesBackTheTree(seed: UInt64) throws {
        let tree = try Self.tree(seed: seed)
        let bytes = try Listing.bytes(of: tree)
        #expect(try Listing.parse(bytes, name: "seed \(seed)") == tree)
        #expect(bytes.allSatisfy { $0 == 10 || (0x20...0x7E).contains($0) })
    }

    @Test func theTextIsAsDocumented() throws {
        let capability = ExtendedAttribute(name: "security.capability", value: [1, 0xAB])
        var ping = file("bin/ping me", "x", group: 3)
        ping.metadata.mode = 0o4755
        ping.metadata.xattrs = [capability]
        var other = ping
        other.path = "bin/also"
        let console = FileNode(
            path: "dev/console", kind: .characterDevice(major: 5, minor: 1), metadata: Metadata(mode: 0o600))
        let text = String(
            decoding: try Listing.bytes(of: FileTree([ping, other, console, link("sh", "bin/da\\sh")])), as: UTF8.self)
        let digest = Digest(hashing: "x").hex
        #expect(
            text == """
                #mtree
                . type=dir mode=0755 uid=0 gid=0 time=0.000000000
                ./bin type=dir mode=0755 uid=0 gid=0 time=0.000000000
                ./bin/also type=file mode=04755 uid=0 gid=0 size=1 time=0.000000000 nlink=2 inode=1 sha256digest=\(digest)
                #xattr security.capability=01ab
                ./bin/ping\\040me type=file mode=04755 uid=0 gid=0 size=1 time=0.000000000 nlink=2 inode=1 sha256digest=\(digest)
                #xattr security.capability=01ab
                ./dev type=dir mode=0755 uid=0 gid=0 time=0.000000000
                ./dev/console type=char mode=0600 uid=0 gid=0 time=0.000000000 device=linux,5,1
                ./sh type=link mode=0777 uid=0 gid=0 time=0.000000000 link=bin/da\\134sh

                """)
    }

    @Test func mistakesNameTheLine() {
        #expect(throws: Failure("x:2: unknown keyword colour", notes: ["./a type=file colour=red"])) {
            try Listing.parse(Array("#mtree\n./a type=file colour=red\n".utf8), name: "x")
        }
        #expect(throws: Failure("x is no listing: it does not start with #mtree")) {
            try Listing.parse(Array("ELF".utf8), name: "x")
        }
    }

    @Test(arguments: 1...200) func garbageIsRefusedWithoutACrash(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bytes = try Listing.bytes(of: Self.tree(seed: seed % 5 + 1))
        for _ in 0..<5 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
        _ = try? Listing.parse(bytes, name: "garbage")
    }
}

@Suite struct FailureTests {
    @Test func aFailureShowsLineCaretAndHint() {
        let source = SourceText(name: "a.manifest", text: "recipe: 1\nnmae: x\n")
        let failure = Failure(
            "unknown key nmae", at: source.location(line: 2, column: 1, length: 4), hint: "did you mean name?")
        #expect(
            failure.description == """
                a.manifest:2:1: error: unknown key nmae
                 2 | nmae: x
                   | ^^^^
                hint: did you mean name?
                """)
    }

    @Test func theNearestNameIsWithinAThirdOfTheLetters() {
        #expect(nearestName(to: "nmae", among: ["from", "name"]) == "name")
        #expect(nearestName(to: "chromum", among: ["chrome", "chromium", "xvfb"]) == "chromium")
        #expect(nearestName(to: "zzzz", among: ["name", "from"]) == nil)
    }
}

@Suite struct DataRunTests {
    /// Runs found a block at a time, by the definition.
    private func expected(_ bytes: [UInt8]) -> [DataRun] {
        var runs = [DataRun]()
        for (number, start) in stride(from: 0, to: bytes.count, by: 4096).enumerated() {
            if bytes[start..<min(start + 4096, bytes.count)].allSatisfy({ $0 == 0 }) { continue }
            if let last = runs.last, last.start + last.count == UInt32(number) {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(DataRun(start: UInt32(number), count: 1))
            }
        }
        return runs
    }

    @Test(arguments: 1...100) func runsDoNotDependOnThePieces(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bytes = [UInt8](repeating: 0, count: Int.random(in: 0...60_000, using: &random))
        for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
            bytes[Int.random(in: bytes.indices, using: &random)] = 1
        }
        var finder = DataRunFinder()
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 1...9000, using: &random))
            let piece = bytes[start..<end]
            if piece.allSatisfy({ $0 == 0 }) && Bool.random(using: &random) {
                finder.skip(zeros: UInt64(piece.count))
            } else {
                piece.withUnsafeBytes { finder.update($0) }
            }
            start = end
        }
        #expect(finder.finish() == expected(bytes))
    }

    @Test func theChecksumIsTheLibrarysOwn() {
        // XXH3_128bits of no bytes at all, as its specification gives it.
        let empty = Checksum(of: UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(empty == Checksum(high: 0x99aa_06d3_0147_98d8, low: 0x6001_c324_468d_497f))
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
        let hasher = ChecksumHasher()
        bytes[..<17].withUnsafeBytes { hasher.update($0) }
        bytes[17...].withUnsafeBytes { hasher.update($0) }
        #expect(bytes.withUnsafeBytes { Checksum(of: $0) } == hasher.finalized())
    }
}

@Suite struct TreeSnapshotTests {
    private static let root = "/store"

    /// A tree of every kind, with content in every sort of place.
    private func tree(seed: UInt64) throws -> FileTree {
        var random = SeededGenerator(seed: seed)
        var tree = try ListingTests.tree(seed: seed)
        tree.updateEach { node in
            guard case .file(var blob, let group) = node.kind, group == 0 else { return }
            switch Int.random(in: 0..<6, using: &random) {
            case 0: blob = Blob((0..<Int.random(in: 0...300, using: &random)).map { UInt8(truncatingIfNeeded: $0) })
            case 1:
                blob.source = .file(
                    directory: "/store/payloads/\(Int.random(in: 0...2, using: &random))", path: node.path)
            case 2: blob.source = .file(directory: "/elsewhere", path: "a/b")
            case 3: blob.source = .file(directory: "/storehouse", path: node.path)
            case 4:
                let extents = (0..<3).map { ContentExtent(offset: $0 << 40, source: $0 << 50, length: 1 << 30) }
                blob.source = .extents(file: "/store/image", extents)
            default: blob.digest = nil
            }
            let checksum = Checksum(high: .random(in: 0 ... .max, using: &random), low: 1)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: blob.traits = ContentTraits(checksum: checksum, dataRuns: nil)
            case 1: blob.traits = ContentTraits(checksum: checksum, dataRuns: [DataRun(start: 3, count: .max)])
            default: break
            }
            node.kind = .file(blob, linkGroup: group)
        }
        return tree
    }

    @Test(arguments: 1...100) func whatIsWrittenIsRead(seed: UInt64) throws {
        let tree = try tree(seed: seed)
        let bytes = TreeSnapshot.bytes(of: tree, below: Self.root)
        #expect(try TreeSnapshot.parse(bytes, below: Self.root, name: "snapshot").tree == tree)
        // Another place of the store moves what is below it, and nothing else.
        let (moved, directories) = try TreeSnapshot.parse(bytes, below: "/moved", name: "snapshot")
        for (old, new) in zip(tree.nodes, moved.nodes) {
            guard case .file(let before, _)? = old.blob?.source, case .file(let after, _)? = new.blob?.source else {
                continue
            }
            let expected = before.hasPrefix("/store/") ? "/moved" + before.dropFirst("/store".count) : before
            #expect(after == expected && directories.contains(after))
        }
    }

    @Test(arguments: 1...100) func garbageIsRefusedWithoutACrash(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let whole = TreeSnapshot.bytes(of: try tree(seed: seed % 5 + 1), below: Self.root)
        var bytes = whole
        for _ in 0..<5 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
        _ = try? TreeSnapshot.parse(bytes, below: Self.root, name: "garbage")
        let short = Array(whole.prefix(Int.random(in: 0..<whole.count, using: &random)))
        #expect(throws: Failure("short is no tree that this program wrote")) {
            try TreeSnapshot.parse(short, below: Self.root, name: "short")
        }
    }
}
