import RootfsModel

/// The users and groups of one side.
struct AccountTables {
    private(set) var users: [String: [PathChange.Field]] = [:]
    private(set) var groups: [String: [PathChange.Field]] = [:]
    private var homes: [String: TreePath] = [:]

    /// Those of the tree's tables (passwd(5), shadow(5), group(5)); none where they are not at hand.
    private init(_ image: ComparedImage) throws {
        var passwords = [String: String]()
        for row in try Self.rows("etc/shadow", image) where row.count > 1 { passwords[row[0]] = Self.state(of: row[1]) }
        for row in try Self.rows("etc/passwd", image) where row.count >= 7 && users[row[0]] == nil {
            let password = row[1] == "x" ? passwords[row[0]] : Self.state(of: row[1])
            let values = [
                ("uid", row[2]), ("gid", row[3]), ("home", row[5]), ("shell", row[6]),
                ("password", password ?? "locked"),
            ]
            users[row[0]] = values.map { .init(name: $0, old: nil, new: $1) }
            homes[row[0]] = TreePath(normalizing: row[5])
        }
        for row in try Self.rows("etc/group", image) where row.count >= 4 && groups[row[0]] == nil {
            groups[row[0]] = [("gid", row[2]), ("members", row[3])].map { .init(name: $0, old: nil, new: $1) }
        }
    }

    private static func rows(_ path: TreePath, _ image: ComparedImage) throws -> [[String]] {
        try image.lines(of: path).map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    }

    /// What a password field says, without what it is.
    private static func state(of field: String) -> String {
        field.isEmpty ? "empty" : field.hasPrefix("!") || field.hasPrefix("*") || field == "x" ? "locked" : "set"
    }

    /// What became of the users and groups between two sides; nothing where one of them does not tell.
    static func changes(
        from old: ComparedImage, to new: ComparedImage
    ) throws -> (changes: [AccountChange], homes: [TreePath]) {
        if old.read == nil || new.read == nil { return ([], []) }
        return try AccountTables(old).changes(to: AccountTables(new))
    }

    /// What became of them: users, then groups, by name; and the homes of the users that came or went.
    private func changes(to new: AccountTables) -> (changes: [AccountChange], homes: [TreePath]) {
        let users = Self.changes(.user, users, new.users)
        let changes = users + Self.changes(.group, groups, new.groups)
        let homes = users.filter { $0.change != .changed }.compactMap { new.homes[$0.name] ?? self.homes[$0.name] }
        return (changes, homes.filter { $0.components.count > 1 })
    }

    private static func changes(
        _ kind: AccountChange.Kind, _ old: [String: [PathChange.Field]], _ new: [String: [PathChange.Field]]
    ) -> [AccountChange] {
        Set(old.keys).union(new.keys).sorted().compactMap { name in
            switch (old[name], new[name]) {
            case (nil, let fields?): return AccountChange(kind: kind, name: name, change: .added, fields: fields)
            case (_?, nil): return AccountChange(kind: kind, name: name, change: .removed, fields: [])
            case (let before?, let after?):
                let fields = zip(before, after).filter { $0 != $1 }.map {
                    PathChange.Field(name: $1.name, old: $0.new, new: $1.new)
                }
                return fields.isEmpty ? nil : AccountChange(kind: kind, name: name, change: .changed, fields: fields)
            case (nil, nil): return nil
            }
        }
    }
}
