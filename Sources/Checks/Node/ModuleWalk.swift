import RootfsModel

/// Follows the modules that a script names, from the script on, and says which of them cannot be loaded.
final class ModuleWalk {
    /// A file on the way, how sure it is that Node comes to it, and who named it.
    private struct Visit {
        var file: TreePath
        var certainty: ModuleReference.Certainty
        var parent: Int?
        var reference: ModuleReference?
    }

    private let invocation: NodeInvocation
    private let build: NodeBuild?
    private let resolution: NodeResolution
    private let subject: CheckSubject
    private let packages: NodePackages
    private var visits: [Visit] = []
    private var seen = Set<TreePath>()
    /// What was said to be missing already.
    private var lost = Set<TreePath>()
    private(set) var findings: [Finding] = []
    /// Addons on the way, in the order they are met, with the visit that names each.
    private(set) var addons: [(path: TreePath, chain: [String], certainty: ModuleReference.Certainty)] = []
    /// Packages whose files Node comes to for sure, by folder.
    private(set) var packageFolders: [TreePath] = []
    /// Those that look for an addon of theirs at run time.
    private(set) var addonSeekers: [(folder: TreePath, chain: [String])] = []

    /// The files that were come to, in the order of the walk.
    var files: [TreePath] { visits.map(\.file) }

    /// More files than services load.
    private static let mostFiles = 4_000
    private static let largestScript: UInt64 = 4 << 20

    init(_ invocation: NodeInvocation, build: NodeBuild?, in subject: CheckSubject, packages: NodePackages) {
        self.invocation = invocation
        self.build = build
        self.subject = subject
        self.packages = packages
        var folders = (invocation.environment["NODE_PATH"] ?? "").split(separator: ":").compactMap {
            TreePath(normalizing: String($0))
        }
        if let home = invocation.environment["HOME"], home.hasPrefix("/"), let path = TreePath(normalizing: home) {
            folders += [path.appending(".node_modules".utf8), path.appending(".node_libraries".utf8)]
        }
        folders += build?.moduleFolders ?? ["usr/lib/node"]
        resolution = NodeResolution(
            subject: subject, packages: packages, builtins: build?.builtins ?? [], globalFolders: folders)
    }

    /// Walks from the script and what is loaded before it.
    func run() throws {
        for preload in invocation.command.preloads {
            let reference = ModuleReference(
                specifier: preload.specifier, form: preload.form, certainty: .always, line: 0)
            try follow(reference, from: invocation.folder.appending("[preload]".utf8), parent: nil, least: .always)
        }
        if let script = invocation.script {
            if let file = try resolution.asFileOrFolder(script) {
                visits.append(Visit(file: file, certainty: .always))
                seen.insert(file)
            } else if try isMissed(script) {
                report(
                    "node/script-missing", .error, "Node is given \(script), which the image does not have",
                    chain: [], path: script, remedy: "add the script, or correct the path in the service's command",
                    missing: script)
            }
        }
        var index = 0
        // Files that are loaded for sure come first: a file is looked at as surely as any way leads to it.
        var later = [Visit]()
        while index < visits.count || !later.isEmpty {
            if index == visits.count {
                visits += later.filter { seen.insert($0.file).inserted }
                later = []
                continue
            }
            guard index < Self.mostFiles else { return }
            try look(at: index, later: &later)
            index += 1
        }
    }

    /// Whether nobody else says that the script is missing: what a service names itself is the affair of `exec`, but
    /// for a folder without a file to start.
    private func isMissed(_ script: TreePath) throws -> Bool {
        let isFolder = subject.tree.resolvedNode(script)?.isDirectory == true
        guard isFolder || invocation.isFromPackage, !invocation.command.isAmbiguous else { return false }
        return try !comesAtBoot(script)
    }

    /// Whether something is mounted there, so that the image cannot tell.
    private func comesAtBoot(_ path: TreePath) throws -> Bool {
        let folders = ["/run", "/var/run", "/tmp", "/proc", "/sys", "/dev"]
        let mounts = try subject.settingLines(of: "etc/fstab").compactMap { line -> String? in
            let fields = line.split { $0 == " " || $0 == "\t" }
            return fields.count > 1 && fields[1] != "/" ? String(fields[1]) : nil
        }
        return (folders + mounts).compactMap { TreePath(normalizing: $0) }.contains { !$0.isRoot && path.isWithin($0) }
    }

    /// Whether it is somebody else's code.
    private func isLibrary(_ file: TreePath) -> Bool {
        file.components.contains { $0.elementsEqual("node_modules".utf8) } || file.isWithin("usr/share/nodejs")
            || file.isWithin("usr/lib/nodejs") || file.isWithin("usr/share/npm")
    }

