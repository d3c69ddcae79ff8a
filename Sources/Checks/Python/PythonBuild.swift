import RootfsModel

/// An interpreter as far as finding modules depends on it.
struct PythonBuild {
    /// The interpreter's file.
    var program: TreePath
    /// 3.`minor`.
    var minor: Int
    /// Modules that are compiled into it.
    var builtins: Set<String>
    /// What the names of extension modules for it end in, the best first.
    var suffixes: [String]

    var version: String { "3.\(minor)" }

    /// Modules that the interpreter makes itself when it starts, without a function of their own, and those that every
    /// build of CPython has inside: its Modules/config.c.in and the frozen importlib.
    private static let always: Set<String> = [
        "__main__", "_abc", "_ast", "_codecs", "_collections", "_frozen_importlib", "_frozen_importlib_external",
        "_functools", "_imp", "_io", "_locale", "_operator", "_signal", "_sre", "_stat", "_string", "_symtable",
        "_thread", "_tokenize", "_tracemalloc", "_typing", "_warnings", "_weakref", "atexit", "builtins", "errno",
        "faulthandler", "gc", "itertools", "marshal", "posix", "pwd", "sys", "time", "zipimport",
    ]

    /// nil where it is no CPython 3. Compiled-in modules are those whose PyInit functions the program or its libpython
    /// exports, as distributions' do for the extension modules' sake.
    init?(_ program: TreePath, _ process: LoadedProcess, in subject: CheckSubject) throws {
        let library = process.objects.first { $0.path.name.starts(with: "libpython3".utf8) }
        let name = String(decoding: (library?.path ?? program).name, as: UTF8.self)
        let start = "python3."
        let words = name.hasPrefix("lib") ? name.dropFirst("lib".count) : name[...]
        guard words.hasPrefix(start), let minor = Int(words.dropFirst(start.count).prefix(while: \.isNumber)) else {
            return nil
        }
        self.program = program
        self.minor = minor
        var builtins = Self.always
        for object in [library?.path ?? program] {
            guard let file = try subject.elfFile(at: object), let blob = subject.tree[object]?.blob else { continue }
            for symbol in try file.symbols(of: blob, with: subject.read)
            where symbol.isDefined && symbol.name.hasPrefix("PyInit_") {
                builtins.insert(String(symbol.name.dropFirst("PyInit_".count)))
            }
        }
        self.builtins = builtins
        let triplets = [
            "amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "i386": "i386-linux-gnu",
            "armhf": "arm-linux-gnueabihf", "riscv64": "riscv64-linux-gnu", "ppc64el": "powerpc64le-linux-gnu",
            "s390x": "s390x-linux-gnu",
        ]
        suffixes = [".cpython-3\(minor)-\(triplets[subject.architecture] ?? "linux-gnu").so", ".abi3.so", ".so"]
    }
}

/// Where one run of an interpreter looks for modules: sys.path, as CPython's getpath.py and site.py make it.
struct PythonPath {
    private(set) var folders: [TreePath] = []
    /// Those of them that have the standard library.
    private(set) var standard: [TreePath] = []
    /// Whether a file that site reads runs code that may find modules by itself.
    private(set) var hasFinders = false

    /// - Parameters:
    ///   - launched: the interpreter as it is started, its last link not followed.
    ///   - first: the script's folder, or the working directory; nil with `-I` and `-P`.
    init(
        _ build: PythonBuild, launched: TreePath, first: TreePath?, environment: [String: String], isIsolated: Bool,
        hasSite: Bool, in subject: CheckSubject
    ) throws {
        if let first { add(first, in: subject) }
        if !isIsolated {
            for word in (environment["PYTHONPATH"] ?? "").split(separator: ":") {
                if let path = TreePath(normalizing: String(word)) { add(path, in: subject) }
            }
        }
        var home = launched
        var virtual: TreePath?
        var seesSystem = true
        if let folder = launched.parent, let above = folder.parent {
            for place in [folder, above] {
                let lines = try subject.lines(of: place.appending("pyvenv.cfg".utf8), limit: 1 << 16)
                if lines.isEmpty { continue }
                virtual = place
                seesSystem = false
                for line in lines {
                    let parts = line.split(separator: "=", maxSplits: 1).map(\.trimmed)
                    guard parts.count == 2 else { continue }
                    if parts[0] == "home", let path = TreePath(normalizing: parts[1]) {
                        home = path.appending("python3".utf8)
                    }
                    if parts[0] == "include-system-site-packages" { seesSystem = parts[1].lowercased() == "true" }
                }
                break
            }
        }
        // The prefix is where the library is (getpath.py's landmark, os.py), from the program upwards.
        var prefix: TreePath = "usr"
        for start in [home, build.program] {
            var at = start.parent
            while let folder = at {
                if subject.tree.resolvedNode(folder.appending(Self.library(build) + "/os.py"))?.blob != nil { break }
                at = folder.parent
            }
            if let at, !at.isRoot {
                prefix = at
                break
            }
        }
        let library = prefix.appending(Self.library(build))
        for folder in [library, library.appending("lib-dynload".utf8)] {
            add(folder, in: subject)
            standard.append(subject.tree.resolve(folder) ?? folder)
        }
        guard hasSite else { return }
        var sites = [TreePath]()
        if let virtual { sites.append(virtual.appending(Self.library(build) + "/site-packages")) }
        if seesSystem {
            if virtual == nil, !isIsolated, let home = environment["HOME"].flatMap({ TreePath(normalizing: $0) }) {
                sites.append(home.appending(".local/" + Self.library(build) + "/site-packages"))
            }
            sites.append(prefix.appending(Self.library(build) + "/site-packages"))
            sites += ["usr/local/" + Self.library(build), "usr/lib/python3", "usr/" + Self.library(build)].compactMap {
                TreePath(normalizing: $0 + "/dist-packages")
            }
        }
        for site in sites { try addSite(site, in: subject) }
    }

    private static func library(_ build: PythonBuild) -> String { "lib/python\(build.version)" }

    private mutating func add(_ path: TreePath, in subject: CheckSubject) {
        guard let folder = subject.tree.resolve(path), !folders.contains(folder) else { return }
        folders.append(folder)
    }

    /// A folder whose .pth files name more (site.py, addpackage).
    private mutating func addSite(_ site: TreePath, in subject: CheckSubject) throws {
        guard let folder = subject.tree.resolve(site), subject.tree[folder]?.isDirectory == true else { return }
        add(folder, in: subject)
        for node in subject.tree.children(of: folder) where node.path.name.hasSuffix(".pth") {
            for line in try subject.lines(of: node.path, limit: 1 << 16) {
                let text = line.trimmed
                if text.isEmpty || text.hasPrefix("#") { continue }
                if text.hasPrefix("import ") || text.hasPrefix("import\t") {
                    // setuptools' own only replaces distutils.
                    if !text.contains("_distutils_hack") { hasFinders = true }
                    continue
                }
                let path =
                    text.hasPrefix("/") ? TreePath(normalizing: text) : TreePath(normalizing: "\(folder)/\(text)")
                if let path { add(path, in: subject) }
            }
        }
    }

    /// Whether a file is the standard library's.
    func isStandard(_ file: TreePath) -> Bool {
        standard.contains { file.isWithin($0) }
            && !file.components.contains {
                $0.elementsEqual("dist-packages".utf8) || $0.elementsEqual("site-packages".utf8)
            }
    }
}

extension TreePath {
    /// What a relative path of plain components leads to.
    fileprivate func appending(_ text: String) -> TreePath {
        TreePath(normalizing: text).map { appending($0) } ?? self
    }
}
