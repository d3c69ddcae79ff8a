public import RootfsModel

/// One module, ready to be loaded.
public struct KernelModule: Hashable, Sendable {
    /// As the kernel says it: `virtio_rng`, with `_` even where its file has `-`.
    public var name: String
    /// Its file in the package.
    public var path: TreePath
    /// The ELF file, decompressed.
    public var bytes: [UInt8]

    public init(name: String, path: TreePath, bytes: [UInt8]) {
        self.name = name
        self.path = path
        self.bytes = bytes
    }
}

/// The modules of one kernel package, by name. Knows no modules.dep: a package has none, so each module is asked
/// what it depends on.
public struct KernelModules: Sendable {
    private let paths: [String: TreePath]
    private let builtIn: Set<String>
    /// Aliases of built-in modules (`crypto-crc32c`), for soft dependencies.
    private let builtInAliases: Set<String>

    /// - Parameters:
    ///   - paths: the package's paths, or those below lib/modules: `*.ko`, `*.ko.xz`, `*.ko.zst`, `*.ko.gz`,
    ///     modules.builtin and modules.builtin.modinfo; others are ignored.
    ///   - read: the content of a path; nil where there is none.
    public init(paths: some Sequence<TreePath>, read: (TreePath) throws -> [UInt8]?) throws {
        var found: [String: TreePath] = [:]
        var builtIn = Set<String>()
        var aliases = Set<String>()
        for path in paths.sorted() {
            let file = String(decoding: path.name, as: UTF8.self)
            if let name = Self.moduleName(file: file) {
                // A module below updates/ replaces the kernel's own, as depmod has it.
                if let other = found[name], Self.isUpdate(other) || !Self.isUpdate(path) { continue }
                found[name] = path
            } else if file == "modules.builtin", let text = try read(path) {
                for line in text.split(separator: UInt8(ascii: "\n")) {
                    let file = line.split(separator: UInt8(ascii: "/")).last ?? line
                    if let name = Self.moduleName(file: String(decoding: file, as: UTF8.self)) {
                        builtIn.insert(name)
                    }
                }
            } else if file == "modules.builtin.modinfo", let text = try read(path) {
                for entry in text.split(separator: 0) {
                    let entry = String(decoding: entry, as: UTF8.self)
                    guard let range = entry.firstRange(of: ".alias=") else { continue }
                    aliases.insert(String(entry[range.upperBound...]))
                }
            }
        }
        self.paths = found
        self.builtIn = builtIn
        self.builtInAliases = aliases
    }

    /// Whether there is a file for it.
    public func contains(_ name: String) -> Bool { paths[Self.normalized(name)] != nil }

    /// Whether modules.builtin names it.
    public func isBuiltIn(_ name: String) -> Bool { builtIn.contains(Self.normalized(name)) }

    /// The names of all modules there is a file for, sorted.
    public var names: [String] { paths.keys.sorted() }

    /// These modules and all they depend on, in the order they must be loaded. What is built into the kernel is
    /// left out; a name that is neither is an error.
    ///
    /// - Parameters:
    ///   - config: the kernel's configuration, which knows what is built in where the package does not say.
    ///   - read: the content of a path, as for init.
    public func resolve(
        _ names: [String], config: KernelConfig? = nil, read: (TreePath) throws -> [UInt8]?
    ) throws -> [KernelModule] {
        var resolution = Resolution(modules: self, config: config)
        for name in names { try resolution.visit(Self.normalized(name), neededBy: nil, read: read) }
        return resolution.order
    }

    static func normalized(_ name: String) -> String {
        String(name.map { $0 == "-" ? "_" : $0 })
    }

    /// `virtio-rng.ko.xz` is virtio_rng; nil for what is no module.
    static func moduleName(file: String) -> String? {
        for suffix in [".ko", ".ko.xz", ".ko.zst", ".ko.gz"] where file.hasSuffix(suffix) && file.count > suffix.count {
            return normalized(String(file.dropLast(suffix.count)))
        }
        return nil
    }

    private static func isUpdate(_ path: TreePath) -> Bool {
        path.components.contains { $0.elementsEqual("updates".utf8) }
    }

    private struct Resolution {
        let modules: KernelModules
        let config: KernelConfig?
        var order: [KernelModule] = []
        private var visited = Set<String>()
        private var providers: [String: String]?

