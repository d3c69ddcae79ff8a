internal import Recipes
internal import RootfsModel

/// The recipe's small files: mode 0644 and root's unless said otherwise, with the parents they lack. A path goes where
/// the tree's directory links lead; a link in the last place is replaced.
func change(
    writingFiles files: [Recipe.SmallFile], in tree: FileTree, moment: Timestamp,
    read: (Blob) throws -> [UInt8]
) throws -> TreeChange {
    var puts = [TreePath: FileNode]()
    var mistakes = [Failure]()
    for file in files {
        do {
            let path = file.path.value
            let location = file.path.location
            let place = path.isRoot ? path : tree.placement(of: path)
            if path.isRoot || tree[place]?.isDirectory == true {
                throw Failure("files: \(path) is a directory", at: location)
            }
            try checkAncestors(of: place, in: tree, what: "files: the file", at: location)
            if puts[place] != nil {
                throw Failure("files: \(path) is written twice; it leads to \(place)", at: location)
            }
            if let below = puts.keys.sorted().first(where: { place.isWithin($0) || $0.isWithin(place) }) {
                throw Failure("files: \(path) and \(below) cannot both be files", at: location)
            }
            let owner = try numbers(
                ofOwner: file.owner.value, what: "files: \(path)", at: location, in: tree, read: read)
            var node = FileNode.text(place, file.content, mode: file.mode & 0o7777, moment: moment)
            node.metadata.uid = owner.uid
            node.metadata.gid = owner.gid
            puts[place] = node
        } catch let failure as Failure {
            mistakes.append(failure)
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return TreeChange(puts: Array(puts.values))
}
