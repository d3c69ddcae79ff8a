import RootfsModel

/// The directories that ldconfig puts into its cache besides the system's: ld.so.conf and what it includes (ldconfig(8)).
/// The loader itself never reads them.
func loaderDirectories(in subject: CheckSubject) throws -> [[UInt8]] {
    var directories = [[UInt8]]()
    var seen = Set<TreePath>()
    func read(_ path: TreePath, depth: Int) throws {
        guard depth < 10, let resolved = subject.tree.resolve(path), seen.insert(resolved).inserted,
            let content = try subject.content(of: resolved, limit: 1 << 20)
        else { return }
        for line in content.split(separator: UInt8(ascii: "\n")) {
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            guard let first = words.first else { continue }
            if first.elementsEqual("include".utf8) {
                for pattern in words.dropFirst() {
                    for file in matches(of: pattern, from: path) { try read(file, depth: depth + 1) }
                }
            } else if first.first == UInt8(ascii: "/") {
                directories.append(Array(first))
            }
        }
    }
    /// The files of one pattern, whose last component alone may have `*` and `?`, as in all that packages bring.
    func matches(of pattern: ArraySlice<UInt8>, from file: TreePath) -> [TreePath] {
        // A relative one begins at the file that includes.
        let slash = UInt8(ascii: "/")
        let pattern =
            pattern.first == slash ? pattern : ([slash] + (file.parent ?? .root).bytes + [slash] + pattern)[...]
        guard let end = pattern.lastIndex(of: slash), let directory = subject.tree.resolve(bytes: pattern[..<end])
        else {
            return []
        }
        let name = Array(pattern[(end + 1)...])
        return subject.tree.children(of: directory).map(\.path).filter {
            $0.name.first != UInt8(ascii: ".") && $0.name.matches(wildcards: name)
        }
    }
    try read("etc/ld.so.conf", depth: 0)
    return directories
}
