import RootfsModel

/// Follows the modules that a Python program imports, from its script on, and says which of them cannot be.
final class PythonWalk {
    /// A text on the way.
    private struct Visit {
        /// nil: the command's own text.
        var file: TreePath?
        var text: [UInt8]?
        /// What relative imports start from: its package's folders.
        var package: [TreePath]
        var certainty: PythonImport.Certainty
        var chain: [String]
        /// Whether it is the service's own: its script, and what is beside it.
        var isOwn: Bool
        var isMain = false
        /// Whether it changes where modules are looked for.
        var changesPath = false
    }

    private let invocation: PythonInvocation
    private let subject: CheckSubject
    private let build: PythonBuild
    private let path: PythonPath
    private let resolution: PythonResolution
    private let typelibs: Typelibs
    private let start: TreePath?
    private var pending: [Visit] = []
    private var seen = Set<TreePath>()
    private var told = Set<String>()
    /// Whether a text of the service's own changes where modules are looked for.
    private var hasOpenPath = false
    private(set) var findings: [Finding] = []
    /// Extension modules on the way, in the order in which they are met.
    private(set) var extensions: [(path: TreePath, chain: [String], certainty: PythonImport.Certainty)] = []

    /// More files than services load.
    private static let mostFiles = 4_000
    private static let largestText: UInt64 = 4 << 20

    init(_ invocation: PythonInvocation, _ build: PythonBuild, in subject: CheckSubject) throws {
        self.invocation = invocation
        self.build = build
        self.subject = subject
        var first = invocation.folder
        if case .script(let script) = invocation.program {
            let file = subject.tree.resolve(script)
            // A folder with a __main__.py is its own.
            first = file.flatMap { subject.tree[$0]?.isDirectory == true ? $0 : $0.parent }
        }
        start = first
        path = try PythonPath(
            build, launched: invocation.launched, first: invocation.hasOwnFolder ? first : nil,
            environment: invocation.environment, isIsolated: invocation.isIsolated, hasSite: invocation.hasSite,
            in: subject)
        resolution = PythonResolution(build: build, subject: subject)
        typelibs = Typelibs(subject, environment: invocation.environment)
    }

    func run() throws {
        switch invocation.program {
        case .script(let script):
            guard var file = subject.tree.resolve(script) else { return }
            if subject.tree[file]?.isDirectory == true { file = file.appending("__main__.py".utf8) }
            guard subject.tree[file]?.blob != nil else { return }
            pending = [
                Visit(file: file, package: [], certainty: .always, chain: [], isOwn: true, isMain: true)
            ]
        case .text(let text):
            pending = [
                Visit(text: Array(text.utf8), package: [], certainty: .always, chain: [], isOwn: true, isMain: true)
            ]
        case .module(let name):
            let chain = ["-m names the module \(name)"]
            let visit = Visit(package: [], certainty: .always, chain: [], isOwn: true)
            if case .source(_, let folders) = try follow(
                name, in: path.folders, isTop: true, .always, visit, chain, line: 0), !folders.isEmpty
            {
                _ = try follow("__main__", in: folders, isTop: false, .always, visit, chain, line: 0)
            }
        }
        var index = 0
        // What is certain comes first: a file is read as surely as any way leads to it.
        while let next = pending.firstIndex(where: { $0.certainty == .always }) ?? pending.indices.first {
            let visit = pending.remove(at: next)
            index += 1
            if index > Self.mostFiles { return }
            try look(at: visit)
        }
    }

    private func look(at visit: Visit) throws {
        var visit = visit
        if let file = visit.file, !seen.insert(file).inserted { return }
        guard let bytes = try visit.text ?? visit.file.flatMap({ try subject.content(of: $0, limit: Self.largestText) })
        else { return }
        let imports = PythonImports(in: bytes, isMain: visit.isMain)
        let isStandard = visit.file.map(path.isStandard) ?? false
        visit.changesPath = imports.changesPath
        if visit.isOwn, imports.changesPath { hasOpenPath = true }
        for item in imports.all {
            let certainty = min(visit.certainty, item.certainty)
            // What other people's code may do without is their affair.
            if certainty != .always, !visit.isOwn { continue }
            let words =
                (item.level > 0 ? String(repeating: ".", count: item.level) : "") + item.module
                + (item.module.isEmpty ? " (\(item.names.prefix(4).joined(separator: ", ")))" : "")
            let place = visit.file.map { "\($0):\(item.line)" } ?? "-c"
            let chain = visit.chain + ["\(place) imports \(words)"]
            if item.module.starts(with: "gi.repository") {
                for name in item.names where !imports.typelibs.contains(where: { $0.name == name }) {
                    tell(ofTypelib: name, version: nil, certainty, visit, chain)
                }
            }
            try follow(item, certainty, visit, chain, isStandard: isStandard)
        }
        for typelib in imports.typelibs {
            let certainty = min(visit.certainty, typelib.certainty)
            if certainty != .always, !visit.isOwn { continue }
            let chain =
                visit.chain + [
                    "\(visit.file?.description ?? "-c"):\(typelib.line) requires \(typelib.name) \(typelib.version)"
                ]
            tell(ofTypelib: typelib.name, version: typelib.version, certainty, visit, chain)
        }
    }

