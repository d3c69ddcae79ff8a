import RootfsModel

// What the text and the Markdown report share: how values are said.

extension Comparison.Side {
    /// `minimal 2026-11-21, 133 packages, 146.6 MB, linux 6.1.0`, as far as it is known.
    var summary: String {
        var words = [kind.rawValue]
        if let recipe { words[0] += " of \(recipe)" }
        if let moment { words.append(dateText(moment)) }
        if let packages { words.append(counted(packages, "package")) }
        if let paths { words.append(counted(paths, "path")) }
        if let contentSize { words.append(byteText(contentSize)) }
        if let kernel { words.append("kernel \(kernel)") }
        return words.joined(separator: ", ")
    }
}

extension PackageChange {
    /// `1.0 → 1.1`, `1.0`.
    var versions: String {
        switch change {
        case .added, .rebuilt: new ?? ""
        case .removed: old ?? ""
        case .upgraded, .downgraded: "\(old ?? "") → \(new ?? "")"
        }
    }
}

extension PackageChange.Files {
    /// `12 files`, `3 files added`; empty for none.
    var summary: String {
        if sum == 0 { return "" }
        let parts = [(added, "added"), (removed, "removed"), (changed, "changed")].filter { $0.0 > 0 }
        return parts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}

extension [PackageChange] {
    /// `3 upgraded, 1 added`.
    var summary: String {
        PackageChange.Kind.allCases.compactMap { kind in
            let count = count { $0.change == kind }
            return count > 0 ? "\(count) \(kind.rawValue)" : nil
        }.joined(separator: ", ")
    }

    /// Those that came first, then those that went, that have a newer version, and so on.
    var byKind: [PackageChange] {
        PackageChange.Kind.allCases.flatMap { kind in filter { $0.change == kind } }
    }

    /// The vulnerabilities that upgrades close and that downgrades open, each once, in the order of their numbers.
    func vulnerabilities(_ kind: PackageChange.Kind) -> [String] {
        let names = Set(filter { $0.change == kind }.flatMap(\.vulnerabilities))
        return names.sorted { left, right in
            let numbers = [left, right].map { $0.split(separator: "-").compactMap { Int($0) } }
            return numbers[0].lexicographicallyPrecedes(numbers[1])
        }
    }

    /// What moved, by source and versions: packages of one source that moved together have one changelog.
    var bySource: [(packages: [PackageChange], changelog: [String])] {
        var groups = [(packages: [PackageChange], changelog: [String])]()
        var places = [String: Int]()
        for package in self {
            guard let changelog = package.changelog else { continue }
            let key = "\(package.source) \(changelog.joined(separator: "\n"))"
            if let place = places[key] {
                groups[place].packages.append(package)
            } else {
                places[key] = groups.count
                groups.append(([package], changelog))
            }
        }
        return groups
    }
}

extension ServiceChange {
    /// `program 1, library 3 (libc6, libssl3)`: what it needs and changed, by role, with the causes.
    var memberSummary: String {
        var parts = [String]()
        var roles = [String]()
        for member in members where !roles.contains(member.role) { roles.append(member.role) }
        for role in roles {
            let own = members.filter { $0.role == role }
            let causes = Set(own.map { $0.cause.name ?? $0.cause.text }).sorted()
            let shown = causes.prefix(4).joined(separator: ", ") + (causes.count > 4 ? ", …" : "")
            let noun =
                role == "library" ? (own.count == 1 ? "library" : "libraries") : own.count == 1 ? role : role + "s"
            parts.append(own.count == 1 ? "\(own[0].path) (\(shown))" : "\(own.count) \(noun) (\(shown))")
        }
        return parts.joined(separator: ", ")
    }
}

extension [ServiceChange] {
    /// `1 changed, 11 affected`.
    var summary: String {
        ServiceChange.Kind.allCases.compactMap { kind in
            let count = count { $0.change == kind }
            return count > 0 ? "\(count) \(kind.rawValue)" : nil
        }.joined(separator: ", ")
    }

    /// By kind; services that are affected in the same words stand together.
    func grouped(_ words: (ServiceChange) -> String) -> [(change: ServiceChange.Kind, names: [String], words: String)] {
        var groups = [(change: ServiceChange.Kind, names: [String], words: String)]()
        for kind in ServiceChange.Kind.allCases {
            for service in self where service.change == kind {
                let text = words(service)
                if kind == .affected, let index = groups.firstIndex(where: { $0.change == kind && $0.words == text }) {
                    groups[index].names.append(service.name)
                } else {
                    groups.append((kind, [service.name], text))
                }
            }
        }
        return groups
    }
}

extension [SecurityChange] {
    /// The first few of each kind and severity, with how many more there are: a package may bring hundreds of
    /// certificates.
    func shortened(_ most: Int) -> [(change: SecurityChange, more: Int)] {
        var result = [(change: SecurityChange, more: Int)]()
        var count = 0
        for change in self {
            if let last = result.last?.change, last.kind == change.kind, last.severity == change.severity {
                count += 1
            } else {
                count = 1
            }
            if count <= most { result.append((change, 0)) } else { result[result.count - 1].more += 1 }
        }
        return result
    }
}

extension Comparison.Counts {
    /// `412 paths changed: 12 added, 3 removed, 397 changed`.
    var summary: String {
        if paths == 0 { return "no path changed" }
        let parts = [(added, "added"), (removed, "removed"), (changed, "changed")].filter { $0.0 > 0 }
        return counted(paths, "path") + " \(paths == 1 ? "differs" : "differ"): "
            + parts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }

    /// `packages 390, scripts 12`: the sum is the number of paths.
    var causeSummary: String {
        Cause.Kind.allCases.compactMap { kind in
            let count = causes.filter { $0.kind == kind }.reduce(0) { $0 + $1.paths }
            if count == 0 { return nil }
            return (kind == .none ? "not explained" : kind == .time ? "times" : kind.rawValue) + " \(count)"
        }.joined(separator: ", ")
    }
}

/// `1 path`, `2 paths`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// `+12.1 kB`, `-3 B`, `±0 B`.
func deltaText(_ delta: Int64) -> String {
    delta == 0 ? "±0 B" : (delta < 0 ? "-" : "+") + byteText(delta.magnitude)
}

/// A moment in UTC to the minute: `2026-11-21 19:42`.
func minuteText(_ seconds: Int64) -> String {
    let date = CivilDate(seconds)
    return "\(date.dayText) \(CivilDate.padded(date.hour)):\(CivilDate.padded(date.minute))"
}

/// A moment's day in UTC: `2026-11-21`.
func dateText(_ seconds: Int64) -> String { CivilDate(seconds).dayText }
