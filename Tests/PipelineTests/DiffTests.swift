import Comparing
import Ext4
import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

/// A folder with sides of a comparison in it, gone with the value.
private final class Sides {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/diff-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("make a directory in", "/tmp") }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit { try? removeTree(at: path) }

    static func file(_ path: String, _ text: String, mode: UInt16 = 0o644) -> FileNode {
        FileNode(
            path: TreePath(normalizing: path) ?? .root, kind: .file(Blob(Array(text.utf8)), linkGroup: 0),
            metadata: Metadata(mode: mode, mtime: Timestamp(seconds: 1_700_000_000)))
    }

    static let nodes = [
        file("etc/motd", "hello\n"), file("usr/bin/a", String(repeating: "program a ", count: 2000), mode: 0o755),
        file("usr/bin/b", String(repeating: "program b ", count: 2000), mode: 0o755),
        file("srv/unlikely-name-in-a-folder", "content\n"),
        FileNode(
            path: "usr/bin/c", kind: .symbolicLink(Array("a".utf8)),
            metadata: Metadata(mode: 0o777, mtime: Timestamp(seconds: 1_700_000_000))),
    ]

    func image(_ name: String, _ nodes: [FileNode] = Sides.nodes) throws -> FilePath {
        let options = Ext4Options(
            label: "test", identity: .derived(from: Digest(hashing: name)), moment: 1_700_000_000, size: .free(bytes: 0)
        )
        let path = self.path.appending(name)
        _ = try Ext4Writer.write(tree: FileTree(nodes), to: path, options: options, jobs: 1)
        return path
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> FilePath {
        let path = self.path.appending(name)
        try writeFile(bytes, to: path)
        return path
    }

    func compare(_ old: FilePath, _ new: FilePath, isParanoid: Bool = false) throws -> Comparison {
        try compareImages(
            ComparisonRequest(
                old: (old, old.lastComponent?.string ?? ""), new: (new, new.lastComponent?.string ?? ""),
                isParanoid: isParanoid, temporary: path, jobs: 2, architecture: "amd64"))
    }
}

/// Sides of all kinds, and what is none.
@Suite struct DiffSideTests {
    private func changes(_ comparison: Comparison) -> [String] {
        comparison.paths.map { "\($0.change.rawValue) \($0.path) \($0.fields.map(\.name).joined(separator: " "))" }
    }

    @Test func imagesWithoutListingsAreComparedByTheirBytes() throws {
        let sides = try Sides()
        var nodes = Sides.nodes
        // One byte near the end, the size as it was.
        nodes[2] = Sides.file("usr/bin/b", String(repeating: "program b ", count: 1999) + "program B ", mode: 0o755)
        let (old, new) = (try sides.image("old.ext4"), try sides.image("new.ext4", nodes))
        #expect(try changes(sides.compare(old, new)) == ["changed /usr/bin/b content"])
        #expect(try sides.compare(old, sides.image("same.ext4")).isIdentical)
    }

    @Test func aListingAnImageATarballAndAFolderOfOneTreeAreTheSame() throws {
        let sides = try Sides()
        let tree = try FileTree(Sides.nodes)
        let image = try sides.image("a.ext4")
        let listing = try sides.write("a.listing", Listing.bytes(of: tree))
        let folder = sides.path.appending("folder")
        _ = try writeTree(tree.nodes, at: .root, to: folder)
        let scanned = try scanDirectory(folder, digesting: true)
        let scannedImage = try sides.image("b.ext4", scanned.nodes)
        #expect(try sides.compare(image, listing).isIdentical)
        #expect(try sides.compare(listing, image).isIdentical)
        #expect(try sides.compare(folder, scannedImage).isIdentical)
        let tar = sides.path.appending("a.tar")
        guard run(["tar", "--format=pax", "--numeric-owner", "-C", folder.string, "-cf", tar.string, "."]) == 0 else {
            return print("tar is missing: not asked")
        }
        #expect(try changes(sides.compare(folder, tar)) == [])
        guard run(["zstd", "-q", scannedImage.string]) == 0, run(["zstd", "-q", tar.string]) == 0 else {
            return print("zstd is missing: not asked")
        }
        #expect(try sides.compare(FilePath(scannedImage.string + ".zst"), folder).isIdentical)
        #expect(try sides.compare(FilePath(tar.string + ".zst"), scannedImage).isIdentical)
        // What was decompressed is gone.
        #expect(try directoryNames(at: sides.path).allSatisfy { $0.first != UInt8(ascii: ".") })
    }

    private func run(_ words: [String]) -> Int32 {
        var process: pid_t = 0
        let argv = words.map { strdup($0) }
        defer { for pointer in argv { free(pointer) } }
        guard posix_spawnp(&process, words[0], nil, nil, argv + [nil], environ) == 0 else { return -1 }
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status
    }

