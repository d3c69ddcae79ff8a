import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Dpkg

@Suite struct PayloadTests {
    /// Unpacks a crafted package and gives its payload.
    private func unpack(_ deb: CraftedDeb, in scratch: Scratch, label: String = "sample") throws -> Payload {
        try unpack(deb.bytes, in: scratch, label: label)
    }

    private func unpack(_ bytes: [UInt8], in scratch: Scratch, label: String = "sample") throws -> Payload {
        let path = try scratch.write(bytes, as: "\(label).deb")
        return try Payload.take(
            DebSource(path: path, digest: Digest(hashing: bytes), label: label), store: scratch.store)
    }

    /// The failure's message of a package whose data archive the body fills.
    private func refusal(of body: (inout TarText) -> Void) throws -> String {
        var deb = CraftedDeb()
        body(&deb.data)
        return try refusal(of: deb.bytes)
    }

    private func refusal(of bytes: [UInt8]) throws -> String {
        let scratch = try Scratch()
        defer { scratch.remove() }
        defer { #expect((try? directoryNames(at: scratch.store.root.appending("payloads"))) == []) }
        do {
            _ = try unpack(bytes, in: scratch)
            return "it was unpacked"
        } catch let failure as Failure {
            return failure.message
        }
    }

    @Test func `the tree has the tar's kinds, owners, modes, times, links and digests`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var deb = CraftedDeb()
        let long = String(repeating: "long-", count: 40)
        deb.data.directory("./usr/", mode: 0o2775, uid: 0, gid: 50)
        deb.data.add("./usr/file", content: Array("hello".utf8), mode: 0o4755, uid: 65534, gid: 42)
        deb.data.add("./usr/hard", type: "1", link: "./usr/file", mode: 0o4755, uid: 65534, gid: 42)
        deb.data.add("./usr/soft", type: "2", link: "../etc/\(long)", mode: 0o777)
        deb.data.add("./usr/\(long)", content: [], mode: 0o600)
        deb.data.add(Array("./usr/".utf8) + [0xFF, 0xC3], content: [0, 255], mode: 0o644)
        let payload = try unpack(deb, in: scratch)

        let file = Metadata(mode: 0o4755, uid: 65534, gid: 42, mtime: Timestamp(seconds: 1_600_000_000))
        let tree = try payload.tree()
        #expect(tree.nodes.count == 7)
        #expect(tree["usr"]?.metadata == Metadata(mode: 0o2775, gid: 50, mtime: Timestamp(seconds: 1_600_000_000)))
        #expect(tree["usr/file"]?.metadata == file)
        #expect(tree["usr/file"]?.blob?.digest == Digest(hashing: "hello"))
        #expect(tree["usr/hard"]?.linkGroup == tree["usr/file"]?.linkGroup)
        #expect(tree["usr/file"]?.linkGroup != 0)
        #expect(tree["usr/soft"]?.linkTarget == Array("../etc/\(long)".utf8))
        #expect(tree[try #require(TreePath(normalizing: Array("usr/".utf8) + [0xFF, 0xC3]))]?.blob?.size == 2)

        // What the listing says is what is on the disk.
        let scanned = try scanDirectory(payload.treeDirectory, digesting: true)
        var known = tree
        known.updateEach { node in
            if case .file(var blob, let group) = node.kind {
                blob.traits = nil
                node.kind = .file(blob, linkGroup: group)
            }
        }
        #expect(scanned.nodes.dropFirst() == known.nodes.dropFirst())
        #expect(
            try payload.list() == Array("/.\n/usr\n/usr/file\n/usr/hard\n/usr/soft\n/usr/\(long)\n/usr/".utf8) + [
                0xFF, 0xC3, 10,
            ])
        #expect(try payload.oddities() == [])
        #expect(try payload.control().map(\.name) == ["control"])
        #expect(try payload.control().first?.bytes == Array(deb.control.utf8))
    }

    @Test(arguments: ["gzip -n", "xz", "zstd -q", "bzip2", "xz --format=lzma"])
    func `every compression of dpkg is read`(_ program: String) throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var deb = CraftedDeb()
        deb.data.add("./file", content: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let suffix =
            ["gzip": "gz", "xz": "xz", "zstd": "zst", "bzip2": "bz2"][
                program.split(separator: " ").first.map(String.init) ?? ""] ?? ""
        let name = program.contains("lzma") ? "lzma" : suffix
        let plain = try scratch.write(deb.data.finished, as: "data.tar")
        #expect(try shell("\(program) -c '\(plain)' > '\(plain).out'").status == 0)
        deb.outer = [
            ("debian-binary", Array("2.0\n".utf8)), ("control.tar", deb.controlTar),
            ("data.tar.\(name)", try readFile(at: FilePath("\(plain).out"))),
        ]
        let payload = try unpack(deb, in: scratch)
        #expect(try payload.tree()["file"]?.blob?.size == 300_000)
    }

    @Test func `MD5 sums are made where a package brings none`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var deb = CraftedDeb()
        deb.data.add("./a", content: Array("hello".utf8))
        deb.data.add("./b", type: "1", link: "./a")
        let sums = "5d41402abc4b2a76b9719d911017c592  a\n5d41402abc4b2a76b9719d911017c592  b\n"
        #expect(try unpack(deb, in: scratch).computedChecksums() == Array(sums.utf8))
        deb.scripts = [("md5sums", "")]
        #expect(try unpack(deb, in: scratch, label: "other").computedChecksums() == nil)
    }

    @Test func `members that lead out of the package are refused by name`() throws {
        #expect(
            try refusal { $0.add("../evil") } == "cannot unpack sample: member ../evil: its name has a `..` component")
        #expect(
            try refusal { $0.add("./a/../../evil") }
                == "cannot unpack sample: member ./a/../../evil: its name has a `..` component")
        #expect(
            try refusal { $0.add("/etc/passwd") } == "cannot unpack sample: member /etc/passwd: its name is absolute")
        #expect(
            try refusal {
                $0.add("./a", type: "2", link: "/tmp")
                $0.add("./a/evil")
            } == "cannot unpack sample: member ./a/evil: it lies behind /a, a symbolic link of the same package")
        #expect(
            try refusal { $0.add("./a", type: "1", link: "../../etc/passwd") }
                == "cannot unpack sample: member ./a: it is a hard link to ../../etc/passwd, which is outside of the package"
        )
        #expect(
            try refusal { $0.add("./a", type: "1", link: "/etc/passwd") }
                == "cannot unpack sample: member ./a: it is a hard link to /etc/passwd, which is outside of the package"
        )
        #expect(
            try refusal {
                $0.add("./l", type: "2", link: "/etc/passwd")
                $0.add("./a", type: "1", link: "./l")
            } == "cannot unpack sample: member ./a: it is a hard link to ./l, which is no file that came before it")
        #expect(
            try refusal {
                $0.add("./a", content: [1])
                $0.add("./a/b")
            } == "cannot unpack sample: member ./a/b: it lies below /a, which is no directory")
    }

    @Test func `members that cannot be meant are refused by name`() throws {
        #expect(
            try refusal {
                $0.add("./a", content: [1])
                $0.add("./a", content: [2])
            } == "cannot unpack sample: member ./a: it comes twice")
        #expect(
            try refusal {
                $0.add("./a", type: "2", link: "x")
                $0.directory("./a/")
            } == "cannot unpack sample: member ./a/: it comes twice")
        for (type, name) in [("3", "null"), ("4", "disk"), ("6", "pipe")] as [(Character, String)] {
            #expect(
                try refusal { $0.add("./\(name)", type: type) }
                    == "cannot unpack sample: member ./\(name): it is a device or named pipe, which a package must not hold (Debian Policy 10.6)"
            )
        }
        #expect(try refusal { $0.add("./a\nb") } == "cannot unpack sample: member ./a\nb: its name has a line feed")
    }

    @Test func `a bomb is stopped before it is written`() throws {
        #expect(
            try refusal { $0.add("./a", content: [1], claimedSize: 0o7_777_777_7777) }
                == "cannot unpack sample: at member ./a it is larger than 256 MiB")
        var deb = CraftedDeb("sample", fields: "Installed-Size: 18446744073709551615")
        deb.data.add("./a", content: [1], claimedSize: 0o7_777_777_7777)
        #expect(try refusal(of: deb.bytes).hasPrefix("cannot read data.tar of sample: Truncated tar archive"))
    }

    @Test func `every cut of a package is noticed`() throws {
        var deb = CraftedDeb()
        deb.data.add("./a", content: [UInt8](repeating: 7, count: 3000))
        let bytes = deb.bytes
        for count in stride(from: 0, to: bytes.count - 1, by: 97) {
            #expect(try refusal(of: Array(bytes[..<count])) != "it was unpacked", "cut at \(count) of \(bytes.count)")
        }
    }

    @Test func `garbage never crashes`() throws {
        var deb = CraftedDeb()
        deb.data.directory("./usr/")
        deb.data.add("./usr/a", content: [UInt8](repeating: 7, count: 700))
        deb.data.add("./usr/b", type: "1", link: "./usr/a")
        let bytes = deb.bytes
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        defer { scratch.remove() }
        for _ in 0..<300 {
            var broken = bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            do {
                _ = try unpack(broken, in: scratch, label: "garbage")
            } catch {
                #expect(error is Failure, "seed \(seed)")
            }
        }
    }

    @Test func `what is no package is said to be none`() throws {
        func outer(_ members: [(String, String)]) throws -> String {
            var deb = CraftedDeb()
            deb.outer = members.map { ($0.0, Array($0.1.utf8)) }
            return try refusal(of: deb.bytes)
        }
        let control = String(decoding: CraftedDeb().controlTar, as: UTF8.self)
        #expect(
            try outer([("hello", "x")]) == "sample is no Debian package: its first member is hello, not debian-binary")
        #expect(
            try outer([("debian-binary", "3.0\n")]) == "cannot read sample: its format is `3.0`, and only 2.x is known")
        #expect(try outer([("debian-binary", "2.0\n")]) == "cannot read sample: it has no control.tar")
        #expect(
            try outer([("debian-binary", "2.0\n"), ("control.tar", control)])
                == "cannot read sample: it has no data.tar")
        #expect(
            try outer([("debian-binary", "2.0\n"), ("control.tar", control), ("data.tar.br", "")])
                == "cannot read sample: its member data.tar.br has a compression that dpkg does not know")
        #expect(
            try outer([("debian-binary", "2.0\n"), ("surprise", "")])
                == "cannot read sample: its member surprise stands where control.tar belongs")
        var deb = CraftedDeb()
        deb.scripts = [("sub/postinst", "")]
        #expect(
            try refusal(of: deb.bytes) == "sample: control member ./sub/postinst is not in the archive's top directory")
    }

    @Test func `a package is unpacked once, and comes from the store a second time`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var deb = CraftedDeb("p")
        deb.data.add("./f", content: [UInt8](repeating: 7, count: 1000))
        let path = try scratch.write(deb, as: "p.deb")
        let source = DebSource(path: path, digest: Digest(hashing: deb.bytes), label: "p 1.0")
        let payload = try Payload.take(source, store: scratch.store)
        unlink(path.string)
        #expect(try Payload.take(source, store: scratch.store) == payload)
        #expect(try payload.isIntact())
    }

    @Test func `a payload that is damaged beside its tree is unpacked again`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var deb = CraftedDeb()
        deb.data.add("./f", content: [UInt8](repeating: 7, count: 1000))
        let source = DebSource(
            path: try scratch.write(deb, as: "p.deb"), digest: Digest(hashing: deb.bytes), label: "p")
        let payload = try Payload.take(source, store: scratch.store)
        let tree = try payload.tree()
        #expect(try payload.isIntact() && payload.contentSize() == 1000)
        for name in ["listing", "traits", "list", "oddities", "size", "digest", "control/control"] {
            let path = payload.directory.appending(name)
            let whole = try readFile(at: path)
            for damaged in [Array(whole.dropLast()), whole + [10], nil] where damaged != whole {
                if let damaged { try writeFile(damaged, to: path) } else { unlink(path.string) }
                #expect(try !payload.isIntact())
                _ = try Payload.take(source, store: scratch.store)
                #expect(try readFile(at: path) == whole)
            }
        }
        let file = payload.directory.appending("tree/f")
        for damaged in [[UInt8](repeating: 6, count: 1000), []] {
            try writeFile(damaged, to: file)
            #expect(try !payload.isIntact())
        }
        #expect(try payload.tree() == tree)
    }

    @Test func `a package file that is not what was fetched is not unpacked`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let deb = CraftedDeb()
        let path = try scratch.write(deb.bytes + [0], as: "p.deb")
        let (expected, actual) = (Digest(hashing: deb.bytes), Digest(hashing: deb.bytes + [0]))
        let source = DebSource(path: path, digest: expected, label: "p 1.0")
        #expect(
            throws: Failure(
                "cannot unpack p 1.0: \(path) is not the package that was fetched",
                notes: ["it should have the digest \(expected)", "it has \(actual)"],
                hint: "remove this file, and it is fetched again")
        ) { try Payload.take(source, store: scratch.store) }
    }

    @Test func `what is no package is named`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let bytes = Array("!<arch>\n".utf8)
        let source = DebSource(
            path: try scratch.write(bytes, as: "x.deb"), digest: Digest(hashing: bytes), label: "broken 1.0")
        #expect(throws: Failure("broken 1.0 is no Debian package: it is an empty archive")) {
            _ = try Payload.take(source, store: scratch.store)
        }
        let absent = DebSource(path: "/nonexistent.deb", digest: Digest(hashing: "x"), label: "gone 1.0")
        #expect(throws: Failure.self) { try Payload.take(absent, store: scratch.store) }
    }
}
