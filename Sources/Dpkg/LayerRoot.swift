internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// The directories in which a layer's scripts work: overlayfs over the lower directories, or, where it cannot write to
/// the store's file system, a copy of the tree. In the end `upper` has the layer's delta, either way.
struct LayerRoot {
    /// How the tree is put together.
    enum Kind {
        /// overlayfs where it works, which is tried.
        case automatic
        case copy
    }

    let lower: FilePath
    let upper: FilePath
    private let work: FilePath
    private let layersBelow: [FilePath]
    private var plain: PlainTree?
    private var copies: HardLinkCopies?

    init(in directory: FilePath, layersBelow: [FilePath]) {
        lower = directory.appending("lower")
        upper = directory.appending("upper")
        work = directory.appending("work")
        self.layersBelow = layersBelow
    }

    /// Makes the directories ready; `ground` is the tree below. `output` hears why overlayfs cannot be used.
    mutating func prepare(_ kind: Kind, ground: FileTree, output: (String) -> Void) throws {
        try makeDirectory(at: upper)
        let refusal = kind == .copy ? "so it is asked for" : try Sandbox.refusalOfOverlays(in: work.string)
        if let refusal {
            output("the tree is copied, not laid under overlayfs: \(refusal)")
            plain = try PlainTree(at: upper, of: ground)
        } else if !Sandbox.keepsHardLinksTogether {
            copies = HardLinkCopies()
            try copies?.add(from: ground, to: upper)
        }
    }

    /// Makes the packages' files, which are in `lower`, visible: `ground` is the tree below, `tree` the one with them.
    mutating func showPackages(_ placement: Placement, ground: FileTree, tree: FileTree) throws {
        let puts = placement.change.puts
        if plain != nil {
            try plain?.add(puts.filter(\.isDirectory) + puts.filter { !$0.isDirectory })
            return
        }
        var directory = try open(below: tree)
        for node in puts where node.isDirectory && ground[node.path] == nil { try directory.showBelow(node.path) }
        try copies?.add(from: tree, to: upper)
    }

    /// The tree as the host's side may write to it between two runs; `below` is what it is laid over.
    func open(below: FileTree) throws -> UpperDirectory {
        try UpperDirectory.open(upper, below: plain == nil ? below : FileTree())
    }

    func sandboxRoot(seesPackages: Bool) -> Sandbox.Root {
        if plain != nil { return Sandbox.Root(tree: upper.string, work: work.string) }
        let lower = (seesPackages ? [lower] : []) + layersBelow
        return Sandbox.Root(lower: lower.map(\.string), upper: upper.string, work: work.string)
    }

    /// Leaves the delta alone in `upper`. `after` is the tree below with the packages.
    mutating func finish(_ sandbox: Sandbox, after: FileTree) throws {
        if let tree = plain {
            try tree.leaveChanges()
        } else if copies != nil {
            try copies?.removeUntouched(from: upper)
        } else {
            try sandbox.settleHardLinks(after.hardLinks.map { $0.map(\.description) })
        }
    }
}
