internal import LibArchive
internal import RootfsModel

/// An archive's members as the nodes of a tree: hard links name the same file, and of two members with the same name the
/// later one holds, as in tar.
struct MemberNodes {
    /// The archive, for messages.
    let label: String
    private var nodes = [FileNode]()
    private var indices = [TreePath: Int]()
    private var groups: UInt32 = 0

    init(label: String) {
        self.label = label
    }

    /// Where in the tree a member belongs. Throws for a name that leads out of it.
    func place(of member: ArchiveMember) throws(Failure) -> TreePath {
        guard let place = TreePath(normalizing: member.name) else {
            throw Failure("\(label) holds a name that leads outside: \(member.displayName)")
        }
        return place
    }

    mutating func add(_ kind: NodeKind, _ metadata: Metadata, at place: TreePath) {
        let node = FileNode(path: place, kind: kind, metadata: metadata)
        if let index = indices[place] {
            nodes[index] = node
        } else {
            indices[place] = nodes.count
            nodes.append(node)
        }
    }

    /// Adds another name of the file `target`, which came before.
    mutating func addLink(to target: [UInt8], at place: TreePath, for member: ArchiveMember) throws(Failure) {
        guard let other = TreePath(normalizing: target), let index = indices[other],
            case .file(let blob, let group) = nodes[index].kind
        else { throw Failure("\(label): \(member.displayName) is a hard link to nothing before it") }
        if group == 0 {
            groups += 1
            nodes[index].kind = .file(blob, linkGroup: groups)
        }
        add(nodes[index].kind, nodes[index].metadata, at: place)
    }

    func tree() throws(Failure) -> FileTree {
        try FileTree(nodes)
    }
}