    /// One import: the module, component by component, and what a `from` names that is a module below it.
    private func follow(
        _ item: PythonImport, _ certainty: PythonImport.Certainty, _ visit: Visit, _ chain: [String], isStandard: Bool
    ) throws {
        var folders = path.folders
        if item.level > 0 {
            folders = visit.package.compactMap { folder in
                (1..<item.level).reduce(Optional(folder)) { folder, _ in folder?.parent }
            }
            // A script without a package cannot; who runs it in another way is not seen.
            if folders.isEmpty { return }
        }
        var isTop = item.level == 0
        for component in item.module.split(separator: ".") {
            let found = try follow(
                String(component), in: folders, isTop: isTop, certainty, visit, chain, line: item.line,
                isStandard: isStandard)
            switch found {
            case .source(_, let below), .opaque(let below): folders = below
            case .extensionModule, .builtin, .foreign, .missing: return
            }
            // A module without a folder may put others into sys.modules, as os does with os.path.
            if folders.isEmpty { return }
            isTop = false
        }
        for name in item.names {
            // It may be a name in the package as well, so that nothing is missing.
            try take(resolution.find(name, in: folders, isTop: false), certainty, visit, chain, in: folders)
        }
    }

    /// Looks for one component and says what is wrong with it.
    private func follow(
        _ name: String, in folders: [TreePath], isTop: Bool, _ certainty: PythonImport.Certainty, _ visit: Visit,
        _ chain: [String], line: Int, isStandard: Bool = false
    ) throws -> PythonResolution.Found {
        let found = resolution.find(name, in: folders, isTop: isTop)
        switch found {
        case .missing:
            // Below a package it may be made when that is run.
            if visit.isOwn || !visit.changesPath, isTop || visit.isOwn && folders.allSatisfy({ isOwn($0) }) {
                tell(
                    "python/module-missing", "the Python module \(name) is not in the image",
                    hasOpenPath ? min(certainty, .maybe) : certainty, visit, chain,
                    more: ["looked for in \(folders.map(\.description).joined(separator: ", "))"],
                    remedy: "add the package that brings \(name) (python3-\(name.lowercased()), or a venv with it)",
                    // Where Debian's packages have most of them.
                    missing: isTop ? TreePath(normalizing: "/usr/lib/python3/dist-packages/\(name)/__init__.py") : nil,
                    isStandard: isStandard || path.hasFinders)
            }
        case .foreign(let files):
            tell(
                "python/abi", "the extension module \(files[0]) is for another Python than \(build.version)", certainty,
                visit, chain, path: files[0],
                more: ["Python \(build.version) takes \(name) with \(build.suffixes.joined(separator: ", "))"],
                remedy: "take its build for Python \(build.version), or the Python that it is for",
                isStandard: isStandard)
        default: try take(found, certainty, visit, chain, in: folders)
        }
        return found
    }

    private func take(
        _ found: PythonResolution.Found, _ certainty: PythonImport.Certainty, _ visit: Visit, _ chain: [String],
        in folders: [TreePath]
    ) throws {
        switch found {
        case .extensionModule(let file):
            if seen.insert(file).inserted { extensions.append((file, chain, certainty)) }
        case .source(let file, let below):
            // What the library may do without it does without.
            if certainty != .always, path.isStandard(file) { return }
            if seen.contains(file) { return }
            pending.append(
                Visit(
                    file: file, package: below.isEmpty ? folders : below, certainty: certainty, chain: chain,
                    isOwn: isOwn(file)))
        case .opaque, .builtin, .foreign, .missing: break
        }
    }

    /// Whether a file is the service's, not a library's.
    private func isOwn(_ file: TreePath) -> Bool {
        guard let start, !start.isRoot, file.isWithin(start), !path.isStandard(file) else { return false }
        return !file.components.contains {
            $0.elementsEqual("dist-packages".utf8) || $0.elementsEqual("site-packages".utf8)
        }
    }

    private func tell(
        ofTypelib name: String, version: String?, _ certainty: PythonImport.Certainty, _ visit: Visit, _ chain: [String]
    ) {
        guard !typelibs.has(name, version) else { return }
        let file = "\(name)-\(version ?? "*").typelib"
        tell(
            "python/typelib-missing", "\(file), which gi loads, is not in the image", certainty, visit, chain,
            more: ["looked for in \(typelibs.folders.map(\.description).joined(separator: ", "))"],
            remedy: "add the package that brings it (gir1.2-…)",
            missing: version.flatMap { _ in typelibs.usual?.appending(file.utf8) }, isStandard: false)
    }

    private func tell(
        _ id: String, _ message: String, _ certainty: PythonImport.Certainty, _ visit: Visit, _ chain: [String],
        path: TreePath? = nil, more: [String], remedy: String, missing: TreePath? = nil, isStandard: Bool
    ) {
        // A try that goes on has something else.
        if certainty == .optional { return }
        guard told.insert(id + message).inserted else { return }
        let highest: Severity = certainty == .always && !isStandard ? .error : .warning
        findings.append(
            Finding(
                id, min(highest, invocation.severity), message, service: invocation.load.service,
                path: path ?? visit.file, reasons: invocation.reasons + chain + more, remedy: remedy, missing: missing,
                location: invocation.load.launch.location))
    }
}
