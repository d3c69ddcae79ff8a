// Provisioning: what comes on top of the packages. Users, the machine's identity, small files, a Node release
// from a tarball, the recipe's services as systemd units, removals, overlays.
//
// Everything here is a function from a tree to a change of it. Nothing reads a file, a clock or the
// environment: content that must be seen (/etc/passwd, a template) comes through a closure, and every node
// that is made gets the moment that the caller gives.
//
// The order is fixed: node release, users, identity, machine defaults, trimming, files, services, removals, overlays in
// the order of the recipe. Overlays come last and win, so laying one over a finished image is the same as
// having built with it at the end. Services are checked over the finished tree: what a unit runs must be there.
public import Recipes
public import RootfsModel

/// What provisioning did, for the build report.
public struct ProvisioningReport: Sendable, Equatable {
    /// One removal pattern and what went with it.
    public struct Removal: Sendable, Equatable {
        public var pattern: String
        /// Every path that went, in path order.
        public var paths: [TreePath]
        /// The sum of the removed files' sizes.
        public var bytes: UInt64
        /// Whether all it matches had gone with an earlier pattern.
        public var isCovered = false
    }

    /// Each pattern of `remove:`, in the recipe's order. A path stands under the first pattern that took it.
    public var removals: [Removal] = []
    /// What the user should know and no step refuses: a pattern that matches nothing.
    public var warnings: [String] = []

    public init() {}
}

/// Lays everything of a recipe that is not a package over the packages' tree. `overlays` pairs each of the recipe's
/// with its folder, `nodeRelease` its Node archive with the tar's tree; `read` gives a blob's bytes.
///
/// Throws `Failure`, or `Failures` with every mistake of the step that found some.
public func provision(
    _ tree: FileTree, _ recipe: Recipe, overlays: [(Recipe.Overlay, FileTree)],
    nodeRelease: (Recipe.NodeArchive, FileTree)? = nil, moment: Timestamp, read: (Blob) throws -> [UInt8]
) throws -> (tree: FileTree, report: ProvisioningReport) {
    var report = ProvisioningReport()
    var tree = tree
    if let (archive, release) = nodeRelease {
        tree = try tree.applying(change(layingNode: archive, release, over: tree, moment: moment))
    }
    tree = try tree.applying(change(addingUsers: recipe.users, to: tree, moment: moment, read: read))
    tree = try tree.applying(
        change(identifying: recipe, in: tree, moment: moment, read: read).placed(in: tree))
    tree = try tree.applying(change(fittingMachineTo: tree, moment: moment).placed(in: tree))
    tree = try tree.applying(change(trimming: recipe.supervisor.trim, in: tree, moment: moment).placed(in: tree))
    tree = try tree.applying(change(writingFiles: recipe.files, in: tree, moment: moment, read: read))
    tree = try tree.applying(
        change(writingServicesOf: recipe, in: tree, moment: moment, warnings: &report.warnings, read: read)
            .placed(in: tree))
    let (removal, removals) = try change(removing: recipe.remove, from: tree)
    tree = try tree.applying(removal)
    report.removals = removals
    report.warnings += removals.filter { $0.paths.isEmpty && !$0.isCovered }.map {
        "remove: \($0.pattern) matches nothing in the image"
    }
    for (overlay, folder) in overlays {
        tree = try applyOverlay(
            folder, overlay, to: tree, variables: recipe.variables, moment: moment,
            warnings: &report.warnings, read: read)
    }
    try checkServices(recipe.services, in: tree, read: read)
    return (tree, report)
}

extension FileNode {
    /// A regular file of this text, root's.
    static func text(_ path: TreePath, _ text: String, mode: UInt16 = 0o644, moment: Timestamp) -> FileNode {
        FileNode(
            path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: 0),
            metadata: Metadata(mode: mode, mtime: moment))
    }

    /// A symbolic link, root's.
    static func link(_ path: TreePath, to target: String, moment: Timestamp) -> FileNode {
        FileNode(
            path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777, mtime: moment))
    }

    /// A directory.
    static func directory(
        _ path: TreePath, mode: UInt16 = 0o755, uid: UInt32 = 0, gid: UInt32 = 0, moment: Timestamp
    ) -> FileNode {
        FileNode(path: path, kind: .directory, metadata: Metadata(mode: mode, uid: uid, gid: gid, mtime: moment))
    }
}

/// A name from outside in a message: in quotes, control characters escaped.
func quoted(_ text: String) -> String {
    "'" + text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? $0.escaped(asASCII: true) : String($0) }.joined()
        + "'"
}
