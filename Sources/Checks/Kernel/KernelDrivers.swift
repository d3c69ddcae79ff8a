import RootfsModel

/// Where a machine finds what one of its kernel's options builds.
enum DriverPlace: Hashable {
    case builtIn
    /// A module that the initrd brings, so before the root file system.
    case initrd
    /// A module that the image brings, with something that loads it.
    case image
    /// Built as a module that nothing brings.
    case lostModule
    /// Not built at all.
    case absent
    /// Nobody knows the kernel's configuration.
    case unknown

    /// Whether the kernel has it once the system is up; true where nobody knows.
    var isThere: Bool { self != .lostModule && self != .absent }
}

/// A kernel with what its initrd and the image bring for it.
struct KernelDrivers {
    let kernel: CheckSubject.Kernel
    private let inInitrd: Set<String>
    private let inImage: Set<String>
    /// The releases that the image has modules of, sorted.
    let imageReleases: [String]
    /// Whether the image has a program that loads modules.
    let imageLoadsModules: Bool

    init(_ kernel: CheckSubject.Kernel, in tree: FileTree) {
        self.kernel = kernel
        self.inInitrd = Self.modules(in: kernel.initrd?.nodes[...] ?? [])
        let folder = tree.resolve("lib/modules") ?? "lib/modules"
        let below = tree.nodes[tree.indices(below: folder)]
        var releases = Set<String>()
        for node in below where node.isDirectory && node.path.isChild(of: folder) {
            let hasModules = tree.nodes[tree.indices(below: node.path)].contains { Self.moduleName($0) != nil }
            if hasModules { releases.insert(String(decoding: node.path.name, as: UTF8.self)) }
        }
        self.imageReleases = releases.sorted()
        let loaders: [TreePath] = ["sbin/modprobe", "usr/sbin/modprobe", "lib/systemd/systemd-udevd"]
        self.imageLoadsModules = loaders.contains { tree.resolvedNode($0)?.blob != nil }
        if imageLoadsModules, let release = kernel.release, releases.contains(release) {
            let own = folder.appending(release.utf8)
            self.inImage = Self.modules(in: tree.nodes[tree.indices(below: own)])
        } else {
            self.inImage = []
        }
    }

    /// - Parameters:
    ///   - option: without `CONFIG_`: `VIRTIO_BLK`.
    ///   - module: the module that it builds where it is not built in.
    func place(of option: String, module: String) -> DriverPlace {
        guard let value = value(of: option) else { return .unknown }
        switch value {
        case "m":
            if inInitrd.contains(module) { return .initrd }
            return inImage.contains(module) ? .image : .lostModule
        case "", "n": return .absent
        default: return .builtIn
        }
    }

    /// A module by its own name, where its option is not known: as modules-load.d has it.
    func brings(module: String) -> Bool { inInitrd.contains(module) || inImage.contains(module) }

    /// The setting; empty where it is not set, nil where nobody knows the configuration.
    func value(of option: String) -> String? {
        guard let options = kernel.options else { return nil }
        return options["CONFIG_" + option] ?? options[option] ?? ""
    }

    /// The last value that the command line gives a parameter; empty for one without a value.
    func argument(_ name: String) -> String? { arguments(name).last }

    /// All values of a parameter, in order. What stands behind `--` is init's.
    func arguments(_ name: String) -> [String] {
        kernel.arguments.prefix { $0 != "--" }.compactMap { word in
            if word == name { return "" }
            return word.hasPrefix(name + "=") ? String(word.dropFirst(name.count + 1)) : nil
        }
    }

    /// The two first numbers of the release; nil where it is not known.
    var version: (major: Int, minor: Int)? {
        let numbers = (kernel.release ?? "").split(separator: ".", maxSplits: 2)
        guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1].prefix { $0.isNumber })
        else { return nil }
        return (major, minor)
    }

    func isOlder(than major: Int, _ minor: Int) -> Bool {
        version.map { $0 < (major, minor) } ?? false
    }

    /// As the kernel says a module's name: with `_`.
    static func normalized(_ name: some StringProtocol) -> String { String(name.map { $0 == "-" ? "_" : $0 }) }

    private static func modules(in nodes: ArraySlice<FileNode>) -> Set<String> {
        Set(nodes.compactMap { moduleName($0) })
    }

    private static func moduleName(_ node: FileNode) -> String? {
        guard !node.isDirectory else { return nil }
        let file = String(decoding: node.path.name, as: UTF8.self)
        for suffix in [".ko", ".ko.xz", ".ko.zst", ".ko.gz"] where file.hasSuffix(suffix) {
            return normalized(file.dropLast(suffix.count))
        }
        return nil
    }
}

extension CheckSubject {
    /// The kernel's drivers; nil where no kernel was given.
    var drivers: KernelDrivers? { kernel.map { KernelDrivers($0, in: tree) } }

    /// A file's lines without comments and blanks around them; none where there is no such file.
    func settingLines(of path: TreePath) throws -> [String] {
        guard let bytes = try content(of: path, limit: 1 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.drop { $0 == " " || $0 == "\t" }
            return words.isEmpty || words.hasPrefix("#") || words.hasPrefix(";") ? nil : String(words)
        }
    }
}
