import RootfsModel

/// Whether the loader finds every library of every program that a service starts. `ldd` exits 0 with a library missing,
/// and the process itself ends before `main`, so nothing of its own is ever printed.
struct LibrariesRule: Rule {
    static let name = "libraries"
    static let reason = "a program with a library missing ends with status 127 before its first instruction"
    static let specification = "ld.so(8), ldconfig(8); glibc, elf/dl-load.c and elf/dl-deps.c"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        let places = LibraryPlaces(subject)
        let configured = try loaderDirectories(in: subject)
        var findings = [Finding]()
        for load in try subject.serviceLoads() {
            findings += brokenProgram(load)
            for lack in load.process.lacks {
                findings.append(finding(for: lack, load, places, configured, subject))
            }
            findings += oldKernel(load, subject)
        }
        findings += try cacheFindings(configured, subject)
        return findings
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// A program whose own bytes are missing.
    private func brokenProgram(_ load: ServiceLoad) -> [Finding] {
        guard let program = load.process.objects.first, program.file.isCutOff else { return [] }
        return [
            Finding(
                "libraries/broken", load.launch.severity,
                "\(program.path) \(program.file.defect ?? "is cut off"): it dies of SIGBUS or SIGSEGV",
                service: load.service, path: program.path, reasons: load.launch.reasons,
                remedy: "put the whole file in place", location: load.launch.location)
        ]
    }

    private func finding(
        for lack: LoadedProcess.Lack, _ load: ServiceLoad, _ places: LibraryPlaces, _ configured: [[UInt8]],
        _ subject: CheckSubject
    ) -> Finding {
        let name = text(lack.name)
        let program = load.process.objects[0].path
        let needing = lack.object.map { load.process.objects[$0].path }
        var reasons = load.launch.reasons
        if let object = lack.object {
            reasons += load.process.chain(to: object)
            reasons.append("\(load.process.objects[object].path) needs \(name)")
        }
        var severity = load.launch.severity
        // A preload that cannot be loaded is told on stderr and left out.
        if lack.object == nil { severity = .warning }
        let subjectText = needing.map { "\($0) needs \(name)" } ?? "\(name), which is to be preloaded into \(program),"
        func make(
            _ id: String, _ message: String, path: TreePath?, remedy: String, missing: TreePath? = nil
        ) -> Finding {
            Finding(
                lack.object == nil ? "libraries/preload" : id, severity, message, service: load.service,
                path: path,
                reasons: reasons, remedy: remedy, missing: missing, location: load.launch.location)
        }
        switch lack.found.candidate {
        case .broken(let path, let why):
            return make(
                "libraries/broken", "\(subjectText): the loader finds \(path), which \(why)", path: path,
                remedy: "install the package of \(path) anew, or take the damaged copy away")
        case .foreign(let path):
            return make(
                "libraries/machine",
                "\(subjectText), of which the image has \(path) alone, for another machine than \(program)", path: path,
                remedy: "add the library's package for \(load.process.objects[0].file.machineName)")
        case .absent, .object: break
        }
        reasons.append("looked for in \(searched(lack))")
        if let path = lack.unreadable.first {
            return make(
                "libraries/unreadable",
                "\(subjectText): \(path) may not be read by \(load.launch.identity?.name ?? "the user")",
                path: path, remedy: "give \(path) mode 0644")
        }
        let elsewhere = places.files(named: lack.name)
        guard let place = elsewhere.first else {
            return make(
                "libraries/missing", "\(subjectText), which the image does not have", path: needing ?? program,
                remedy: "add the package that brings \(name)", missing: expectedPlace(lack.name, load, subject))
        }
        // What a script sets for it cannot all be seen.
        if load.launch.script != nil { severity = min(severity, .warning) }
        if load.launch.hidesLibraryPath { severity = min(severity, .note) }
        let isConfigured = configured.contains { directory in
            subject.tree.resolve(bytes: directory).map { place.isChild(of: $0) } ?? false
        }
        return make(
            isConfigured ? "libraries/cache" : "libraries/not-searched",
            isConfigured
                ? "\(subjectText): \(place) is there, but /etc/ld.so.cache does not name it"
                : "\(subjectText): \(place) is there, but the loader does not look there", path: place,
            remedy: isConfigured
                ? "run ldconfig when the image is made"
                : "set LD_LIBRARY_PATH of the service, or add a file to /etc/ld.so.conf.d and run ldconfig")
    }

    private func searched(_ lack: LoadedProcess.Lack) -> String {
        var seen = Set<[UInt8]>()
        let all = lack.searched.filter { seen.insert($0).inserted }.map { $0.isEmpty ? "/" : text($0) }
        return all.isEmpty ? "no directory" : all.joined(separator: ", ")
    }

