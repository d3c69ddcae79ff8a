internal import RootfsModel

/// A unit as it is loaded: its own name, its file, and what the file and its drop-ins say.
struct Unit: Sendable {
    /// With its instance: `getty@tty1.service`.
    var name: UnitName
    var path: TreePath
    var text: UnitText
}

/// Where systemd finds units (systemd.unit(5), System Unit Search Path), in an image.
struct UnitDirectory {
    private static let directories: [TreePath] = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ]

    private let subject: CheckSubject
    /// Each name's path in the first directory that has it.
    private var paths: [String: TreePath] = [:]
    /// By a folder's name (`x.service.d`, `x.target.wants`): what is in it by its name, the first directory's first.
    private var folders: [String: [String: TreePath]] = [:]

    init(_ subject: CheckSubject) {
        self.subject = subject
        var seen = Set<TreePath>()
        for directory in Self.directories {
            guard let directory = subject.tree.resolve(directory), seen.insert(directory).inserted else { continue }
            for index in subject.tree.indices(below: directory) {
                let path = subject.tree.nodes[index].path
                guard let relative = path.relative(to: directory) else { continue }
                let components = relative.components.map { String(decoding: $0, as: UTF8.self) }
                if components.count == 1, paths[components[0]] == nil { paths[components[0]] = path }
                if components.count == 2, folders[components[0]]?[components[1]] == nil {
                    folders[components[0], default: [:]][components[1]] = path
                }
            }
        }
    }

    /// Whether there is a file of this name, be it a unit or the mask of one.
    func knows(_ name: String) -> Bool { paths[name] != nil }

    /// Links in a folder of units that are wanted or required, to units that are nowhere: by the link.
    var danglingLinks: [(link: TreePath, name: String)] {
        folders.filter { $0.key.hasSuffix(".wants") || $0.key.hasSuffix(".requires") }.flatMap { _, entries in
            entries.compactMap { name, link in
                guard let unit = UnitName(name), !knows(name), unit.template.map({ !knows($0) }) ?? true,
                    unit.ending == "service"
                else { return nil }
                return (link, name)
            }
        }.sorted { $0.0 < $1.0 }
    }

    /// The names in a unit's `.wants` or `.requires` folders, sorted.
    func dependencies(of name: UnitName, _ kind: String) -> [String] {
        let names = [name.text] + (name.template.map { [$0] } ?? [])
        return Set(names.flatMap { (folders["\($0).\(kind)"] ?? [:]).keys }).sorted()
    }

    /// The unit of a name, through aliases; nil where there is none or it is masked.
    func unit(_ text: String) throws -> Unit? {
        guard var name = UnitName(text) else { return nil }
        guard let path = paths[name.text] ?? name.template.flatMap({ paths[$0] }) else { return nil }
        guard let file = subject.tree.resolve(path), let blob = subject.tree[file]?.blob, blob.size > 0,
            let content = try subject.content(of: file, limit: 1 << 20)
        else { return nil }
        // An alias is a link to another unit's file; an instance may link to its template.
        var names = [name.text]
        if file.name != path.name, let real = UnitName(String(decoding: file.name, as: UTF8.self)) {
            if real.isTemplate, let instance = name.instance {
                name = real.with(instance: instance)
            } else if real.ending == name.ending {
                name = real
            }
            names.append(name.text)
        }
        var unit = Unit(name: name, path: file, text: UnitText())
        unit.text.append(content, of: file)
        for dropIn in dropIns(of: names) {
            if let content = try subject.content(of: dropIn, limit: 1 << 20) { unit.text.append(content, of: dropIn) }
        }
        return unit
    }

    /// The drop-ins that count for a unit of these names, in the order of their own names. Of two of one name the more
    /// special folder's counts: the unit's, its template's, `a-b-.service.d`, `a-.service.d`, `service.d`.
    private func dropIns(of names: [String]) -> [TreePath] {
        var chosen = [String: TreePath]()
        for text in names {
            guard let name = UnitName(text) else { continue }
            var folderNames = [name.text] + (name.template.map { [$0] } ?? [])
            var prefix = name.prefix
            while let dash = prefix.dropLast().lastIndex(of: "-") {
                prefix = String(prefix[...dash])
                folderNames.append("\(prefix).\(name.ending)")
            }
            folderNames.append(name.ending)
            for folder in folderNames {
                for (file, path) in folders[folder + ".d"] ?? [:] where file.hasSuffix(".conf") && chosen[file] == nil {
                    chosen[file] = path
                }
            }
        }
        return chosen.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
    }
}

/// A unit's name in its parts: `prefix@instance.ending`.
struct UnitName: Hashable, Sendable {
    private static let endings: Set<String> = [
        "service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice", "scope", "device",
    ]

    var prefix: String
    /// nil: neither a template nor an instance of one; empty: a template.
    var instance: String?
    var ending: String

    /// nil where it is no unit's name.
    init?(_ text: String) {
        // Longer ones systemd takes for none (UNIT_NAME_MAX).
        guard text.utf8.count < 256, let dot = text.lastIndex(of: "."), dot != text.startIndex, !text.contains("/")
        else { return nil }
        ending = String(text[text.index(after: dot)...])
        guard Self.endings.contains(ending) else { return nil }
        let stem = text[..<dot]
        if let at = stem.firstIndex(of: "@") {
            prefix = String(stem[..<at])
            instance = String(stem[stem.index(after: at)...])
        } else {
            prefix = String(stem)
            instance = nil
        }
    }

    var text: String { "\(stem).\(ending)" }
    var stem: String { prefix + (instance.map { "@" + $0 } ?? "") }
    var isTemplate: Bool { instance?.isEmpty ?? false }
    /// The name of the template that it is an instance of.
    var template: String? { instance == nil || isTemplate ? nil : "\(prefix)@.\(ending)" }

    func with(instance: String) -> UnitName {
        var name = self
        name.instance = instance
        return name
    }
}
