internal import RootfsModel

/// The numbers of an `owner:`, by the tree's own account files; root's for nil. `user` alone brings the user's own
/// group.
func numbers(
    ofOwner owner: String?, what thing: String, at location: SourceLocation?, in tree: FileTree,
    read: (Blob) throws -> [UInt8]
) throws -> AccountNumbers {
    guard let text = owner else { return AccountNumbers(uid: 0, gid: 0) }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard (1...2).contains(parts.count), !parts.contains("") else {
        throw Failure(
            "\(thing): \(quoted(text)) is no owner", at: location, hint: "write user or user:group")
    }
    func row(_ name: String, in path: TreePath, what: String) throws -> [ArraySlice<UInt8>] {
        guard let table = try AccountTable(path, in: tree, read: read) else {
            throw Failure("\(thing): the image has no \(path) to look up \(text) in", at: location)
        }
        if let row = table.row(named: name), AccountTable.number(row, 2) != nil { return row }
        let meant = nearestName(to: name, among: table.names)
        throw Failure(
            "\(thing) is to be owned by the \(what) \(quoted(name)), which the image does not have",
            at: location,
            hint: meant.map { "did you mean \($0)?" } ?? "add it to users:, or add the package that brings it")
    }
    var numbers = AccountNumbers(uid: 0, gid: 0)
    if let uid = UInt32(parts[0]) {
        numbers.uid = uid
        if parts.count == 1 {
            throw Failure(
                "\(thing): the owner \(text) is a number without a group", at: location,
                hint: "write \(text):\(text)")
        }
    } else {
        let user = try row(parts[0], in: "/etc/passwd", what: "user")
        numbers.uid = AccountTable.number(user, 2) ?? 0
        numbers.gid = AccountTable.number(user, 3) ?? 0
    }
    if parts.count == 2 {
        if let gid = UInt32(parts[1]) {
            numbers.gid = gid
        } else {
            numbers.gid = AccountTable.number(try row(parts[1], in: "/etc/group", what: "group"), 2) ?? 0
        }
    }
    return numbers
}