        init(modules: KernelModules, config: KernelConfig?) {
            self.modules = modules
            self.config = config
        }

        mutating func visit(_ name: String, neededBy parent: String?, read: (TreePath) throws -> [UInt8]?) throws {
            guard visited.insert(name).inserted else { return }
            if modules.isBuiltIn(name) { return }
            guard let path = modules.paths[name] else {
                if let option = Driver.option(ofModule: name), config?.isBuiltIn(option) == true { return }
                throw missing(name, neededBy: parent)
            }
            let (bytes, info) = try load(path, read: read)
            for other in info.softDependencies { try visitSoftly(other, neededBy: name, read: read) }
            for other in info.dependencies { try visit(other, neededBy: name, read: read) }
            order.append(KernelModule(name: name, path: path, bytes: bytes))
        }

        /// A soft dependency may be an alias, may be built in, and may be missing.
        private mutating func visitSoftly(
            _ name: String, neededBy parent: String, read: (TreePath) throws -> [UInt8]?
        ) throws {
            let module = KernelModules.normalized(name)
            if modules.isBuiltIn(module) || modules.builtInAliases.contains(name) { return }
            if modules.contains(module) { return try visit(module, neededBy: parent, read: read) }
            if providers == nil { providers = try aliasProviders(read) }
            if let provider = providers?[name] { try visit(provider, neededBy: parent, read: read) }
        }

        /// Which module provides an alias; the first by name where several do. Opens every module, so it is only
        /// made where a soft dependency names no module.
        private func aliasProviders(_ read: (TreePath) throws -> [UInt8]?) throws -> [String: String] {
            var providers: [String: String] = [:]
            for name in modules.names {
                guard let path = modules.paths[name] else { continue }
                for alias in try load(path, read: read).info.aliases where providers[alias] == nil {
                    providers[alias] = name
                }
            }
            return providers
        }

        private func load(
            _ path: TreePath, read: (TreePath) throws -> [UInt8]?
        ) throws -> (bytes: [UInt8], info: ModuleInformation) {
            guard var bytes = try read(path) else {
                throw Failure("cannot read the kernel module \(path): it is not in the package")
            }
            if let compression = PayloadCompression(recognizing: bytes) {
                bytes = try compression.decompress(
                    bytes[...], name: "the kernel module \(path)", limit: ModuleInformation.largestModule)
            }
            guard let elf = ELF(bytes), let section = elf.contents(ofSection: ".modinfo") else {
                throw Failure("cannot read the kernel module \(path): it is no ELF file with a .modinfo section")
            }
            return (bytes, ModuleInformation(parsing: section))
        }

        private func missing(_ name: String, neededBy parent: String?) -> Failure {
            var notes = [String]()
            if let parent { notes.append("the module \(parent) depends on it") }
            if let option = Driver.option(ofModule: name), let config, !config.isEmpty, config[option] == .off {
                notes.append("CONFIG_\(option) is not set in its configuration")
            }
            if modules.paths.isEmpty { notes.append("the kernel came with no modules at all") }
            let near = nearestName(to: name, among: modules.names)
            return Failure(
                "the kernel has no module \(name)", notes: notes, hint: near.map { "did you mean \($0)?" })
        }
    }
}

/// What a module says of itself in its .modinfo section: `key=value` texts, each ended by a NUL.
struct ModuleInformation {
    static let largestModule = 256 << 20

    var dependencies: [String] = []
    /// What should be loaded before it, where it is there: names or aliases.
    var softDependencies: [String] = []
    var aliases: [String] = []

    init(parsing section: ArraySlice<UInt8>) {
        for entry in section.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = String(decoding: entry[(equals + 1)...], as: UTF8.self)
            switch String(decoding: entry[..<equals], as: UTF8.self) {
            case "depends":
                dependencies += value.split(separator: ",").map { KernelModules.normalized(String($0)) }
            case "alias":
                aliases.append(value)
            case "softdep":
                // `pre: a b post: c`
                var isBefore = false
                for word in value.split(separator: " ") {
                    switch word {
                    case "pre:": isBefore = true
                    case "post:": isBefore = false
                    default: if isBefore { softDependencies.append(String(word)) }
                    }
                }
            default:
                break
            }
        }
    }
}
