import Debian
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Dpkg

/// The same crafted packages through our unpacking and through the host's dpkg, compared file by file.
@Suite(.enabled(if: exists("/usr/bin/dpkg"), "the host has no dpkg")) struct DatabaseOracleTests {
    private let moment = Timestamp(seconds: 1_700_000_000)

    /// Lays packages with our code on a root, by copying what would be the lower and upper directory over it.
    private func unpackHere(_ debs: [(FilePath, CraftedDeb)], onto root: FilePath, _ scratch: Scratch) throws
        -> Placement
    {
        let packages = try debs.map { path, deb in
            let source = DebSource(
                path: path, digest: Digest(hashing: deb.bytes), label: path.lastComponent?.stem ?? "")
            return try LayerPackage(payload: try Payload.take(source, store: scratch.store), deb: path)
        }
        let request = LayerRequest(
            moment: moment, architecture: "amd64", isBase: false, below: try scanDirectory(root, digesting: false),
            lower: [], packages: packages, configureBatches: [], hostname: "localhost")
        let placement = try request.placement()
        let work = scratch.path.appending("work")
        try makeDirectory(at: work.appending("upper"))
        let after = try request.below.applying(placement.change)
        try placement.makeLowerDirectory(of: packages, at: work.appending("lower"))
        let builder = LayerBuilder(
            request: request, directory: work, placement: placement, output: { _ in }, progress: { _ in },
            onFailure: { _ in })
        try builder.writeDatabase(below: after)
        #expect(try shell("cd '\(work)' && cp -a lower/. upper/. '\(root)'").output == "")
        return placement
    }

    /// Everything below a root that dpkg's run leaves no time of its own in.
    private func comparable(_ root: FilePath) throws -> [String] {
        try scanDirectory(root, digesting: true).nodes.compactMap { node in
            let history: [TreePath] = ["var/lib/dpkg/status-old", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend"]
            if history.contains(node.path) { return nil }
            var kind = "\(node.kind)"
            if case .file(let blob, let group) = node.kind { kind = "\(blob.digest.map(\.hex) ?? "") \(group != 0)" }
            let time = node.isDirectory || moment < node.metadata.mtime ? moment : node.metadata.mtime
            return
                "\(node.path) \(kind) \(node.metadata.mode) \(node.metadata.uid):\(node.metadata.gid) \(time.seconds)"
        }
    }

    private func compare(first: [CraftedDeb], then: [CraftedDeb]) throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        func write(_ debs: [CraftedDeb], _ stem: String) throws -> [(FilePath, CraftedDeb)] {
            try debs.enumerated().map { (try scratch.write($1, as: "\(stem)\($0).deb"), $1) }
        }
        let early = try write(first, "first")
        let late = try write(then, "then")
        let ours = scratch.path.appending("ours")
        let theirs = scratch.path.appending("theirs")
        for root in [ours, theirs] {
            for directory in ["usr/bin", "etc", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
                try makeDirectory(at: root.appending(directory))
            }
            #expect(
                try shell(
                    "cd '\(root)'; ln -s usr/bin bin; touch var/lib/dpkg/status; echo 1 > var/lib/dpkg/info/format"
                ).output == "")
            for (deb, _) in early {
                let run = try shell("dpkg --root='\(root)' --force-depends --install '\(deb)'")
                #expect(run.status == 0, "\(run.output)")
            }
        }
        let placement = try unpackHere(late, onto: ours, scratch)
        #expect(placement.guarded == [])
        let list = late.map { "'\($0.0)'" }.joined(separator: " ")
        let unpacked = try shell("dpkg --root='\(theirs)' --force-depends --no-triggers --unpack \(list)")
        #expect(unpacked.status == 0, "\(unpacked.output)")
        // dpkg writes its database in its own order on the first occasion: give it one in both.
        for root in [ours, theirs] {
            let run = try shell("dpkg --root='\(root)' --force-depends --configure -a")
            #expect(run.status == 0, "\(run.output)")
        }
        let left = try comparable(ours)
        let right = try comparable(theirs)
        for line in left where !right.contains(line) { Issue.record("only ours: \(line)") }
        for line in right where !left.contains(line) { Issue.record("only dpkg's: \(line)") }
        #expect(try shell("dpkg --root='\(ours)' --audit; dpkg --root='\(ours)' --verify").output == "")
    }

    @Test func `files, links, conffiles and their hard links are as dpkg leaves them`() throws {
        var deb = CraftedDeb("sample", fields: "Multi-Arch: foreign\nSection: misc  ")
        deb.scripts = [("conffiles", "/etc/sample/a.conf\n/etc/sample/b.conf\n"), ("shlibs", "libx 1 sample\n")]
        let long = String(repeating: "long-", count: 40)
        for directory in ["etc", "etc/sample", "bin", "usr", "usr/share", "usr/share/sample", "srv"] {
            deb.data.directory("./\(directory)/")
        }
        deb.data.add("./etc/sample/a.conf", content: Array("one\n".utf8), mode: 0o640, gid: 42)
        deb.data.add("./etc/sample/b.conf", type: "1", link: "./etc/sample/a.conf", mode: 0o640, gid: 42)
        deb.data.add("./etc/sample/plain", content: Array("two\n".utf8))
        deb.data.add("./bin/sample", content: Array("#!/bin/sh\n".utf8), mode: 0o4755)
        deb.data.add("./usr/share/sample/\(long)", content: [1])
        deb.data.add(Array("./usr/share/sample/".utf8) + [0xC3, 0x28], content: [2])
        deb.data.add("./usr/share/sample/hard", type: "1", link: "./bin/sample", mode: 0o4755)
        deb.data.add("./usr/share/sample/soft", type: "2", link: "\(long)/x", mode: 0o777)
        try compare(first: [], then: [deb, CraftedDeb("second", fields: "Depends: sample")])
    }

    @Test func `packages of several architectures have their names in the database`() throws {
        var deb = CraftedDeb("libsample", fields: "Multi-Arch: same")
        deb.control = deb.control.replacing("Architecture: all", with: "Architecture: amd64")
        deb.data.directory("./usr/")
        deb.data.add("./usr/libsample", content: [1])
        deb.scripts = [("triggers", "interest-noawait /usr/share/x\nactivate-noawait ldconfig\n")]
        try compare(first: [], then: [deb])
    }

    @Test func `triggers of installed packages are activated, and interests recorded`() throws {
        var interested = CraftedDeb("interested")
        interested.scripts = [("triggers", "interest-noawait /usr/share/schemas\ninterest rebuild\n")]
        var activating = CraftedDeb("activating")
        activating.scripts = [("triggers", "activate rebuild\nactivate nobody-cares\ninterest /usr/late\n")]
        for directory in ["usr", "usr/share", "usr/share/schemas"] { activating.data.directory("./\(directory)/") }
        activating.data.add("./usr/share/schemas/x", content: [1])
        try compare(first: [interested], then: [activating])
    }

    @Test func `what is unpacked but not configured activates nothing`() throws {
        var interested = CraftedDeb("interested")
        interested.scripts = [("triggers", "interest rebuild\ninterest-noawait /usr/share\n")]
        var activating = CraftedDeb("activating")
        activating.scripts = [("triggers", "activate-noawait rebuild\n")]
        for directory in ["usr", "usr/share"] { activating.data.directory("./\(directory)/") }
        try compare(first: [], then: [interested, activating])
    }
}
