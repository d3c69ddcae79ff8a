public import RootfsModel

/// The files of a tree that a service needs, as far as reading can tell.
public struct ServiceClosure: Sendable {
    /// What a file is to a service.
    public enum Role: String, Sendable { case unit, environment, program, script, library, module, plugin, file }

    public var service: Service
    public var members: [TreePath: Role]
    /// Folders of which it may load anything.
    public var folders: [TreePath: Role]
}

extension CheckSubject {
    /// What each service needs: its unit and drop-ins, its programs and scripts, what the loader brings in for them, the
    /// modules that a Node script names, and the folders of plugins that a library of it opens by name.
    public func serviceClosures() throws -> [ServiceClosure] {
        let loads = Dictionary(grouping: try serviceLoads(), by: \.service)
        let units = UnitDirectory(self)
        var modules = [String: [TreePath]]()
        let packages = NodePackages(self)
        for invocation in try nodeInvocations() {
            let walk = ModuleWalk(
                invocation, build: try nodeBuild(of: invocation.program), in: self, packages: packages)
            try walk.run()
            modules[invocation.service.name, default: []] += walk.files
        }
        return try services.map { service in
            var closure = ServiceClosure(service: service, members: [:], folders: [:])
            try closure.addUnit(units)
            for file in service.environmentFiles { closure.add(file.path, .environment, in: tree) }
            for path in modules[service.name] ?? [] { closure.add(path, .module, in: tree) }
            for load in loads[service.name] ?? [] { closure.add(load, in: self) }
            return closure
        }
    }
}

extension ServiceClosure {
    /// A file by the path that leads to it; what is there already keeps its role.
    fileprivate mutating func add(_ path: TreePath, _ role: Role, in tree: FileTree) {
        guard let node = tree.resolvedNode(path), node.blob != nil else { return }
        members[node.path] = members[node.path] ?? role
    }

    /// The unit's file and the drop-ins that say something of it.
    fileprivate mutating func addUnit(_ units: UnitDirectory) throws {
        guard case .systemd(let path) = service.origin else { return }
        members[path] = .unit
        guard let unit = try units.unit(service.name) else { return }
        for file in Set(unit.text.assignments.map(\.location.file)) {
            if let path = TreePath(normalizing: file) { members[path] = .unit }
        }
    }

    fileprivate mutating func add(_ load: ServiceLoad, in subject: CheckSubject) {
        let tree = subject.tree
        if let program = load.launch.program {
            add(program, .program, in: tree)
            addFolders(of: program)
        }
        if let script = load.launch.script { add(script, .script, in: tree) }
        // What it is given by its path: an interpreter's script, a configuration.
        for word in load.launch.words.dropFirst() where word.hasPrefix("/") {
            guard let path = TreePath(normalizing: word), let node = tree.resolvedNode(path), let blob = node.blob
            else {
                continue
            }
            let isScript =
                [".py", ".js", ".mjs", ".sh", ".pl", ".rb"].contains {
                    node.path.bytes.reversed().starts(with: $0.utf8.reversed())
                }
                || (try? subject.read(blob, 0..<min(2, blob.size))) == Array("#!".utf8)
            add(path, isScript ? .script : .file, in: tree)
        }
        for object in load.process.objects.dropFirst() {
            add(object.path, .library, in: tree)
            addPlugins(of: object.path, in: tree)
        }
    }

    /// What an interpreter and a program with a folder of its own name read from there.
    private mutating func addFolders(of program: TreePath) {
        let name = String(decoding: program.name, as: UTF8.self)
        if name.hasPrefix("python3") {
            for folder in ["usr/lib/python3", "usr/lib/\(name)", "usr/local/lib/\(name)"] {
                if let path = TreePath(normalizing: folder) { folders[path] = .module }
            }
        }
        if name.hasPrefix("perl") {
            for folder in ["usr/share/perl5", "usr/share/perl"] {
                if let path = TreePath(normalizing: folder) { folders[path] = .module }
            }
        }
        if let folder = program.parent, folder.name.elementsEqual(program.name) { folders[folder] = .file }
    }

    /// Folders beside a library from which it loads by name, by the beginning of the library's name.
    private static let pluginFolders: [(library: String, folder: TreePath)] = [
        ("libgstreamer-1.0.so", "gstreamer-1.0"), ("libgdk_pixbuf-2.0.so", "gdk-pixbuf-2.0"), ("libpam.so", "security"),
        ("libcrypto.so", "ossl-modules"), ("libcrypto.so", "engines-3"), ("libsasl2.so", "sasl2"),
        ("libgio-2.0.so", "gio/modules"), ("libGL", "dri"), ("libEGL", "dri"), ("libnss3.so", "nss"),
    ]

    private mutating func addPlugins(of library: TreePath, in tree: FileTree) {
        guard let place = library.parent else { return }
        for (name, folder) in Self.pluginFolders where library.name.starts(with: name.utf8) {
            let path = place.appending(folder)
            if tree[path]?.isDirectory == true { folders[path] = .plugin }
        }
        // NSS has its token beside itself.
        if library.name.starts(with: "libnss3.so".utf8) {
            for name in ["libsoftokn3.so", "libfreebl3.so", "libfreeblpriv3.so", "libnssckbi.so", "libnssdbm3.so"] {
                add(place.appending(Array(name.utf8)), .plugin, in: tree)
            }
        }
        if library.name.starts(with: "libpam.so".utf8) { folders["etc/pam.d"] = .plugin }
    }
}
