import RootfsModel

extension ComparisonEngine {
    /// What starts by itself now and did not, whose unit says something else, and which need a file that changed.
    mutating func addServices() {
        guard let before = old.services, let after = new.services else { return }
        func byName(_ services: [ComparedImage.Service]) -> [String: ComparedImage.Service] {
            Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let (left, right) = (byName(before), byName(after))
        // A time alone changes no service.
        let changed = Dictionary(
            result.paths.filter { !$0.isTimeOnly && $0.type != "directory" }.map { ($0.treePath, $0) },
            uniquingKeysWith: { first, _ in first })
        result.services = Set(left.keys).union(right.keys).sorted().compactMap { name in
            let (was, now) = (left[name], right[name])
            let members = Self.members(was, now, changed)
            let kind: ServiceChange.Kind
            switch (was, now) {
            case (nil, _): kind = .enabled
            case (_, nil): kind = .disabled
            case (let was?, let now?):
                if was.command != now.command || was.user != now.user || members.contains(where: { $0.role == "unit" })
                {
                    kind = .changed
                } else if members.isEmpty {
                    return nil
                } else {
                    kind = .affected
                }
            }
            return ServiceChange(
                name: name, change: kind, oldCommand: was?.command, newCommand: now?.command, oldUser: was?.user,
                newUser: now?.user, members: members)
        }
    }

    /// The changed files among what a service needed or needs.
    private static func members(
        _ old: ComparedImage.Service?, _ new: ComparedImage.Service?, _ changed: [TreePath: PathChange]
    ) -> [ServiceChange.Member] {
        var roles = (old?.members ?? [:]).merging(new?.members ?? [:]) { $1 }
        let folders = (old?.folders ?? [:]).merging(new?.folders ?? [:]) { $1 }
        for (folder, role) in folders {
            for path in changed.keys where path.isWithin(folder) && roles[path] == nil { roles[path] = role }
        }
        return roles.compactMap { path, role in
            changed[path].map { ServiceChange.Member(path: $0.path, role: role, change: $0.change, cause: $0.cause) }
        }.sorted { (roleOrder($0.role), $0.path) < (roleOrder($1.role), $1.path) }
    }

    private static func roleOrder(_ role: String) -> Int {
        ["unit", "environment", "program", "script", "library", "module", "plugin"].firstIndex(of: role) ?? 9
    }
}
