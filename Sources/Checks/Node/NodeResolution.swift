import RootfsModel

/// How Node finds a module: its documentation, "Modules: CommonJS modules" (All together) and "Modules: ECMAScript
/// modules" (Resolution algorithm).
struct NodeResolution {
    enum Outcome: Hashable {
        case builtin
        case file(TreePath)
        /// Not there; where it would have been, and what was looked at.
        case missing(TreePath?, [String])
        /// The package is there, and its `exports` do not have this path.
        case notExported(TreePath)
        /// `node:x` of another version of Node.
        case unknownBuiltin
        /// Written so that it cannot be told.
        case unknown
    }

    let subject: CheckSubject
    let packages: NodePackages
    /// By name, as this Node says; empty where it does not.
    let builtins: Set<String>
    /// NODE_PATH's and the installation's own, which only `require` looks into.
    let globalFolders: [TreePath]

    /// Built in, but only with `node:` in front.
    private static let onlyWithScheme: Set<String> = ["test", "test/reporters", "sea", "sqlite"]

    /// Where a Node does not say what it has inside: what those from 16 to 24 have.
    private static let usualBuiltins: Set<String> = [
        "_http_agent", "_http_client", "_http_common", "_http_incoming", "_http_outgoing", "_http_server",
        "_stream_duplex", "_stream_passthrough", "_stream_readable", "_stream_transform", "_stream_wrap",
        "_stream_writable", "_tls_common", "_tls_wrap", "assert", "assert/strict", "async_hooks", "buffer",
        "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns",
        "dns/promises", "domain", "events", "fs", "fs/promises", "http", "http2", "https", "inspector",
        "inspector/promises", "module", "net", "os", "path", "path/posix", "path/win32", "perf_hooks", "process",
        "punycode", "querystring", "readline", "readline/promises", "repl", "stream", "stream/consumers",
        "stream/promises", "stream/web", "string_decoder", "sys", "timers", "timers/promises", "tls", "trace_events",
        "tty", "url", "util", "util/types", "v8", "vm", "wasi", "worker_threads", "zlib",
    ]

    func resolve(_ specifier: String, from file: TreePath, form: ModuleReference.Form) throws -> Outcome {
        if specifier.hasPrefix("node:") {
            guard !builtins.isEmpty else { return .builtin }
            return builtins.contains(String(specifier.dropFirst(5))) ? .builtin : .unknownBuiltin
        }
        let byName = builtins.isEmpty ? Self.usualBuiltins : builtins
        if byName.contains(specifier), !Self.onlyWithScheme.contains(specifier) { return .builtin }
        var name = specifier
        if form != .require {
            name = String(name.prefix { $0 != "?" && $0 != "#" || name.hasPrefix("#") })
            if name.hasPrefix("data:") || name.contains("%") || name.hasPrefix("http") && name.contains("://") {
                return .unknown
            }
            if name.hasPrefix("file://") { name = String(name.dropFirst(7)) }
        }
        let conditions: Set<String> =
            form == .require
            ? ["node", "require", "default", "module-sync", "node-addons"]
            : ["node", "import", "default", "module-sync", "node-addons"]
        let folder = file.parent ?? .root
        let isFolder = name == "." || name == ".." || ["/", "/.", "/.."].contains(where: name.hasSuffix)
        if name.hasPrefix("/") { return try path(Self.joined(.root, name), of: form, isFolder: isFolder) }
        if name == "." || name == ".." || name.hasPrefix("./") || name.hasPrefix("../") {
            return try path(Self.joined(folder, name), of: form, isFolder: isFolder)
        }
        if name.hasPrefix("#") {
            guard let scope = try packages.scope(of: file) else { return .unknown }
            return try PackageTargets(resolution: self, package: scope, conditions: conditions)
                .importing(name, from: file, form: form)
        }
        return try bare(name, from: file, form: form, conditions: conditions)
    }

    /// A relative or absolute path, once `.` and `..` are gone.
    func path(_ path: TreePath?, of form: ModuleReference.Form, isFolder: Bool = false) throws -> Outcome {
        guard let path else { return .unknown }
        if form == .require {
            if let found = try asFileOrFolder(path, isFolder: isFolder) { return .file(found) }
            return .missing(path, ["tried \(path), with .js, .json, .node, and as a folder"])
        }
        if let found = regularFile(path) { return .file(found) }
        if subject.tree.resolvedNode(path)?.isDirectory == true {
            return .missing(
                path.appending("index.js".utf8), ["\(path) is a folder: import wants the file's whole name"])
        }
        return .missing(path, ["import looks for \(path) and nothing else"])
    }

