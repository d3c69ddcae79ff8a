import Provisioning
import Recipes
import RootfsModel
import Testing

/// 2026-11-20 00:00:00 UTC, day 20,777.
let moment = Timestamp(seconds: 1_795_132_800)

func file(_ path: TreePath, _ text: String, mode: UInt16 = 0o644, group: UInt32 = 0) -> FileNode {
    FileNode(
        path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: group),
        metadata: Metadata(mode: mode, mtime: Timestamp(seconds: 7)))
}

func directory(_ path: TreePath, mode: UInt16 = 0o755, uid: UInt32 = 0, gid: UInt32 = 0) -> FileNode {
    FileNode(
        path: path, kind: .directory,
        metadata: Metadata(mode: mode, uid: uid, gid: gid, mtime: Timestamp(seconds: 7)))
}

func link(_ path: TreePath, _ target: String) -> FileNode {
    FileNode(path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777))
}

let at = SourceLocation(file: "a.manifest", line: 3, column: 5, length: 4, text: "  - name")

/// The bytes of a blob that is held in memory.
func bytes(_ blob: Blob) throws -> [UInt8] {
    guard case .bytes(let bytes) = blob.source else { throw Failure("not in memory") }
    return bytes
}

func text(_ path: TreePath, in tree: FileTree) throws -> String {
    let node = try #require(tree[path], "\(path)")
    return String(decoding: try bytes(try #require(node.blob)), as: UTF8.self)
}

/// A small merged-/usr tree with systemd, accounts and the supervisor's parts.
func baseTree(_ more: [FileNode] = []) throws -> FileTree {
    try FileTree(
        [
            link("bin", "usr/bin"), link("lib", "usr/lib"), link("sbin", "usr/sbin"),
            file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"),
            file("etc/group", "root:x:0:\naudio:x:29:\nvideo:x:44:other\n"),
            file("etc/shadow", "root:*:20000:0:99999:7:::\n", mode: 0o640),
            file("etc/gshadow", "root:*::\naudio:*::\nvideo:*::\n", mode: 0o640),
            file("etc/skel/.profile", "# profile\n"),
            file("usr/bin/perl", "elf", mode: 0o755), file("usr/bin/bash", "elf", mode: 0o755),
            link("usr/bin/sh", "bash"),
            file("usr/bin/node", "elf", mode: 0o755), link("usr/bin/nodejs", "node"),
            file("usr/sbin/nologin", "elf", mode: 0o755),
            file("usr/lib/systemd/systemd", "elf", mode: 0o755),
            file("usr/bin/dbus-daemon", "elf", mode: 0o755),
            file("etc/systemd/system/app-.service.d/10-visible.conf", ""),
            file("usr/lib/microvm/report-exit", "", mode: 0o755), file("usr/lib/microvm/ready", "", mode: 0o755),
            file("usr/lib/microvm/supervise", "", mode: 0o755),
        ] + more)
}

func provisioned(
    _ recipe: Recipe, tree: FileTree? = nil, overlays: [(Recipe.Overlay, FileTree)] = [],
    node: (Recipe.NodeArchive, FileTree)? = nil
) throws -> (tree: FileTree, report: ProvisioningReport) {
    try provision(try tree ?? baseTree(), recipe, overlays: overlays, nodeRelease: node, moment: moment, read: bytes)
}

/// What the error says, whole.
func complaint(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}

@Suite struct WholeTests {
    @Test func everythingMadeHasTheMomentAndTheResultIsTheSameTwice() throws {
        let recipe = plain(
            users: [user("agent", groups: ["video"])],
            files: [smallFile("/etc/motd", "hi\n")],
            services: [service("web", ["/usr/bin/node"])])
        let base = try baseTree()
        let (tree, _) = try provisioned(recipe, tree: base)
        for node in tree.nodes where base[node.path] != node {
            #expect(node.metadata.mtime == moment, "\(node.path)")
        }
        #expect(try provisioned(recipe, tree: base).tree == tree)
        // Over its own result nothing changes.
        #expect(try provisioned(recipe, tree: tree).tree == tree)
    }

    @Test func anOverlayAtTheEndIsTheSameAsOneLaidOverTheFinishedTree() throws {
        let folder = try FileTree([file("etc/motd", "mine\n"), file("opt/x/run", "#!/bin/sh\n", mode: 0o700)])
        let options = overlay()
        let built = try provisioned(plain(), overlays: [(options, folder)]).tree
        var warnings = [String]()
        let injected = try applyOverlay(
            folder, options, to: try provisioned(plain()).tree, variables: Variables(), moment: moment,
            warnings: &warnings,
            read: bytes)
        #expect(built == injected)
    }

    @Test func overlaysWinOverFilesServicesAndRemovals() throws {
        let recipe = plain(
            files: [smallFile("/etc/motd", "recipe\n")],
            services: [service("web", ["/usr/bin/node"])],
            remove: ["/etc/skel/*"])
        let folder = try FileTree([
            file("etc/motd", "overlay\n"), file("etc/skel/.profile", "back\n"),
            file("etc/systemd/system/app-web.service", "mine\n"),
        ])
        let tree = try provisioned(recipe, overlays: [(overlay("o"), folder)]).tree
        #expect(try text("etc/motd", in: tree) == "overlay\n")
        #expect(try text("etc/skel/.profile", in: tree) == "back\n")
        #expect(try text("etc/systemd/system/app-web.service", in: tree) == "mine\n")
    }

    @Test func withoutUdevTheConsoleGetsAGettyThatWaitsForNoDevice() throws {
        let tree = try provisioned(plain()).tree
        #expect(tree["etc/systemd/system/serial-getty@ttyS0.service"]?.linkTarget == Array("/dev/null".utf8))
        #expect(tree["etc/systemd/system/getty.target.wants/console-getty.service"] != nil)
        #expect(tree["etc/systemd/system/systemd-logind.service"] == nil)
        let udev = try baseTree([file("usr/lib/systemd/systemd-udevd", "elf", mode: 0o755)])
        let withUdev = try provisioned(plain(), tree: udev).tree
        #expect(withUdev["etc/systemd/system/serial-getty@ttyS0.service"] == nil)
    }

    @Test func withoutDBusLogindIsMasked() throws {
        let base = try baseTree().applying(TreeChange(removals: ["usr/bin/dbus-daemon"]))
        let tree = try provisioned(plain(), tree: base).tree
        #expect(tree["etc/systemd/system/systemd-logind.service"]?.linkTarget == Array("/dev/null".utf8))
    }

    @Test func anImageWithoutSystemdGetsNoUnits() throws {
        let base = try baseTree().applying(TreeChange(removals: ["usr/lib/systemd"]))
        let tree = try provisioned(plain(), tree: base).tree
        #expect(tree["etc/systemd/system/serial-getty@ttyS0.service"] == nil)
    }
}
