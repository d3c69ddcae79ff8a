import Glibc
import Normalization
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Dpkg

@Suite(.enabled(if: canBuildLayers, "the host has no dpkg with its tools, or no namespaces")) struct PlainTreeTests {
    private let moment = Timestamp(seconds: 1_700_000_000)

    private func directories(_ paths: [String], _ deb: inout CraftedDeb) {
        for path in paths { deb.data.directory("./\(path)/") }
    }

    /// What the second layer's scripts find.
    private func things() -> CraftedDeb {
        var deb = CraftedDeb("things")
        directories(["usr", "usr/share", "usr/share/t", "usr/share/t/replaced", "usr/share/t/to-file"], &deb)
        for name in [
            "written", "left", "gone", "gone-early", "to-directory", "owned", "renamed", "replaced/old", "to-file/in",
        ] {
            deb.data.add("./usr/share/t/\(name)", content: Array("\(name)\n".utf8))
        }
        deb.data.add("./usr/share/t/written-too", type: "1", link: "./usr/share/t/written")
        deb.data.add("./usr/share/t/left-too", type: "1", link: "./usr/share/t/left")
        return deb
    }

    private func changing() -> CraftedDeb {
        var deb = CraftedDeb("changing")
        directories(["etc", "usr", "usr/share", "usr/share/c", "usr/share/t"], &deb)
        for path in ["usr/share/c/kept", "usr/share/c/taken", "usr/share/t/by-package", "etc/c.conf"] {
            deb.data.add("./\(path)", content: Array("package\n".utf8))
        }
        deb.scripts = [
            ("conffiles", "/etc/c.conf\n"),
            (
                "preinst",
                """
                #!/bin/sh
                set -e
                mkdir /usr/share/c && echo preinst > /usr/share/c/taken
                rm /usr/share/t/gone-early

                """
            ),
            (
                "postinst",
                """
                #!/bin/sh
                set -e
                cd /usr/share/t
                echo more >> written
                rm gone && rm -r replaced && mkdir -m 700 replaced && echo new > replaced/new
                rm -r to-file && echo file > to-file
                rm to-directory && mkdir to-directory && echo in > to-directory/in
                chown 42:7 owned && chmod 4750 owned && touch -d @1000000000 owned
                mv renamed renamed-to && ln left left-again && ln -s nowhere link && mkfifo pipe
                rm /usr/share/c/kept

                """
            ),
        ]
        return deb
    }

    private func build(_ root: LayerRoot.Kind) throws -> (tree: FileTree, changes: TreeChange, listing: String) {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var stack = LayerTests.Stack(scratch: scratch, moment: moment, root: root)
        let tools = ["chown", "chmod", "ln", "mkdir", "mkfifo", "mv", "touch"].map { "/usr/bin/" + $0 }
        _ = try stack.add([try HostTools.deb(with: tools)])
        _ = try stack.add([things()])
        let built = try stack.add([changing()])
        let tree = try Normalization.normalise(stack.tree, moment: moment, read: { try $0.readAll() }).tree
        let listing = String(decoding: try Listing.bytes(of: tree), as: UTF8.self)
        return (tree, try scanOverlayUpper(built.upper), listing)
    }

    @Test func `a copied tree comes to the same as overlayfs`() throws {
        let overlaid = try build(.automatic)
        let copied = try build(.copy)
        #expect(copied.listing == overlaid.listing)
        #expect(copied.tree["usr/share/t/written-too"]?.blob?.digest == Digest(hashing: "written\nmore\n"))
        #expect(copied.tree["usr/share/c/taken"]?.blob?.digest == Digest(hashing: "preinst\n"))
        #expect(copied.tree["usr/share/c/kept"] == nil)
        #expect(
            copied.tree["usr/share/t/owned"]?.metadata
                == Metadata(mode: 0o4750, uid: 42, gid: 7, mtime: Timestamp(seconds: 1_000_000_000)))
        // The delta is one: what nobody touched is not in it.
        #expect(copied.changes.removals.contains("usr/share/t/gone"))
        #expect(!copied.changes.puts.contains { $0.path == "usr/share/t/by-package" || $0.path == "usr/bin/dash" })
        #expect(copied.changes.puts.count <= overlaid.changes.puts.count)
    }
}