    /// The file with links resolved; nil where it is none.
    func regularFile(_ path: TreePath) -> TreePath? {
        guard let resolved = subject.tree.resolve(path), subject.tree[resolved]?.blob != nil else { return nil }
        return resolved
    }

    /// - Parameter isFolder: whether it is written as one, so that no file will do.
    func asFileOrFolder(_ path: TreePath, isFolder: Bool = false) throws -> TreePath? {
        if !isFolder, let file = withExtensions(path) { return file }
        return try asFolder(path)
    }

    private func withExtensions(_ path: TreePath) -> TreePath? {
        guard !path.isRoot, let parent = path.parent else { return nil }
        return ["", ".js", ".json", ".node"].lazy.compactMap {
            regularFile(parent.appending(Array(path.name) + Array($0.utf8)))
        }.first
    }

    private func asFolder(_ path: TreePath) throws -> TreePath? {
        guard let folder = subject.tree.resolve(path), subject.tree[folder]?.isDirectory == true else { return nil }
        if let main = try packages.package(in: folder)?.main, !main.isEmpty, let target = Self.joined(folder, main) {
            if let file = withExtensions(target) ?? index(of: target) { return file }
        }
        return index(of: folder)
    }

    private func index(of folder: TreePath) -> TreePath? {
        ["index.js", "index.json", "index.node"].lazy.compactMap { regularFile(folder.appending($0.utf8)) }.first
    }

    private func bare(
        _ name: String, from file: TreePath, form: ModuleReference.Form, conditions: Set<String>
    ) throws -> Outcome {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let length = name.hasPrefix("@") ? 2 : 1
        if parts.contains("..") { return .unknown }
        guard parts.count >= length,
            let packagePath = TreePath(
                normalizing: parts[..<length].joined(separator: "/")), !packagePath.isRoot
        else { return .missing(nil, ["\(name) is no package's name"]) }
        let subpath = parts.count > length ? "./" + parts[length...].joined(separator: "/") : "."

        if let own = try packages.scope(of: file), own.exports != nil, own.name == packagePath.text {
            return try PackageTargets(resolution: self, package: own, conditions: conditions).exporting(subpath)
        }
        var looked = [TreePath]()
        var folder = file.parent
        while let here = folder {
            if !here.name.elementsEqual("node_modules".utf8) { looked.append(here.appending("node_modules".utf8)) }
            folder = here.parent
        }
        let nearest = looked.first
        if form == .require { looked += globalFolders }
        for modules in looked where subject.tree.resolvedNode(modules)?.isDirectory == true {
            if let outcome = try inside(modules.appending(packagePath), subpath, form: form, conditions: conditions) {
                return outcome
            }
        }
        let existing = looked.filter { subject.tree.resolvedNode($0)?.isDirectory == true }.map(\.description)
        return .missing(
            nearest?.appending(packagePath),
            [
                "looked into "
                    + (existing.isEmpty ? "no folder: there is no node_modules" : existing.joined(separator: ", "))
            ]
        )
    }

    /// One node_modules folder's package; nil where the search goes on.
    private func inside(
        _ path: TreePath, _ subpath: String, form: ModuleReference.Form, conditions: Set<String>
    ) throws -> Outcome? {
        guard let folder = subject.tree.resolve(path), subject.tree[folder]?.isDirectory == true else {
            // node_modules/name.js, which only require finds.
            return form == .require && subpath == "." ? withExtensions(path).map(Outcome.file) : nil
        }
        if let package = try packages.package(in: folder), package.exports != nil {
            return try PackageTargets(resolution: self, package: package, conditions: conditions).exporting(subpath)
        }
        guard let target = Self.joined(folder, subpath) else { return .unknown }
        if form == .require || subpath == "." {
            return try asFileOrFolder(target, isFolder: subpath.hasSuffix("/")).map(Outcome.file)
        }
        return try self.path(target, of: form)
    }

