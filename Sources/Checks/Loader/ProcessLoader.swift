import RootfsModel

/// Loads a program as glibc does: breadth first (elf/dl-deps.c), each name by the rules of ld.so(8).
struct ProcessLoader {
    typealias Object = LoadedProcess.Object
    typealias Lack = LoadedProcess.Lack

    struct Setting {
        /// LD_LIBRARY_PATH.
        var libraryPath: [[UInt8]] = []
        /// LD_PRELOAD and ld.so.preload.
        var preloads: [[UInt8]] = []
        /// Whether the program gets rights by being started: then the environment is not listened to.
        var isSecure = false
        var mayRead: (FileNode) -> Bool = { _ in true }
        /// The directory that empty and relative ones stand for.
        var directory: [UInt8] = []
    }

    private(set) var process: LoadedProcess
    private var objects: [Object] {
        get { process.objects }
        _modify { yield &process.objects }
    }
    private let loader: Loader
    private let setting: Setting

    /// One object and what it needs itself, no further.
    static func direct(_ object: TreePath, _ file: ElfFile, _ loader: Loader) throws -> LoadedProcess {
        var this = ProcessLoader(alone: object, file, loader, Setting())
        for name in file.needed { try this.load(name, for: 0) }
        return this.process
    }

    /// A process with one object more, and what that needs, as dlopen(3) of the program brings it in.
    init(opening object: TreePath, _ file: ElfFile, in process: LoadedProcess, _ loader: Loader, _ setting: Setting)
        throws
    {
        self.loader = loader
        self.setting = setting
        self.process = process
        if process.objects.contains(where: { $0.path == object }) { return }
        let place = [UInt8(ascii: "/")] + object.bytes
        var index = objects.count
        objects.append(
            Object(
                path: object, place: place, file: file, loader: 0,
                names: Set([place] + (file.soname.map { [$0] } ?? []))))
        while index < objects.count {
            for name in objects[index].file.needed { try load(name, for: index) }
            index += 1
        }
    }

    private init(alone object: TreePath, _ file: ElfFile, _ loader: Loader, _ setting: Setting) {
        self.loader = loader
        self.setting = setting
        process = LoadedProcess(alone: object, file)
        process.systemDirectories = loader.systemDirectories
    }

    init(_ program: TreePath, _ file: ElfFile, _ loader: Loader, _ setting: Setting) throws {
        self.init(alone: program, file, loader, setting)
        if let interpreter = file.interpreter, let path = loader.subject.tree.resolve(bytes: interpreter),
            let own = try loader.subject.elfFile(at: path)
        {
            // The loader is loaded already: libraries need it by its DT_SONAME.
            objects.append(
                Object(
                    path: path, place: interpreter, file: own, loader: nil,
                    names: Set([interpreter] + (own.soname.map { [$0] } ?? []))))
        }
        for name in setting.preloads { try load(name, for: nil) }
        var index = 0
        while index < objects.count {
            for name in objects[index].file.needed { try load(name, for: index) }
            index += 1
        }
    }

    private mutating func load(_ name: [UInt8], for index: Int?) throws {
        if objects.contains(where: { $0.names.contains(name) }) { return }
        if process.lacks.contains(where: { $0.name == name }) { return }
        var lack = Lack(
            name: name, object: index, found: Loader.Found(candidate: .absent, place: []), searched: [], unreadable: [])
        let found = try search(name, for: index ?? 0, &lack)
        guard case .object(let path) = found.candidate else {
            lack.found = found
            process.lacks.append(lack)
            return
        }
        if let known = objects.firstIndex(where: { $0.path == path }) {
            objects[known].names.insert(name)
            return
        }
        guard let file = try loader.subject.elfFile(at: path) else { return }
        objects.append(
            Object(
                path: path, place: found.place, file: file, loader: index,
                names: Set([name, found.place] + (file.soname.map { [$0] } ?? []))))
    }

