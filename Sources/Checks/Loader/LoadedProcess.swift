import RootfsModel

/// One program with all that the loader brings in before its first instruction, in the loader's order.
struct LoadedProcess: Sendable {
    struct Object: Sendable {
        var path: TreePath
        /// The path by which it was opened; `$ORIGIN` is its directory.
        var place: [UInt8]
        var file: ElfFile
        /// The object that brought it in first.
        var loader: Int?
        /// By what names others' needs are met: what it was asked for by, its path, its DT_SONAME.
        var names: Set<[UInt8]>
    }

    /// A library that an object needs and does not get.
    struct Lack: Sendable {
        var name: [UInt8]
        /// The index of the object that needs it; nil for what LD_PRELOAD or ld.so.preload name.
        var object: Int?
        var found: Loader.Found
        /// What was looked through, in order.
        var searched: [[UInt8]]
        /// Files that were there but may not be read by the service's user.
        var unreadable: [TreePath]
    }

    /// The program, the loader itself, what is preloaded, then breadth first what each needs.
    var objects: [Object] = []
    var lacks: [Lack] = []
    /// Where the loader looks in the end.
    var systemDirectories: [[UInt8]]

    init(objects: [Object], systemDirectories: [[UInt8]]) {
        self.objects = objects
        self.systemDirectories = systemDirectories
    }

    /// A program that nothing is loaded for, or nothing is known of its loader.
    init(alone program: TreePath, _ file: ElfFile) {
        let place = [UInt8(ascii: "/")] + program.bytes
        self.init(
            objects: [Object(path: program, place: place, file: file, loader: nil, names: [place])],
            systemDirectories: [])
    }

    /// How an object came in, from the program on: a line each.
    func chain(to index: Int) -> [String] {
        var lines = [String]()
        var at = index
        while let above = objects[at].loader, lines.count < 64 {
            let name = objects[at].place.split(separator: UInt8(ascii: "/")).last ?? []
            lines.append("\(objects[above].path) needs \(String(decoding: name, as: UTF8.self)): \(objects[at].path)")
            at = above
        }
        return lines.reversed()
    }
}
