import RootfsModel

/// GObject introspection's files, by which gi makes modules of libraries (g_irepository_require).
struct Typelibs {
    /// Where they are looked for.
    let folders: [TreePath]
    /// Where packages have them.
    let usual: TreePath?
    private let names: Set<String>

    init(_ subject: CheckSubject, environment: [String: String]) {
        let own = (environment["GI_TYPELIB_PATH"] ?? "").split(separator: ":").compactMap {
            TreePath(normalizing: String($0))
        }
        let libraries: [TreePath] = ["usr/local/lib", "usr/lib"]
        let below = libraries.flatMap { folder in
            [folder] + subject.tree.resolvedChildren(of: folder).filter { $0.name.contains("-linux-gnu") }.map(\.path)
        }
        let all = own + below.map { $0.appending("girepository-1.0".utf8) }
        folders = all.filter { subject.tree.resolve($0) != nil }
        usual = below.last?.appending("girepository-1.0".utf8)
        names = Set(folders.flatMap { subject.tree.resolvedChildren(of: $0).map(\.name) })
    }

    /// Whether there is one of a version, or without that of any.
    func has(_ name: String, _ version: String?) -> Bool {
        if let version { return names.contains("\(name)-\(version).typelib") }
        return names.contains { $0.hasPrefix("\(name)-") && $0.hasSuffix(".typelib") }
    }
}