    /// Where a package would bring a library: the last of the system's directories that names the machine.
    private func expectedPlace(_ name: [UInt8], _ load: ServiceLoad, _ subject: CheckSubject) -> TreePath? {
        if name.contains(UInt8(ascii: "/")) { return TreePath(normalizing: name) }
        let directories = load.process.systemDirectories.filter { $0.starts(with: "/usr".utf8) }
        return directories.first.flatMap { TreePath(normalizing: $0 + [UInt8(ascii: "/")] + name) }
    }

    /// glibc before 2.37 refuses objects for newer kernels than the one that runs.
    private func oldKernel(_ load: ServiceLoad, _ subject: CheckSubject) -> [Finding] {
        guard let release = subject.kernel?.release else { return [] }
        let running = release.split { !$0.isNumber }.prefix(3).compactMap { UInt32($0) }
        return load.process.objects.compactMap { object in
            guard let oldest = object.file.oldestKernel, running.count > 1,
                running.lexicographicallyPrecedes(oldest.prefix(running.count))
            else { return nil }
            let wanted = oldest.map(String.init).joined(separator: ".")
            return Finding(
                "libraries/kernel", .warning,
                "\(object.path) is built for Linux \(wanted) or newer, and \(release) boots",
                service: load.service, path: object.path, reasons: load.launch.reasons,
                remedy: "take a newer kernel", location: load.launch.location)
        }
    }

    /// What ldconfig would write otherwise now.
    private func cacheFindings(_ configured: [[UInt8]], _ subject: CheckSubject) throws -> [Finding] {
        guard let bytes = try subject.content(of: "etc/ld.so.cache") else {
            // Without ldconfig nobody would have written one: another C library's loader, or none.
            let hasWriter = subject.tree.resolvedNode("sbin/ldconfig")?.blob != nil
            return !hasWriter
                ? []
                : [
                    Finding(
                        "libraries/cache-missing", .note,
                        "there is no /etc/ld.so.cache: libraries are looked for in the loader's own directories alone, one by one",
                        path: "etc/ld.so.cache", remedy: "run ldconfig when the image is made")
                ]
        }
        guard let cache = LoaderCache(bytes) else {
            return [
                Finding(
                    "libraries/cache-damaged", .warning, "/etc/ld.so.cache is no cache that the loader can read",
                    path: "etc/ld.so.cache", remedy: "run ldconfig when the image is made")
            ]
        }
        var directories = [[UInt8]: TreePath?]()
        let gone = cache.entries.flatMap { $1 }.filter { entry in
            let slash = entry.path.lastIndex(of: UInt8(ascii: "/")) ?? 0
            let folder = Array(entry.path[..<slash])
            let directory = directories[folder] ?? subject.tree.resolve(bytes: folder)
            directories[folder] = .some(directory)
            return directory.flatMap { subject.tree.resolve(bytes: entry.path[slash...].dropFirst(), from: $0) } == nil
        }
        guard let example = gone.map(\.path).min(by: { $0.lexicographicallyPrecedes($1) }) else { return [] }
        return [
            Finding(
                "libraries/cache-stale", .note,
                "/etc/ld.so.cache names \(gone.count) file\(gone.count == 1 ? "" : "s") that the image does not have, \(text(example)) for one",
                path: "etc/ld.so.cache", remedy: "run ldconfig after the last change of libraries")
        ]
    }
}

/// Where the files of a name are in a tree, wherever that is.
struct LibraryPlaces {
    private let tree: FileTree
    private let places: [[UInt8]: [Int]]

    init(_ subject: CheckSubject) {
        tree = subject.tree
        var places = [[UInt8]: [Int]]()
        for (index, node) in tree.nodes.enumerated() where isLibraryName(node.path.name) && !node.isDirectory {
            places[Array(node.path.name), default: []].append(index)
        }
        self.places = places
    }

    func files(named name: [UInt8]) -> [TreePath] {
        let last = name.lastIndex(of: UInt8(ascii: "/")).map { Array(name[($0 + 1)...]) } ?? name
        return (places[last] ?? []).map { tree.nodes[$0].path }.filter { tree.resolvedNode($0)?.blob != nil }
    }

    func hasFile(startingWith prefix: String) -> Bool {
        places.keys.contains { $0.starts(with: prefix.utf8) }
    }
}

/// Whether a file's name is one that shared objects have: `libz.so.1`, `addon.node`.
func isLibraryName(_ name: ArraySlice<UInt8>) -> Bool {
    if name.hasSuffix(".node") || name.hasSuffix(".so") { return true }
    guard var at = name.firstIndex(of: UInt8(ascii: ".")) else { return false }
    while at < name.endIndex {
        if name[at...].starts(with: ".so.".utf8) { return true }
        at += 1
    }
    return false
}

extension ArraySlice<UInt8> {
    func hasSuffix(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes in count >= bytes.count && suffix(bytes.count).elementsEqual(bytes) }
    }
}
