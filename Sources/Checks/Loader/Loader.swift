import RootfsModel

/// glibc's search for libraries in one tree, for the objects of one machine (glibc, elf/dl-load.c; ld.so(8)). Remembers
/// what it has looked up: thousands of objects need the same hundred.
final class Loader {
    /// What stands under a name in one directory.
    enum Candidate: Hashable {
        case absent
        /// For another machine or class: the loader looks further.
        case foreign(TreePath)
        /// The loader stops at it with this error.
        case broken(TreePath, String)
        case object(TreePath)
    }

    /// What a search came to, and the path by which.
    struct Found: Hashable {
        var candidate: Candidate
        var place: [UInt8]
    }

    let subject: CheckSubject
    let machine: UInt16
    let isWide: Bool
    /// `/lib/x86_64-linux-gnu` and the like, as the loader's own file has them.
    let systemDirectories: [[UInt8]]
    let cache: LoaderCache?
    /// The folders below glibc-hwcaps that the machine's processor can use, the best first.
    let capabilities: [String]
    private var directories: [[UInt8]: TreePath?] = [:]
    private var candidates: [[UInt8]: Candidate] = [:]
    private var defaults: [[UInt8]: Found] = [:]

    /// For objects like `file`, which `loader` loads; nil where that is not known.
    init(for file: ElfFile, loader: TreePath?, cache: LoaderCache?, in subject: CheckSubject) throws {
        self.subject = subject
        self.machine = file.machine
        self.isWide = file.isWide
        self.cache = cache
        self.capabilities = CPULevel(of: subject).capabilities(machine: file.machine)
        self.systemDirectories = try Self.systemDirectories(loader, file, subject)
    }

    /// The directories that a loader was built with: text of its own, one behind the other, each with a slash and a NUL at
    /// its end. Those of a plain build where its file does not tell.
    private static func systemDirectories(
        _ loader: TreePath?, _ file: ElfFile, _ subject: CheckSubject
    ) throws -> [[UInt8]] {
        let slash = UInt8(ascii: "/")
        var run = [[UInt8]]()
        for part in try loader.flatMap({ try subject.content(of: $0, limit: 4 << 20) })?.split(
            separator: 0, omittingEmptySubsequences: false) ?? []
        {
            if part.count > 1, part.first == slash, part.last == slash {
                run.append(Array(part.dropLast()))
            } else if run.contains(where: { $0.starts(with: "/usr/lib".utf8) }) {
                return run
            } else {
                run = []
            }
        }
        return (file.isWide ? ["/lib64", "/usr/lib64", "/lib", "/usr/lib"] : ["/lib", "/usr/lib"]).map {
            Array($0.utf8)
        }
    }

    /// `$LIB`: the system directory's name below the root.
    var libraryDirectoryName: [UInt8] { Array((systemDirectories.first ?? Array("/lib".utf8)).dropFirst()) }

    /// The flags that this machine's objects have in the cache; nil where all will do.
    private var cacheFlags: UInt32? {
        switch (machine, isWide) {
        case (62, true): 0x0303
        case (62, false): 0x0803
        case (3, _): 0x0003
        case (183, _): 0x0A03
        case (22, true): 0x0403
        default: nil
        }
    }

    /// Looks for a name in the cache, then in the system's directories. What the cache has and the tree has not is as if
    /// the cache had it not.
    func findInDefaults(_ name: [UInt8]) throws -> Found {
        if let found = defaults[name] { return found }
        var result = Found(candidate: .absent, place: [])
        // Of those that its machine can use the loader takes the best, whatever comes of it.
        let entries = (cache?.entries[name] ?? []).filter { entry in
            entry.capability.map(capabilities.contains) ?? true
                && (cacheFlags.map { entry.flags & 0xFFFF == $0 } ?? true)
        }
        let best = capabilities.lazy.compactMap { level in entries.first { $0.capability == level } }.first
        if let entry = best ?? entries.first {
            result = Found(candidate: try candidate(at: entry.path), place: entry.path)
        }
        if !result.isUsable {
            let found = try find(name, in: systemDirectories)
            if found.isUsable || result.candidate == .absent { result = found }
        }
        defaults[name] = result
        return result
    }

    /// Looks for a name in directories, in each below glibc-hwcaps first.
    func find(_ name: [UInt8], in directories: [[UInt8]]) throws -> Found {
        var foreign: Found?
        for directory in directories {
            for folder in capabilities.map({ Array("/glibc-hwcaps/\($0)".utf8) }) + [[]] {
                guard self.directory(directory + folder) != nil else { continue }
                let place = directory + folder + [UInt8(ascii: "/")] + name
                let candidate = try candidate(at: place)
                let found = Found(candidate: candidate, place: place)
                if found.isUsable { return found }
                if case .foreign = candidate, foreign == nil { foreign = found }
            }
        }
        return foreign ?? Found(candidate: .absent, place: [])
    }

    private func directory(_ text: [UInt8]) -> TreePath? {
        if let known = directories[text] { return known }
        let path = subject.tree.resolve(bytes: text)
        directories[text] = .some(path)
        return path
    }

    /// What the loader finds when it opens a path: its checks before it maps anything (open_verify).
    func candidate(at place: [UInt8]) throws -> Candidate {
        if let known = candidates[place] { return known }
        let candidate = try look(at: place)
        candidates[place] = candidate
        return candidate
    }

    private func look(at place: [UInt8]) throws -> Candidate {
        let slash = place.lastIndex(of: UInt8(ascii: "/")) ?? 0
        guard slash < place.count - 1, let directory = directory(Array(place[..<slash])),
            let path = subject.tree.resolve(bytes: place[(slash + 1)...], from: directory),
            let node = subject.tree[path]
        else { return .absent }
        guard node.blob != nil else {
            return node.isDirectory ? .broken(path, "is a directory, and the loader cannot read it") : .absent
        }
        guard let file = try subject.elfFile(at: path) else {
            let isShort = (node.blob?.size ?? 0) < (isWide ? 64 : 52)
            return .broken(path, isShort ? "is too short for an ELF file" : "has an invalid ELF header")
        }
        if file.isUnreadable { return .broken(path, file.defect ?? "has an invalid ELF header") }
        if file.isWide != isWide || file.machine != machine { return .foreign(path) }
        if file.isCutOff { return .broken(path, file.defect ?? "is cut off") }
        return .object(path)
    }
}

extension Loader.Found {
    /// Whether the search ends here, well or badly.
    var isUsable: Bool {
        switch candidate {
        case .object, .broken: true
        case .absent, .foreign: false
        }
    }
}
