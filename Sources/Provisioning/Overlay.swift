public import Recipes
public import RootfsModel

/// The tree with a folder laid over it. Can be called alone, on a tree read from an image.
///
/// Names are as in the folder, and:
/// - owner root:root, or `owner:` looked up in the tree's own /etc/passwd and /etc/group; the host's does not count;
/// - mode 0755 for directories and executable files, 0644 for others, unless `mode:` says otherwise: git keeps
///   the executable bit alone, and another umask at checkout must not give another image;
/// - time the moment, no extended attributes, no hard links: a checkout has arbitrary ones;
/// - a directory that the image has keeps its owner and mode, unless a `mode:` pattern is for it;
/// - `.gitkeep` files are left out: they hold a directory in git and mean nothing in an image;
/// - in files that a `template:` pattern matches, `${name}` is replaced by the variable; `$${` stands for `${`.
public func applyOverlay(
    _ folder: FileTree, _ overlay: Recipe.Overlay, to tree: FileTree, variables: Variables, moment: Timestamp,
    warnings: inout [String], read: (Blob) throws -> [UInt8]
) throws -> FileTree {
    try tree.applying(
        change(
            overlaying: folder, overlay, over: tree, variables: variables, moment: moment, warnings: &warnings,
            read: read))
}

/// All of a folder that an image can have from it: names, kinds, contents, and whether a file is executable. Folders
/// that are equal in this give equal images.
public func overlayContent(_ folder: FileTree) throws(Failure) -> FileTree {
    try FileTree(
        folder.nodes.compactMap { node in
            if node.blob != nil, node.path.name.elementsEqual(".gitkeep".utf8) { return nil }
            var node = node
            let isPlain = node.blob != nil && node.metadata.mode & 0o111 == 0
            node.metadata = Metadata(mode: isPlain ? 0o644 : 0o755)
            if case .file(let blob, _) = node.kind { node.kind = .file(blob, linkGroup: 0) }
            return node
        })
}

/// What lays a folder over a tree.
func change(
    overlaying folder: FileTree, _ overlay: Recipe.Overlay, over tree: FileTree, variables: Variables,
    moment: Timestamp, warnings: inout [String], read: (Blob) throws -> [UInt8]
) throws -> TreeChange {
    let what = "overlay \(overlay.source.value)"
    let location = overlay.source.location
    let owner = try numbers(ofOwner: overlay.owner.value, what: what, at: location, in: tree, read: read)
    var patterns = try OverlayPatterns(overlay)
    var nodes = [FileNode]()
    var insisting = Set<TreePath>()
    var mistakes = [Failure]()
    for node in try overlayContent(folder).nodes {
        let path = overlay.target.value.appending(node.path)
        var metadata = Metadata(mode: 0o755, uid: owner.uid, gid: owner.gid, mtime: moment)
        let wanted = patterns.mode(of: node)
        switch node.kind {
        case .directory:
            if let wanted {
                metadata.mode = wanted
                insisting.insert(path)
            }
            nodes.append(FileNode(path: path, kind: .directory, metadata: metadata))
        case .file(var blob, _):
            metadata.mode = wanted ?? node.metadata.mode
            if patterns.isTemplate(node) {
                do {
                    let name = "\(overlay.source.value)/\(String(decoding: node.path.bytes, as: UTF8.self))"
                    blob = Blob(try filledIn(try read(blob), name: name, variables: variables))
                } catch let failures as Failures {
                    mistakes += failures.all
                }
            }
            nodes.append(FileNode(path: path, kind: .file(blob, linkGroup: 0), metadata: metadata))
        case .symbolicLink:
            metadata.mode = 0o777
            nodes.append(FileNode(path: path, kind: node.kind, metadata: metadata))
        case .characterDevice, .blockDevice, .fifo, .socket:
            mistakes.append(
                Failure(
                    "\(what) holds \(node.kindName), which cannot be laid over an image: \(node.path)", at: location))
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    warnings += patterns.unused.map { "\(what): the pattern \($0) matches none of its files" }
    return try laying(nodes, over: tree, insisting: insisting, what: what, at: location)
}

/// The patterns of one overlay, and which of them matched anything.
private struct OverlayPatterns {
    private struct Pattern {
        var text: String
        var glob: Glob
        var mode: UInt16?
        var isUsed = false

        func matches(_ node: FileNode) -> Bool {
            guard text.hasSuffix("/") == node.isDirectory else { return false }
            let hasSlash = text.utf8.dropLast().contains(UInt8(ascii: "/"))
            return glob.matches(hasSlash ? node.path.components[...] : [node.path.name])
        }
    }

    private var patterns: [Pattern]

    init(_ overlay: Recipe.Overlay) throws {
        var patterns = [Pattern]()
        var mistakes = [Failure]()
        let all = overlay.modes.map { ($0.pattern, $0.mode as UInt16?) } + overlay.templates.map { ($0, nil) }
        for (pattern, mode) in all {
            do throws(Failure) {
                patterns.append(Pattern(text: pattern.value, glob: try Glob(pattern.value), mode: mode))
            } catch {
                mistakes.append(
                    Failure(
                        "overlay \(overlay.source.value): \(error.message)",
                        at: pattern.location ?? overlay.source.location, hint: error.hint))
            }
        }
        if !mistakes.isEmpty { throw Failures(mistakes) }
        self.patterns = patterns
    }

    /// The mode that the last matching pattern gives.
    mutating func mode(of node: FileNode) -> UInt16? {
        guard node.isDirectory || node.blob != nil, !node.path.isRoot else { return nil }
        var mode: UInt16?
        for index in patterns.indices where patterns[index].mode != nil && patterns[index].matches(node) {
            patterns[index].isUsed = true
            mode = patterns[index].mode
        }
        return mode
    }

    mutating func isTemplate(_ node: FileNode) -> Bool {
        var answer = false
        for index in patterns.indices where patterns[index].mode == nil && patterns[index].matches(node) {
            patterns[index].isUsed = true
            answer = true
        }
        return answer
    }

    var unused: [String] { patterns.filter { !$0.isUsed }.map(\.text) }
}