    private func look(at index: Int, later: inout [Visit]) throws {
        let visit = visits[index]
        let name = String(decoding: visit.file.name, as: UTF8.self)
        let scope = try packages.scope(of: visit.file)
        if visit.certainty == .always, let folder = scope?.folder, !packageFolders.contains(folder) {
            packageFolders.append(folder)
        }
        if name.hasSuffix(".node") {
            addons.append((visit.file, chain(to: index), visit.certainty))
            return
        }
        if name.hasSuffix(".json") {
            if visit.certainty == .always, let bytes = try subject.content(of: visit.file),
                JSONValue(parsing: bytes) == nil
            {
                report(
                    "node/json", .error, "\(visit.file) is no JSON", chain: chain(to: index), path: visit.file,
                    remedy: "correct the file")
            }
            return
        }
        guard !name.hasSuffix(".ts"), !name.hasSuffix(".mts"), !name.hasSuffix(".cts"), !name.hasSuffix(".wasm"),
            let bytes = try subject.content(of: visit.file, limit: Self.largestScript)
        else { return }
        let references = ModuleReferences(in: bytes)
        let format = ScriptFormat(name: name, scope: scope, references: references, version: build?.version)
        if visit.certainty == .always, reportFormat(format, of: visit.file, references, at: index) { return }
        for reference in references.all {
            if reference.form == .require, format.isModule, !references.definesRequire { continue }
            var certainty = min(visit.certainty, reference.certainty)
            if references.definesRequire, reference.form == .require, !format.isModule {
                certainty = min(certainty, .maybe)
            }
            // What a library may do without is its own affair.
            if certainty == .optional || certainty == .maybe && isLibrary(visit.file) { continue }
            if certainty == .always, ["bindings", "node-gyp-build"].contains(reference.specifier), let scope {
                addonSeekers.append((scope.folder, chain(to: index)))
            }
            try follow(reference, from: visit.file, parent: index, least: certainty, later: &later)
        }
    }

    private func follow(
        _ reference: ModuleReference, from file: TreePath, parent: Int?, least: ModuleReference.Certainty
    ) throws {
        var later = [Visit]()
        try follow(reference, from: file, parent: parent, least: least, later: &later)
        visits += later.filter { seen.insert($0.file).inserted }
    }

    private func follow(
        _ reference: ModuleReference, from file: TreePath, parent: Int?, least certainty: ModuleReference.Certainty,
        later: inout [Visit]
    ) throws {
        let outcome = try resolution.resolve(reference.specifier, from: file, form: reference.form)
        let chain = (parent.map { self.chain(to: $0) } ?? []) + [line(reference, in: parent == nil ? nil : file)]
        // What is loaded first, no loader finds.
        let isSure = certainty == .always && (parent == nil || !invocation.command.changesResolution)
        let severity: Severity = isSure ? .error : .warning
        let way =
            isSure
            ? ""
            : invocation.command.changesResolution
                ? " (a loader may find it)" : " (where the script comes to it)"
        switch outcome {
        case .builtin, .unknown: return
        case .file(let found):
            let visit = Visit(file: found, certainty: certainty, parent: parent, reference: reference)
            if certainty == .always, reference.form == .require { try reportModule(found, chain: chain) }
            if certainty == .always {
                if seen.insert(found).inserted { visits.append(visit) }
            } else {
                later.append(visit)
            }
        case .unknownBuiltin:
            let version = build?.version.map { " \($0)" } ?? ""
            report(
                "node/builtin-unknown", severity, "Node\(version) has no built-in module \(reference.specifier)\(way)",
                chain: chain, path: file, remedy: "take a Node that has it, or do without it")
        case .notExported(let package):
            report(
                "node/not-exported", severity, "the package's exports do not have \(reference.specifier)\(way)",
                chain: chain + ["\(package) does not export it"], path: file,
                remedy: "use a path that the package exports, or another version of it")
        case .missing(let path, let reasons):
            if let path, !lost.insert(path).inserted { return }
            report(
                "node/module-missing", severity, "the module \(reference.specifier) is not in the image\(way)",
                chain: chain + reasons, path: file, remedy: remedy(reference, path), missing: path)
        }
    }

    private func remedy(_ reference: ModuleReference, _ path: TreePath?) -> String {
        let isRelative = reference.specifier.hasPrefix(".") || reference.specifier.hasPrefix("/")
        if isRelative { return "add the file, or correct the path" }
        return "install it (npm ci) before the folder is laid into the image"
            + (reference.form == .require ? ", or add Debian's package of it" : "")
    }

