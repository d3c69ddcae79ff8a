internal import Provisioning
internal import Recipes
internal import RootfsModel
internal import Storage

/// A tree with everything of the recipe in it.
struct ProvisionedTree {
    var tree: FileTree
    var removed: [BuildRecord.Removal]
    var warnings: [String]
    /// Where the files of a Node release lie until the image is written.
    var nodeRelease: TarballTree?
}

/// Lays everything of a recipe that is not a package over the packages' tree.
func provisionTree(
    _ base: FileTree, recipe: Recipe, overlays: [(Recipe.Overlay, FileTree)], moment: Timestamp, store: Store,
    clock: StageClock
) throws -> ProvisionedTree {
    var nodeRelease: TarballTree?
    if case .archive(let archive)? = recipe.node {
        nodeRelease = try clock.run("node") { _ in
            let release = try TarballTree(nodeArchive: archive, recipe: recipe, store: store)
            return (release, "\(release.tree.nodes.count) paths from \(archive.file.value)")
        }
    }
    return try clock.run("provision") { _ in
        var release: (Recipe.NodeArchive, FileTree)?
        if case .archive(let archive)? = recipe.node, let nodeRelease { release = (archive, nodeRelease.tree) }
        let (tree, report) = try provision(
            base, recipe, overlays: overlays, nodeRelease: release, moment: moment, read: { try $0.readAll() })
        let removed = report.removals.map { removal in
            BuildRecord.Removal(
                pattern: removal.pattern, bytes: removal.bytes, paths: removal.paths.map(\.description))
        }
        let provisioned = ProvisionedTree(
            tree: tree, removed: removed, warnings: report.warnings, nodeRelease: nodeRelease)
        let services = recipe.services.count == 1 ? "1 service" : "\(recipe.services.count) services"
        return (provisioned, "\(services), \(overlays.count == 1 ? "1 overlay" : "\(overlays.count) overlays")")
    }
}