    @Test func whatCannotBeComparedIsNamed() throws {
        let sides = try Sides()
        let image = try sides.image("good.ext4")
        let bytes = try readFile(at: image)
        var squashfs = [UInt8](repeating: 0, count: 4096)
        squashfs.replaceSubrange(0..<4, with: Array("hsqs".utf8))
        var encrypted = squashfs
        encrypted.replaceSubrange(0..<6, with: Array("LUKS".utf8) + [0xBA, 0xBE])
        var xfs = squashfs
        xfs.replaceSubrange(0..<4, with: Array("XFSB".utf8))
        // As mkfs.vfat writes it: a boot sector's signature too, which partition tables have.
        var fat = [UInt8](repeating: 0, count: 4096)
        fat.replaceSubrange(54..<62, with: Array("FAT16   ".utf8))
        fat.replaceSubrange(510..<512, with: [0x55, 0xAA])
        // A superblock that promises more than there is room for, and one of blocks of no size.
        var greedy = bytes
        greedy.replaceSubrange(0x404..<0x408, with: [0xFF, 0xFF, 0xFF, 0x7F])
        var odd = bytes
        odd[0x418] = 0xFF
        let bad: [(String, [UInt8], String)] = [
            ("xfs", xfs, "it is an XFS file system"), ("vfat", fat, "it is a FAT file system"),
            ("greedy.ext4", greedy, "it is cut off"), ("odd.ext4", odd, "its superblock is damaged"),
            ("head.ext4", Array(bytes.prefix(1500)), "cannot read the image"),
            ("empty", [], "is neither an image nor a tree: it is empty"),
            ("noise", [UInt8](repeating: 7, count: 5000), "it is no file system that this program knows"),
            ("squashfs", squashfs, "it is a squashfs file system"), ("luks", encrypted, "it is encrypted (LUKS)"),
            ("cut.ext4", Array(bytes.prefix(bytes.count / 2)), "it is cut off"),
            ("bad.listing", Array("#mtree\n./a type=file\n".utf8), "bad.listing:2: a file without sha256digest"),
            ("bad.lock", Array("Lock-Version: x\n".utf8), "bad.lock"),
            ("bad.zst", [0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3], "cannot decompress"),
            ("bad.tar.gz", [0x1F, 0x8B, 8, 0, 1, 2], "cannot"),
        ]
        for (name, content, message) in bad {
            let path = try sides.write(name, content)
            for pair in [(image, path), (path, image)] {
                let error = #expect(throws: (any Error).self, "\(name)") { try sides.compare(pair.0, pair.1) }
                #expect("\(error.map { "\($0)" } ?? "")".contains(message), "\(name): \(String(describing: error))")
            }
        }
        #expect(throws: Failure.self) { try sides.compare(image, sides.path.appending("nowhere")) }
    }

