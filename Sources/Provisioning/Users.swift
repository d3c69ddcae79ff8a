internal import Recipes
internal import RootfsModel

/// What adds the users: their lines in the account files, their groups, their homes out of /etc/skel. A user
/// who is there exactly as asked for is left alone. The password is locked; its last change is the moment's day.
func change(
    addingUsers users: [Recipe.User], to tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]
) throws -> TreeChange {
    if users.isEmpty { return TreeChange() }
    var accounts = try Accounts(of: tree, read: read)
    var puts = [FileNode]()
    var mistakes = [Failure]()
    // Numbers that the recipe names are not free for users who take any.
    let reserved = Set(users.compactMap(\.uid?.value))
    for user in users {
        do throws(Failure) {
            let numbers = try accounts.add(user, reserved: reserved, in: tree, moment: moment)
            puts += try homeNodes(of: user, numbers, in: tree, moment: moment)
        } catch {
            mistakes.append(error)
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    var paths = Set<TreePath>()
    // Two users may share a home: it is the first one's.
    puts = puts.filter { paths.insert($0.path).inserted }
    return TreeChange(puts: puts + accounts.changedNodes(moment: moment))
}

/// A user's and its own group's number.
struct AccountNumbers: Equatable {
    var uid: UInt32
    var gid: UInt32
}

private struct Accounts {
    var passwd: AccountTable
    var group: AccountTable
    var shadow: AccountTable?
    var gshadow: AccountTable?

    init(of tree: FileTree, read: (Blob) throws -> [UInt8]) throws {
        guard let passwd = try AccountTable("/etc/passwd", in: tree, read: read) else {
            throw Failure("the image has no /etc/passwd to add users to", hint: "it comes with the package base-passwd")
        }
        guard let group = try AccountTable("/etc/group", in: tree, read: read) else {
            throw Failure("the image has no /etc/group to add users to", hint: "it comes with the package base-passwd")
        }
        self.passwd = passwd
        self.group = group
        self.shadow = try AccountTable("/etc/shadow", in: tree, read: read)
        self.gshadow = try AccountTable("/etc/gshadow", in: tree, read: read)
    }

    func changedNodes(moment: Timestamp) -> [FileNode] {
        [passwd, group, shadow, gshadow].compactMap { $0 }.filter(\.isChanged).map { $0.node(moment: moment) }
    }

    mutating func add(
        _ user: Recipe.User, reserved: Set<UInt32>, in tree: FileTree, moment: Timestamp
    ) throws(Failure) -> AccountNumbers {
        try checkNames(user, in: tree)
        for name in user.groups.map(\.value) where group.row(named: name) == nil {
            let meant = nearestName(to: name, among: group.names)
            throw Failure(
                "user \(user.name.value) is to be in the group \(quoted(name)), which the image does not have",
                at: user.name.location,
                hint: meant.map { "did you mean \($0)?" } ?? "groups come with packages; see /etc/group of the image")
        }
        let numbers: AccountNumbers
        if let row = passwd.row(named: user.name.value) {
            numbers = try checkIdentical(user, row)
        } else {
            numbers = try append(user, reserved: reserved, in: tree, moment: moment)
        }
        for name in user.groups.map(\.value) {
            group.addMember(user.name.value, to: name)
            gshadow?.addMember(user.name.value, to: name)
        }
        return numbers
    }

    private func checkNames(_ user: Recipe.User, in tree: FileTree) throws(Failure) {
        try Recipe.checkAccountName(user.name, of: "a user")
        if let uid = user.uid { try Recipe.checkUserNumber(uid) }
        for (what, value) in [("home", user.home.value.description), ("shell", user.shell.value.description)] {
            if value.utf8.contains(where: { $0 == UInt8(ascii: ":") || $0 < 32 }) {
                throw Failure(
                    "user \(user.name.value): the \(what) \(quoted(value)) holds a colon or a control character, which "
                        + "/etc/passwd cannot", at: user.name.location)
            }
        }
        let shell = user.shell.value
        if tree.resolvedNode(shell)?.blob == nil {
            let known: [TreePath] = ["/bin/bash", "/bin/sh", "/usr/sbin/nologin", "/bin/false"]
            let meant = nearestName(
                to: shell.description,
                among: known.filter { tree.resolvedNode($0)?.blob != nil }.map(\.description))
            throw Failure(
                "user \(user.name.value) is to have the shell \(shell), which the image does not have",
                at: user.name.location, hint: meant.map { "did you mean \($0)?" })
        }
    }

    /// A user who is there already must be the one asked for.
    private func checkIdentical(_ user: Recipe.User, _ row: [ArraySlice<UInt8>]) throws(Failure) -> AccountNumbers {
        guard let uid = AccountTable.number(row, 2), let gid = AccountTable.number(row, 3) else {
            throw Failure("user \(user.name.value) has a line in /etc/passwd without numbers", at: user.name.location)
        }
        var differences = [String]()
        if let wanted = user.uid?.value, wanted != uid { differences.append("its uid is \(uid), not \(wanted)") }
        for (what, wanted, field) in [("home", user.home, 5), ("shell", user.shell, 6)] {
            let actual = AccountTable.text(row, field)
            let wanted = wanted.value.description
            if wanted != actual { differences.append("its \(what) is \(actual), not \(wanted)") }
        }
        if !differences.isEmpty {
            throw Failure(
                "user \(user.name.value) is in the image already, and is not the one asked for", at: user.name.location,
                notes: differences, hint: "take another name, or leave out what differs")
        }
        return AccountNumbers(uid: uid, gid: gid)
    }

    private mutating func append(
        _ user: Recipe.User, reserved: Set<UInt32>, in tree: FileTree, moment: Timestamp
    ) throws(Failure) -> AccountNumbers {
        if let uid = user.uid?.value, let other = passwd.row(numbered: uid) {
            throw Failure(
                "user \(user.name.value): the uid \(uid) is \(AccountTable.text(other, 0))'s", at: user.name.location,
                hint: "take another, or leave it out for the first free one")
        }
        if group.row(named: user.name.value) != nil {
            throw Failure(
                "user \(user.name.value): a group of that name is in the image already, and is not this user's",
                at: user.name.location, hint: "take another name")
        }
        let range: ClosedRange<UInt32> = 1000...59_999
        let taken = passwd.numbers.union(reserved)
        guard let uid = user.uid?.value ?? range.first(where: { !taken.contains($0) && !group.numbers.contains($0) })
        else {
            throw Failure(
                "user \(user.name.value): no uid is free in \(range.lowerBound)–\(range.upperBound)",
                at: user.name.location)
        }
        let groups = group.numbers
        guard
            let gid = !groups.contains(uid) ? uid : range.first(where: { !groups.contains($0) && !taken.contains($0) })
        else {
            throw Failure(
                "user \(user.name.value): no gid is free in \(range.lowerBound)–\(range.upperBound)",
                at: user.name.location)
        }
        // Floor, for moments before 1970 too.
        let day = moment.seconds >= 0 ? moment.seconds / 86_400 : (moment.seconds - 86_399) / 86_400
        // Without a shadow file the lock stands in passwd itself.
        passwd.append([
            user.name.value, shadow == nil ? "!" : "x", "\(uid)", "\(gid)", "", user.home.value.description,
            user.shell.value.description,
        ])
        group.append([user.name.value, gshadow == nil ? "" : "x", "\(gid)", ""])
        shadow?.append([user.name.value, "!", "\(day)", "0", "99999", "7", "", "", ""])
        gshadow?.append([user.name.value, "!", "", ""])
        return AccountNumbers(uid: uid, gid: gid)
    }
}

/// A home that is not there yet: the directory, mode 0700 as adduser(8) makes it, and a copy of /etc/skel.
private func homeNodes(
    of user: Recipe.User, _ numbers: AccountNumbers, in tree: FileTree, moment: Timestamp
) throws(Failure) -> [FileNode] {
    let wanted = user.home.value
    if wanted == "/nonexistent" { return [] }
    if let node = tree.resolvedNode(wanted) {
        if node.isDirectory { return [] }
        throw Failure("user \(user.name.value): the home \(wanted) is no directory", at: user.name.location)
    }
    let home = tree.placement(of: wanted)
    try checkAncestors(of: home, in: tree, what: "user \(user.name.value)'s home", at: user.name.location)
    var nodes = [
        FileNode.directory(home, mode: 0o700, uid: numbers.uid, gid: numbers.gid, moment: moment)
    ]
    guard let skel = tree.resolve("/etc/skel") else { return nodes }
    for node in tree.nodes {
        guard node.path != skel, let rest = node.path.relative(to: skel) else { continue }
        var copy = node
        copy.path = home.appending(rest)
        if let blob = node.blob { copy.kind = .file(blob, linkGroup: 0) }
        copy.metadata = Metadata(
            mode: node.metadata.mode & 0o777, uid: numbers.uid, gid: numbers.gid, mtime: moment,
            xattrs: node.metadata.xattrs)
        nodes.append(copy)
    }
    return nodes
}

/// Refuses a place below something that is no directory.
func checkAncestors(
    of path: TreePath, in tree: FileTree, what: String, at location: SourceLocation?
) throws(Failure) {
    var ancestor = path.parent
    while let current = ancestor {
        if let node = tree[current] {
            if node.isDirectory { return }
            throw Failure(
                "\(what), \(path), stands below \(current), which is no directory in the image", at: location)
        }
        ancestor = current.parent
    }
}
