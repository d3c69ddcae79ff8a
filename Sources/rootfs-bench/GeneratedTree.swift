import Glibc
import RootfsModel
import Storage
import SystemPackage

/// A directory of so many paths: a fifth of them in one directory, the others a hundred in each. Small files, most of
/// them empty, a few symbolic links, hard links and extended attributes. The same number gives the same tree.
struct GeneratedTree {
    let paths: Int

    private static let moment = Timestamp(seconds: 1_700_000_000)
    private static let directory = Metadata(mode: 0o755, mtime: moment)

    func write(to root: FilePath) throws {
        try makeDirectory(at: root)
        var tree = try TreeDirectory.open(root)
        for path in ["var", "var/lib", "var/lib/many", "usr", "usr/share"] as [TreePath] {
            try tree.makeDirectory(path, Self.directory)
        }
        let many = paths / 5
        for number in 0..<many { try put(number, in: "var/lib/many", &tree) }
        var parent: TreePath = "usr/share"
        for number in many..<paths {
            if (number - many) % 100 == 0 {
                let group = (number - many) / 100
                let above = ("usr/share" as TreePath).appending("group-\(group / 100)".utf8)
                if group % 100 == 0 { try tree.makeDirectory(above, Self.directory) }
                parent = above.appending("directory-\(group)".utf8)
                try tree.makeDirectory(parent, Self.directory)
            }
            try put(number, in: parent, &tree)
        }
    }

    private func put(_ number: Int, in parent: TreePath, _ tree: inout TreeDirectory) throws {
        let path = parent.appending("file-number-\(number).txt".utf8)
        var metadata = Metadata(mode: 0o644, mtime: Self.moment)
        switch number % 100 {
        case 1: try tree.makeHardLink(path, to: parent.appending("file-number-\(number - 1).txt".utf8))
        case 2...6: try tree.makeSymbolicLink(path, to: Array("../target-\(number)".utf8), metadata)
        case 7:
            metadata.xattrs = [ExtendedAttribute(name: "user.number", value: Array("\(number)".utf8))]
            fallthrough
        default:
            let text = number % 4 == 0 ? "the content of file \(number)\n" : ""
            try tree.write(Array(text.utf8), to: path, metadata)
        }
    }
}