    /// Contents that are no text to be shown, and names that are none: told by their paths.
    @Test func hugeAndBinaryAndUnreadableTextsAreToldWithoutBeingShown() throws {
        let sides = try Sides()
        func nodes(_ version: UInt8) throws -> [FileNode] {
            func node(_ path: [UInt8], _ bytes: [UInt8]) throws -> FileNode {
                FileNode(
                    path: try #require(TreePath(normalizing: path)), kind: .file(Blob(bytes), linkGroup: 0),
                    metadata: Metadata(mode: 0o644, mtime: Timestamp(seconds: 1_700_000_000)))
            }
            let huge = [UInt8](repeating: UInt8(ascii: "x"), count: 9 << 20) + [version, 10]
            let binary: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 0, 0xFF, 0xFE, version]
            return try Sides.nodes + [
                node(Array("etc/huge.conf".utf8), huge), node(Array("etc/binary.conf".utf8), binary),
                node(Array("etc/one-line.conf".utf8), [UInt8](repeating: version, count: 1 << 20)),
                node(Array("etc/".utf8) + [0xFF, 0xC3, 0x28] + Array(".conf".utf8), [version, 10]),
                node(Array("etc/line\nbreak.conf".utf8), [version, 10]),
            ]
        }
        let (old, new) = (
            try sides.image("old.ext4", nodes(UInt8(ascii: "1"))), try sides.image("new.ext4", nodes(UInt8(ascii: "2")))
        )
        let result = try sides.compare(old, new)
        #expect(
            result.paths.map(\.path) == [
                "/etc/binary.conf", "/etc/huge.conf", "/etc/line\\012break.conf", "/etc/one-line.conf",
                "/etc/\\377\\303(.conf",
            ])
        for text in [result.text(.patch), result.text(.normal), result.markdown()] {
            #expect(text.utf8.count < 60_000)
            #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == 10 })
        }
        for path in [old, new] {
            let summary = try summarizeImage(
                path, name: "image", temporary: sides.path, architecture: "amd64", warn: { _ in })
            #expect(summary.files == 9)
        }
    }

    @Test func aDamagedFolderIsNamedAndTheRestCompared() throws {
        let sides = try Sides()
        let old = try sides.image("old.ext4")
        var bytes = try readFile(at: old)
        let name = Array("unlikely-name-in-a-folder".utf8)
        let place = try #require(bytes.indices.first { bytes[$0] == name[0] && bytes[$0...].starts(with: name) })
        bytes[place] ^= 0x20
        let new = try sides.write("new.ext4", bytes)
        let result = try sides.compare(old, new)
        #expect(result.damaged.map(\.path) == ["/srv"])
        #expect(result.damaged.map(\.side) == ["new"])
        #expect(result.paths.isEmpty)
        #expect(!result.isIdentical)
        var more = Sides.nodes
        more[0] = Sides.file("etc/motd", "other\n")
        #expect(try changes(sides.compare(new, sides.image("more.ext4", more))) == ["changed /etc/motd content"])
    }

    /// Whatever bits of the metadata are otherwise, a comparison ends, with a failure or with a report.
    @Test(arguments: 0..<60) func flippedBitsEndInAFailureOrAReport(seed: UInt64) throws {
        let sides = try Sides()
        let old = try sides.image("old.ext4")
        var random = SeededGenerator(seed: seed)
        var bytes = try readFile(at: old)
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            bytes[Int.random(in: 1024..<min(bytes.count, 200_000), using: &random)] ^=
                1 << UInt8.random(in: 0..<8, using: &random)
        }
        let new = try sides.write("new.ext4", bytes)
        do {
            let result = try sides.compare(old, new)
            #expect(result.counts.causes.reduce(0) { $0 + $1.paths } == result.counts.paths, "seed \(seed)")
            _ = (result.text(.patch), result.markdown())
        } catch is Failure {}
    }

    /// The set of changed paths is diff(1)'s.
    @Test(arguments: 0..<8) func changedPathsAreThoseOfDiff(seed: UInt64) throws {
        let sides = try Sides()
        var random = SeededGenerator(seed: seed)
        func tree() throws -> FileTree {
            var nodes = [FileNode]()
            for folder in ["a", "b", "b c", "d/e"] {
                for name in ["1", "2", "3"] where Bool.random(using: &random) {
                    let path = try #require(TreePath(normalizing: "\(folder)/\(name)"))
                    let text = ["x\n", "y\n", "xx\n", ""][Int.random(in: 0..<4, using: &random)]
                    let isLink = Int.random(in: 0..<4, using: &random) == 0
                    nodes.append(
                        FileNode(
                            path: path,
                            kind: isLink
                                ? .symbolicLink(Array("to-\(text.count)".utf8))
                                : .file(Blob(Array(text.utf8)), linkGroup: 0), metadata: Metadata(mode: 0o644)))
                }
            }
            return try FileTree(nodes)
        }
        let (old, new) = (try tree(), try tree())
        for (name, tree) in [("old", old), ("new", new)] {
            _ = try writeTree(tree.nodes, at: .root, to: sides.path.appending(name))
        }
        let result = try sides.compare(
            sides.image("old.ext4", old.nodes), sides.image("new.ext4", new.nodes))
        // diff names a folder that only one has, and not what is in it.
        let ours = Set(result.paths.filter { !$0.isMetadataOnly }.map(\.path))
        let top = ours.filter { path in
            !result.paths.contains {
                $0.type == "directory" && $0.change != .changed && path.hasPrefix($0.path + "/")
            }
        }
        let output = sides.path.appending("output")
        let status = run([
            "sh", "-c", "cd '\(sides.path)' && LC_ALL=C diff -rq --no-dereference old new > '\(output)'",
        ])
        guard status != -1, status >> 8 < 2 else { return print("diff is missing: not asked") }
        var theirs = Set<String>()
        for line in String(decoding: try readFile(at: output), as: UTF8.self).split(separator: "\n") {
            if let match = line.wholeMatch(of: #/Only in (?:old|new)(.*): (.*)/#) {
                theirs.insert("\(match.1)/\(match.2)")
            } else if let match = line.wholeMatch(of: #/(?:Files|Symbolic links) old(.*) and new.* differ/#) {
                theirs.insert(String(match.1))
            } else if let match = line.wholeMatch(of: #/File old(.*) is a .* while file new.* is a .*/#) {
                theirs.insert(String(match.1))
            } else {
                Issue.record("diff says \(line)")
            }
        }
        #expect(top == theirs, "seed \(seed)")
    }
}
