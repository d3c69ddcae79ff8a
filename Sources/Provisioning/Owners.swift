internal import Recipes
internal import RootfsModel

/// The numbers of an owner, by the tree's own account files.
func numbers(
    ofOwner owner: Recipe.Owner, what thing: String, at location: SourceLocation?, in tree: FileTree,
    read: (Blob) throws -> [UInt8]
) throws -> AccountNumbers {
    func number(of principal: Recipe.Owner.Principal, in path: TreePath, what: String) throws -> UInt32 {
        let name: String
        switch principal {
        case .number(let number): return number
        case .name(let text): name = text
        }
        guard let table = try AccountTable(path, in: tree, read: read) else {
            throw Failure("\(thing): the image has no \(path) to look up \(owner) in", at: location)
        }
        if let row = table.row(named: name), let number = AccountTable.number(row, 2) { return number }
        let meant = nearestName(to: name, among: table.names)
        throw Failure(
            "\(thing) is to be owned by the \(what) \(quoted(name)), which the image does not have",
            at: location,
            hint: meant.map { "did you mean \($0)?" } ?? "add it to users:, or add the package that brings it")
    }
    return AccountNumbers(
        uid: try number(of: owner.user, in: "/etc/passwd", what: "user"),
        gid: try number(of: owner.group, in: "/etc/group", what: "group"))
}