    /// _dl_map_object: RPATHs of the object and those that brought it in, LD_LIBRARY_PATH, its RUNPATH, the cache, the
    /// system's directories.
    private func search(_ name: [UInt8], for index: Int, _ lack: inout Lack) throws -> Loader.Found {
        let object = objects[index]
        let expanded = expand(name, object)
        if expanded.contains(UInt8(ascii: "/")) {
            let place =
                expanded.first == UInt8(ascii: "/") ? expanded : setting.directory + [UInt8(ascii: "/")] + expanded
            lack.searched.append(place)
            return Loader.Found(candidate: try loader.candidate(at: place), place: place)
        }
        var foreign: Loader.Found?
        func look(_ found: Loader.Found, _ places: [[UInt8]], _ lack: inout Lack) -> Loader.Found? {
            lack.searched += places
            switch found.candidate {
            case .object(let path):
                if let node = loader.subject.tree[path], !setting.mayRead(node) {
                    lack.unreadable.append(path)
                    return nil
                }
                return found
            case .broken: return found
            case .foreign:
                foreign = foreign ?? found
                return nil
            case .absent: return nil
            }
        }
        if object.file.runpath == nil {
            var ancestor: Int? = index
            var visited = [Int]()
            while let at = ancestor, !visited.contains(at) {
                visited.append(at)
                let places = rpath(of: objects[at])
                if let found = look(try loader.find(expanded, in: places), places, &lack) { return found }
                ancestor = objects[at].loader
            }
            if !visited.contains(0) {
                let places = rpath(of: objects[0])
                if let found = look(try loader.find(expanded, in: places), places, &lack) { return found }
            }
        }
        if !setting.isSecure {
            let places = setting.libraryPath.map { absolute(expand($0, objects[0])) }
            if let found = look(try loader.find(expanded, in: places), places, &lack) { return found }
        }
        let places = (object.file.runpath.map { paths($0, object) } ?? [])
        if let found = look(try loader.find(expanded, in: places), places, &lack) { return found }
        if !object.file.ignoresDefaultLibraries {
            let places = (loader.cache == nil ? [] : [Array("/etc/ld.so.cache".utf8)]) + loader.systemDirectories
            if let found = look(try loader.findInDefaults(expanded), places, &lack) { return found }
        }
        return foreign ?? Loader.Found(candidate: .absent, place: [])
    }

    /// DT_RPATH's directories; none where there is a DT_RUNPATH.
    private func rpath(of object: Object) -> [[UInt8]] {
        guard object.file.runpath == nil, let text = object.file.rpath else { return [] }
        return paths(text, object)
    }

    private func paths(_ text: [UInt8], _ object: Object) -> [[UInt8]] {
        text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
            absolute(expand(Array($0), object))
        }
    }

    /// A directory without the slashes at its end; an empty or relative one below the working directory.
    private func absolute(_ text: [UInt8]) -> [UInt8] {
        let isAbsolute = text.first == UInt8(ascii: "/")
        var path = isAbsolute ? text : text.isEmpty ? setting.directory : setting.directory + [UInt8(ascii: "/")] + text
        while path.last == UInt8(ascii: "/") { path.removeLast() }
        return path
    }

    /// Fills in `$ORIGIN`, `$LIB` and `$PLATFORM` (ld.so(8), Dynamic string tokens).
    private func expand(_ text: [UInt8], _ object: Object) -> [UInt8] {
        guard text.contains(UInt8(ascii: "$")) else { return text }
        let origin = object.place.lastIndex(of: UInt8(ascii: "/")).map { Array(object.place[..<$0]) } ?? []
        let values = [
            ("ORIGIN", origin), ("LIB", loader.libraryDirectoryName), ("PLATFORM", Array(object.file.machineName.utf8)),
        ]
        var result = [UInt8]()
        var rest = text[...]
        scan: while let first = rest.first {
            if first == UInt8(ascii: "$") {
                for (name, value) in values {
                    for token in ["${\(name)}", "$\(name)"] where rest.starts(with: token.utf8) {
                        result += value
                        rest = rest.dropFirst(token.utf8.count)
                        continue scan
                    }
                }
            }
            result.append(first)
            rest = rest.dropFirst()
        }
        return result
    }
}