    /// From the command to a file, a line each.
    private func chain(to index: Int) -> [String] {
        var lines = [String]()
        var here: Int? = index
        while let current = here, lines.count < 12 {
            let visit = visits[current]
            if let reference = visit.reference {
                lines.append(line(reference, in: visit.parent.map { visits[$0].file }))
            }
            here = visit.parent
        }
        return lines.reversed()
    }

    private func line(_ reference: ModuleReference, in file: TreePath?) -> String {
        let verb = reference.form == .require ? "requires" : "imports"
        guard let file else { return "the command line \(verb) \(reference.specifier)" }
        return "\(file), line \(reference.line), \(verb) \(reference.specifier)"
    }

    private func report(
        _ id: String, _ severity: Severity, _ message: String, chain: [String], path: TreePath?, remedy: String,
        missing: TreePath? = nil
    ) {
        let start =
            "\(invocation.serviceCommand.role) runs \(invocation.program)"
            + (invocation.script.map { " \($0)" } ?? "")
        findings.append(
            Finding(
                id, severity, message, service: invocation.service.name, path: path, reasons: [start] + chain,
                remedy: remedy, missing: missing, location: invocation.location))
    }
}

extension ModuleWalk {
    /// CommonJS cannot load a module before Node 20.19 and 22.12.
    private func reportModule(_ file: TreePath, chain: [String]) throws {
        guard let version = build?.version, !invocation.command.options.contains("--experimental-require-module"),
            version < SemanticVersion(20, 19, 0)
                || version >= SemanticVersion(21, 0, 0) && version < SemanticVersion(22, 12, 0)
        else { return }
        let name = String(decoding: file.name, as: UTF8.self)
        let isModule = try name.hasSuffix(".mjs") || name.hasSuffix(".js") && packages.scope(of: file)?.isModule == true
        guard isModule else { return }
        report(
            "node/require-esm", .error, "Node \(version) cannot require \(file): it is an ECMAScript module",
            chain: chain + [name.hasSuffix(".mjs") ? "it ends in .mjs" : "its package.json has \"type\": \"module\""],
            path: file, remedy: "take an older version of the package, import it, or take Node 20.19 or later")
    }

    /// Whether Node stops at this file, so that nothing is loaded after it.
    private func reportFormat(
        _ format: ScriptFormat, of file: TreePath, _ references: ModuleReferences, at index: Int
    ) -> Bool {
        if format.isModule, !references.definesRequire,
            let call = references.all.first(where: { $0.form == .require && $0.certainty == .always })
        {
            report(
                "node/require-in-module", .error, "\(file) is an ECMAScript module, where there is no require",
                chain: chain(to: index) + [format.because, "line \(call.line) calls require('\(call.specifier)')"],
                path: file, remedy: "name it .cjs, use import, or make a require with createRequire")
            return true
        }
        if format.refusesImport,
            let statement = references.all.first(where: { $0.form == .staticImport && $0.certainty == .always })
        {
            report(
                "node/import-outside-module", .error, "\(file) is no ECMAScript module, and has an import statement",
                chain: chain(to: index) + [format.because, "line \(statement.line) imports \(statement.specifier)"],
                path: file, remedy: "name it .mjs, or put \"type\": \"module\" into its package.json")
            return true
        }
        return false
    }
}

/// Whether a script is CommonJS or an ECMAScript module (Node's documentation, "Determining module system").
struct ScriptFormat {
    var isModule: Bool
    /// Whether an import statement in it is a syntax error for sure.
    var refusesImport: Bool
    var because: String

    init(name: String, scope: NodePackage?, references: ModuleReferences, version: SemanticVersion?) {
        let type = scope?.content["type"]?.text
        refusesImport = false
        if name.hasSuffix(".mjs") {
            (isModule, because) = (true, "it ends in .mjs")
        } else if name.hasSuffix(".cjs") {
            (isModule, because) = (false, "it ends in .cjs")
            refusesImport = true
        } else if type == "module", name.hasSuffix(".js") {
            (isModule, because) = (true, "its package.json has \"type\": \"module\"")
        } else if type == "commonjs" {
            (isModule, because) = (false, "its package.json has \"type\": \"commonjs\"")
            refusesImport = true
        } else {
            // Newer ones look at the syntax.
            let looks = version.map { version in
                version >= SemanticVersion(22, 7, 0)
                    || version >= SemanticVersion(20, 19, 0) && version < SemanticVersion(21, 0, 0)
            }
            isModule = looks != false && references.all.contains { $0.form == .staticImport && $0.certainty == .always }
            because = "no package.json says \"type\": \"module\""
            refusesImport = looks == false && name.hasSuffix(".js")
        }
    }
}
