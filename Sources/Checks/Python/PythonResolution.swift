import RootfsModel

/// What stands for a module's name in the folders of a path (importlib, FileFinder.find_spec).
struct PythonResolution {
    enum Found: Hashable {
        /// A package's __init__ or a module, with the folders to look for its own modules in; none where it has none.
        case source(TreePath, folders: [TreePath])
        case extensionModule(TreePath)
        /// Compiled, or folders without an __init__.
        case opaque(folders: [TreePath])
        case builtin
        /// Extension modules of the name, none of them for this interpreter.
        case foreign([TreePath])
        case missing
    }

    let build: PythonBuild
    let subject: CheckSubject

    /// A module's own name in the folders; those that are built in come before all.
    func find(_ name: String, in folders: [TreePath], isTop: Bool) -> Found {
        if isTop, build.builtins.contains(name) { return .builtin }
        var portions = [TreePath]()
        var foreign = [TreePath]()
        for folder in folders {
            let package = folder.appending(name.utf8)
            let directory = subject.tree.resolvedNode(package).flatMap { $0.isDirectory ? $0.path : nil }
            if let directory {
                let start = directory.appending("__init__".utf8)
                if let found = module(start, folders: [directory]) { return found }
            }
            if let found = module(package, folders: []) { return found }
            if let directory { portions.append(directory) }
            foreign += others(of: name, in: folder)
        }
        if !foreign.isEmpty, portions.isEmpty { return .foreign(foreign) }
        return portions.isEmpty ? .missing : .opaque(folders: portions)
    }

    private func module(_ stem: TreePath, folders: [TreePath]) -> Found? {
        guard let parent = stem.parent else { return nil }
        func file(_ suffix: String) -> TreePath? {
            subject.tree.resolvedNode(parent.appending(Array(stem.name) + Array(suffix.utf8))).flatMap {
                $0.blob == nil ? nil : $0.path
            }
        }
        for suffix in build.suffixes { if let path = file(suffix) { return .extensionModule(path) } }
        if let path = file(".py") { return .source(path, folders: folders) }
        return file(".pyc").map { _ in .opaque(folders: folders) }
    }

    /// Files of a name that another interpreter would take: `x.cpython-312-….so`.
    private func others(of name: String, in folder: TreePath) -> [TreePath] {
        let start = Array("\(name).cpython-".utf8)
        return subject.tree.children(of: folder).filter { node in
            node.path.name.starts(with: start) && node.path.name.hasSuffix(".so")
        }.map(\.path)
    }
}
