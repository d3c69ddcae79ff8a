import RootfsModel

/// Whether Node can load compiled addons.
struct NodeAddons {
    let subject: CheckSubject
    let build: NodeBuild?

    /// What keeps this Node from loading a file; nil where nothing that can be seen does.
    func obstacle(to path: TreePath) throws -> (id: String, severity: Severity, message: String, remedy: String)? {
        guard let blob = subject.tree[path]?.blob else { return nil }
        guard let elf = try subject.elfFile(at: path) else {
            return (
                "node/addon-machine", .error, "\(path) is no ELF file: Node cannot load it", "build the addon for Linux"
            )
        }
        let machines: [String: UInt16] = [
            "amd64": 62, "arm64": 183, "i386": 3, "armhf": 40, "riscv64": 243, "ppc64el": 21, "s390x": 22,
        ]
        if let wanted = machines[subject.architecture], elf.machine != wanted {
            return (
                "node/addon-machine", .error,
                "\(path) is for \(elf.machineName), and the image for \(subject.architecture)",
                "build the addon on \(subject.architecture)"
            )
        }
        let symbols = try elf.symbols(of: blob, with: subject.read)
        if symbols.contains(where: { $0.name.hasPrefix("napi_") && (!$0.isDefined || $0.name.hasSuffix("module_v1")) })
        {
            return nil
        }
        let prefix = "node_register_module_v"
        let versions = symbols.filter { $0.isDefined && $0.name.hasPrefix(prefix) }.compactMap {
            Int($0.name.dropFirst(prefix.count))
        }
        if let wanted = build?.modules, !versions.isEmpty, !versions.contains(wanted) {
            let own = versions.map(String.init).joined(separator: ", ")
            return (
                "node/addon-abi", .error,
                "\(path) is built for NODE_MODULE_VERSION \(own), and this Node has \(wanted)",
                "build it anew with this Node (npm rebuild), or take the Node that it was built with"
            )
        }
        guard versions.isEmpty, symbols.contains(where: { $0.name == "node_module_register" }) else { return nil }
        return (
            "node/addon-unknown", .note, "for which Node \(path) was built cannot be seen: it registers itself",
            "make sure that it was built with NODE_MODULE_VERSION \(build?.modules.map(String.init) ?? "of this Node")"
        )
    }

    /// Addons that node-gyp put into a package's own folder, in path order.
    func built(in folder: TreePath) -> [TreePath] {
        let release = folder.appending("build".utf8).appending("Release".utf8)
        return addons(below: release).filter { !$0.components.contains { $0.elementsEqual("obj.target".utf8) } }
    }

    /// All addons below a folder, without those of packages in it.
    func addons(below folder: TreePath) -> [TreePath] {
        subject.tree.nodes[subject.tree.indices(below: folder)].compactMap { node in
            guard node.blob != nil, node.path.name.suffix(5).elementsEqual(".node".utf8),
                let relative = node.path.relative(to: folder),
                !relative.components.contains(where: { $0.elementsEqual("node_modules".utf8) })
            else { return nil }
            return node.path
        }
    }
}
