import Foundation
import Provisioning
import Recipes
import RootfsModel
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// A folder of the repository as a tree: what an overlay is made of.
private func folder(_ name: String) throws -> FileTree {
    let base = root.appending(path: name)
    var nodes = [FileNode]()
    for path in try FileManager.default.subpathsOfDirectory(atPath: base.path) {
        let full = base.appending(path: path).path
        let attributes = try FileManager.default.attributesOfItem(atPath: full)
        let treePath = try #require(TreePath(normalizing: path))
        let mode = (attributes[.posixPermissions] as? NSNumber)?.uint16Value ?? 0
        let kind: NodeKind =
            switch attributes[.type] as? FileAttributeType {
            case .typeDirectory: .directory
            case .typeSymbolicLink:
                .symbolicLink(Array(try FileManager.default.destinationOfSymbolicLink(atPath: full).utf8))
            default: .file(Blob([UInt8](try #require(FileManager.default.contents(atPath: full)))), linkGroup: 0)
            }
        nodes.append(FileNode(path: treePath, kind: kind, metadata: Metadata(mode: mode)))
    }
    return try FileTree(nodes)
}

/// What the packages of the shipped recipes bring, as far as provisioning looks.
private func packages() throws -> FileTree {
    try FileTree(
        [
            link("bin", "usr/bin"), link("lib", "usr/lib"), link("sbin", "usr/sbin"),
            file("etc/passwd", "root:*:0:0:root:/root:/bin/bash\n"),
            file("etc/group", "root:*:0:\naudio:*:29:\nvideo:*:44:\n"),
            file("usr/lib/systemd/systemd", "elf", mode: 0o755),
        ]
            + ["usr/bin/dash", "usr/bin/Xvfb", "usr/bin/chromium", "usr/bin/node", "usr/sbin/nologin"].map {
                file(TreePath(normalizing: $0) ?? .root, "elf", mode: 0o755)
            } + [link("usr/bin/sh", "dash")])
}

@Suite struct ShippedRecipeTests {
    @Test(arguments: ["minimal", "browser"])
    func recipesAreReadAndTheirServicesFindAllTheyNeed(name: String) throws {
        let recipe = try Recipe.load(path: "recipes/\(name).manifest") { path in
            [UInt8](try #require(FileManager.default.contents(atPath: root.appending(path: path).path)))
        }
        let overlays = try recipe.overlays.map { ($0, try folder($0.source.value)) }
        let (tree, report) = try provision(
            try packages(), recipe, overlays: overlays, moment: moment, read: bytes)
        #expect(report.warnings.isEmpty)
        #expect(try text("etc/hostname", in: tree) == name + "\n")
        for service in recipe.services {
            let wants: TreePath = "etc/systemd/system/multi-user.target.wants"
            #expect(tree.resolvedNode(wants.appending("app-\(service.name.value).service".utf8))?.blob != nil)
        }
        for layer in recipe.layers { #expect(layer.recommends.value == false) }
    }

    @Test func theExampleSpeaksWhatItsBootExpects() throws {
        let recipe = try Recipe.load(path: "recipes/minimal.manifest") { path in
            [UInt8](try #require(FileManager.default.contents(atPath: root.appending(path: path).path)))
        }
        let tree = try provision(
            try packages(), recipe,
            overlays: try recipe.overlays.map { ($0, try folder($0.source.value)) }, moment: moment,
            read: bytes
        ).tree
        #expect(
            try text("etc/systemd/system/app-hello.service", in: tree)
                .contains(#"ExecStart=/bin/sh -c "echo hello from $$(cat /etc/hostname); exec sleep infinity""# + "\n"))
    }

    @Test func theSupervisorsScriptsAreExecutableAndItsUnitsEnabled() throws {
        let folder = try folder("overlays/supervisor")
        for script in ["report-exit", "report-failed", "report-booted", "ready", "net-up"] {
            let scripts: TreePath = "usr/lib/microvm"
            let node = try #require(folder[scripts.appending(script.utf8)])
            let blob = try #require(node.blob)
            #expect(node.metadata.mode & 0o111 != 0)
            #expect(try bytes(blob).starts(with: "#!/bin/".utf8))
        }
        let units: TreePath = "etc/systemd/system"
        for node in folder.nodes where node.path.parent?.name.elementsEqual("multi-user.target.wants".utf8) == true {
            #expect(folder[units.appending(node.path.name)]?.blob != nil, "\(node.path)")
        }
    }
}