    /// A path below a folder, with `.` and `..` worked out; nil where it leaves the tree.
    static func joined(_ folder: TreePath, _ relative: String) -> TreePath? {
        var components = folder.components.map { Array($0) }
        for part in relative.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": if !components.isEmpty { components.removeLast() }
            default: components.append(Array(part.utf8))
            }
        }
        return TreePath(normalizing: Array(components.joined(separator: [UInt8(ascii: "/")])))
    }
}

extension TreePath {
    /// Without the leading slash.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// What a package's `exports` and `imports` lead to (Node's documentation, PACKAGE_EXPORTS_RESOLVE and
/// PACKAGE_IMPORTS_RESOLVE).
struct PackageTargets {
    let resolution: NodeResolution
    let package: NodePackage
    let conditions: Set<String>

    /// - Parameter subpath: `.`, or `./lib/x.js`.
    func exporting(_ subpath: String) throws -> NodeResolution.Outcome {
        guard let exports = package.exports else { return .unknown }
        let hasPaths = exports.members?.first.map { $0.name.hasPrefix(".") } ?? false
        let outcome: NodeResolution.Outcome?
        if hasPaths {
            outcome = try match(subpath, in: exports, from: nil, form: .require)
        } else {
            outcome = subpath == "." ? try target(exports, filling: nil, from: nil, form: .require) : nil
        }
        return outcome ?? .notExported(package.folder.appending("package.json".utf8))
    }

    func importing(_ name: String, from file: TreePath, form: ModuleReference.Form) throws -> NodeResolution.Outcome {
        guard let imports = package.imports else {
            return .notExported(package.folder.appending("package.json".utf8))
        }
        return try match(name, in: imports, from: file, form: form)
            ?? .notExported(package.folder.appending("package.json".utf8))
    }

    private func match(
        _ key: String, in table: JSONValue, from file: TreePath?, form: ModuleReference.Form
    ) throws -> NodeResolution.Outcome? {
        if !key.contains("*"), let value = table[key] {
            return try target(value, filling: nil, from: file, form: form)
        }
        let patterns = (table.members ?? []).filter { member in
            let parts = member.name.split(separator: "*", omittingEmptySubsequences: false)
            if parts.count == 2 {
                return key.hasPrefix(parts[0]) && key.hasSuffix(parts[1])
                    && key.utf8.count >= parts[0].utf8.count + parts[1].utf8.count && key != String(parts[0])
            }
            // Folders, up to Node 16.
            return member.name.hasSuffix("/") && key.hasPrefix(member.name)
        }.sorted { left, right in
            let a = left.name.prefix { $0 != "*" }.utf8.count
            let b = right.name.prefix { $0 != "*" }.utf8.count
            return a != b ? a > b : left.name.utf8.count > right.name.utf8.count
        }
        guard let best = patterns.first else { return nil }
        let parts = best.name.split(separator: "*", omittingEmptySubsequences: false)
        let filling = key.dropFirst(parts[0].count).dropLast(parts.count > 1 ? parts[1].count : 0)
        return try target(best.value, filling: String(filling), from: file, form: form)
    }

    /// nil where nothing of it is for these conditions.
    private func target(
        _ value: JSONValue, filling: String?, from file: TreePath?, form: ModuleReference.Form
    ) throws -> NodeResolution.Outcome? {
        switch value {
        case .string(var text):
            if let filling {
                text =
                    text.hasSuffix("/")
                    ? text + filling
                    : text.split(separator: "*", omittingEmptySubsequences: false)
                        .joined(separator: filling)
            }
            guard text.hasPrefix("./") else {
                // Only imports may lead to other packages.
                guard let file, !text.hasPrefix("#") else { return nil }
                return try resolution.resolve(text, from: file, form: form)
            }
            guard let path = NodeResolution.joined(package.folder, text) else { return .unknown }
            if let found = resolution.regularFile(path) { return .file(found) }
            return .missing(path, ["\(package.folder.appending("package.json".utf8)) leads to \(path)"])
        case .array(let elements):
            for element in elements {
                if let outcome = try target(element, filling: filling, from: file, form: form) { return outcome }
            }
            return nil
        case .object(let members):
            for member in members where conditions.contains(member.name) {
                if let outcome = try target(member.value, filling: filling, from: file, form: form) { return outcome }
            }
            return nil
        default: return nil
        }
    }
}
