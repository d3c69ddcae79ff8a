internal import RootfsModel
internal import Storage

extension FileTree {
    /// What dpkg's lists say: each package's name, without its architecture, and its paths. They are dpkg's own:
    /// `/bin/sh` for what lies in `/usr/bin`.
    func packageFileLists() throws -> [(package: String, paths: [TreePath])] {
        try children(of: "var/lib/dpkg/info").compactMap { node in
            let file = String(decoding: node.path.name, as: UTF8.self)
            guard file.hasSuffix(".list"), let blob = node.blob else { return nil }
            return (String(file.dropLast(".list".count).prefix { $0 != ":" }), packagePaths(try blob.readAll()))
        }
    }
}

/// The paths of a list as dpkg writes it, one a line.
func packagePaths(_ list: [UInt8]) -> [TreePath] {
    list.split(separator: UInt8(ascii: "\n")).compactMap { TreePath(normalizing: $0) }
}
