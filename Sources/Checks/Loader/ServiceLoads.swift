import RootfsModel

/// One ELF program that a service starts, with all that is loaded for it.
struct ServiceLoad: Sendable {
    var service: String
    var launch: Launch
    var process: LoadedProcess
}

extension CheckSubject {
    /// What the loader does for each program that a service starts; computed once for all rules.
    func serviceLoads() throws -> [ServiceLoad] {
        try elfFiles.loads { try makeLoads() }
    }

    /// The loaders of a tree, one for each kind of object.
    func makeLoaders() throws -> Loaders { try Loaders(self) }

    /// What the loader goes by when the program of a load opens an object itself.
    func loaderSetting(of load: ServiceLoad) throws -> ProcessLoader.Setting {
        let service = services.first { $0.name == load.service }
        return loaderSetting(of: load.launch, try service.map(fileEnvironment) ?? [:], preloaded: [])
    }

    /// `more` is what environment files say, `preloaded` what ld.so.preload does.
    private func loaderSetting(of launch: Launch, _ more: [String: String], preloaded: [[UInt8]])
        -> ProcessLoader.Setting
    {
        let path = more["LD_LIBRARY_PATH"] ?? launch.environment["LD_LIBRARY_PATH"] ?? ""
        let preload = more["LD_PRELOAD"] ?? launch.environment["LD_PRELOAD"] ?? ""
        var setting = ProcessLoader.Setting()
        setting.libraryPath = path.utf8.split { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ";") }
            .map(Array.init)
        setting.preloads = preloadNames(Array(preload.utf8)) + preloaded
        setting.directory = launch.directory.map { $0.isRoot ? [] : [UInt8(ascii: "/")] + $0.bytes } ?? []
        if let identity = launch.identity { setting.mayRead = { identity.may(4, $0) } }
        setting.isSecure =
            launch.program.flatMap { tree[$0] }.map { isSecure($0, launch.identity) } ?? false
        return setting
    }

    private func makeLoads() throws -> [ServiceLoad] {
        let loaders = try makeLoaders()
        let preloaded = try content(of: "etc/ld.so.preload", limit: 1 << 16).map(preloadNames) ?? []
        var loads = [ServiceLoad]()
        for start in try serviceStarts() {
            let service = start.service
            var seen = Set<[String]>()
            let more = try fileEnvironment(of: service)
            for launch in start.launches {
                let path = more["LD_LIBRARY_PATH"] ?? launch.environment["LD_LIBRARY_PATH"] ?? ""
                let preload = more["LD_PRELOAD"] ?? launch.environment["LD_PRELOAD"] ?? ""
                guard let program = launch.program, let file = try elfFile(at: program),
                    seen.insert([program.description, path, preload, launch.identity?.name ?? ""]).inserted
                else { continue }
                let setting = loaderSetting(of: launch, more, preloaded: preloaded)
                let loader = try loaders.loader(for: file)
                loads.append(
                    ServiceLoad(
                        service: service.name, launch: launch,
                        process: try loader.map { try ProcessLoader(program, file, $0, setting).process }
                            ?? LoadedProcess(alone: program, file)))
            }
        }
        return loads
    }

    /// The loader's variables of a service's environment files, whose last word counts (systemd.exec(5)).
    private func fileEnvironment(of service: Service) throws -> [String: String] {
        var values = [String: String]()
        for file in service.environmentFiles {
            guard let content = try content(of: file.path, limit: 1 << 20) else { continue }
            for line in String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline) {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].trimmed.hasPrefix("LD_") else { continue }
                values[parts[0].trimmed] = parts[1].trimmed.filter { $0 != "\"" && $0 != "'" }
            }
        }
        return values
    }

    /// Whether starting a file gives its process rights that its user has not (AT_SECURE).
    private func isSecure(_ node: FileNode, _ identity: Identity?) -> Bool {
        guard let identity else { return false }
        let metadata = node.metadata
        if metadata.mode & 0o4000 != 0, metadata.uid != identity.uid { return true }
        if metadata.mode & 0o2000 != 0, !identity.gids.contains(metadata.gid) { return true }
        return identity.uid != 0 && metadata.xattrs.contains { $0.name == "security.capability" }
    }
}

/// Names separated by blanks, colons and line ends; what follows a `#` is a comment of the file.
private func preloadNames(_ text: [UInt8]) -> [[UInt8]] {
    text.split(separator: UInt8(ascii: "\n")).flatMap { line in
        line.prefix { $0 != UInt8(ascii: "#") }.split { [0x20, 0x09, UInt8(ascii: ":")].contains($0) }.map(Array.init)
    }
}

/// The loaders of one tree, by the program's interpreter and kind.
final class Loaders {
    private struct Kind: Hashable {
        var interpreter: [UInt8]
        var machine: UInt16
        var isWide: Bool
    }

    private let subject: CheckSubject
    let cache: LoaderCache?
    private var loaders: [Kind: Loader] = [:]

    init(_ subject: CheckSubject) throws {
        self.subject = subject
        self.cache = try subject.content(of: "etc/ld.so.cache").flatMap { LoaderCache($0) }
    }

    /// The loader for a program; nil where it has none, where that is not in the tree, or is not glibc's.
    func loader(for file: ElfFile) throws -> Loader? {
        guard let interpreter = file.interpreter else { return nil }
        let name = interpreter.split(separator: UInt8(ascii: "/")).last ?? []
        // musl has rules of its own.
        guard name.starts(with: "ld-linux".utf8) || name.starts(with: "ld.so".utf8) || name.starts(with: "ld64".utf8),
            let path = subject.tree.resolve(bytes: interpreter), subject.tree[path]?.blob != nil
        else { return nil }
        return try loader(Kind(interpreter: interpreter, machine: file.machine, isWide: file.isWide), path, file)
    }

    /// The loader that programs of a library's kind have, by the name that the architecture gives it.
    func loader(forLibrary file: ElfFile) throws -> Loader? {
        let name: String
        switch (file.machine, file.isWide) {
        case (62, true): name = "/lib64/ld-linux-x86-64.so.2"
        case (62, false): name = "/libx32/ld-linux-x32.so.2"
        case (3, _): name = "/lib/ld-linux.so.2"
        case (183, true): name = "/lib/ld-linux-aarch64.so.1"
        case (40, _): name = "/lib/ld-linux-armhf.so.3"
        case (243, true): name = "/lib/ld-linux-riscv64-lp64d.so.1"
        case (21, _): name = "/lib64/ld64.so.2"
        case (22, true): name = "/lib/ld64.so.1"
        default: return nil
        }
        let interpreter = Array(name.utf8)
        guard let path = subject.tree.resolve(bytes: interpreter), subject.tree[path]?.blob != nil else { return nil }
        return try loader(Kind(interpreter: interpreter, machine: file.machine, isWide: file.isWide), path, file)
    }

    private func loader(_ kind: Kind, _ path: TreePath, _ file: ElfFile) throws -> Loader {
        if let loader = loaders[kind] { return loader }
        let loader = try Loader(for: file, loader: path, cache: cache, in: subject)
        loaders[kind] = loader
        return loader
    }
}
