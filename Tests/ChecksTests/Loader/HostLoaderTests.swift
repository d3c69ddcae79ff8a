import Foundation
import RootfsModel
import Testing

@testable import Checks

/// Loads what the host's own loader loads, program by program; of the directory in CHECKS_TREE, as root, where that is
/// set.
@Suite(.enabled(if: hostHas("ldd"), "needs glibc's loader")) struct HostLoaderTests {
    static let root = ProcessInfo.processInfo.environment["CHECKS_TREE"] ?? ""

    /// The parts of a root that programs and libraries are in.
    static func tree() throws -> FileTree {
        var nodes = [FileNode]()
        func add(_ name: String, levels: Int) throws {
            var status = stat()
            let path = root + "/" + name
            guard lstat(path, &status) == 0, let treePath = TreePath(normalizing: name) else { return }
            let metadata = Metadata(mode: UInt16(status.st_mode & 0o7777), uid: status.st_uid, gid: status.st_gid)
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
                nodes.append(FileNode(path: treePath, kind: .symbolicLink(Array(target.utf8)), metadata: metadata))
            case S_IFREG:
                let blob = Blob(
                    size: UInt64(status.st_size), digest: nil,
                    source: .file(directory: root.isEmpty ? "/" : root, path: treePath))
                nodes.append(FileNode(path: treePath, kind: .file(blob, linkGroup: 0), metadata: metadata))
            case S_IFDIR:
                nodes.append(FileNode(path: treePath, kind: .directory, metadata: metadata))
                if levels == 0 { return }
                for child in try FileManager.default.contentsOfDirectory(atPath: path) {
                    try add(name + "/" + child, levels: levels - 1)
                }
            default: break
            }
        }
        for name in ["lib", "lib32", "lib64", "libx32", "bin", "sbin"] { try add(name, levels: 0) }
        for name in ["etc/ld.so.cache", "usr/bin", "usr/sbin", "usr/lib64", "usr/local/lib"] {
            try add(name, levels: 1)
        }
        // Some programs have a folder of their own, or one below the architecture's.
        try add("usr/lib", levels: root.isEmpty ? 3 : 5)
        return try FileTree(nodes)
    }

    @Test func `a program's libraries are those that the loader itself finds`() throws {
        let tree = try Self.tree()
        let subject = CheckSubject(tree: tree, architecture: "amd64", read: readHere)
        let loaders = try Loaders(subject)
        var compared = 0
        for node in tree.nodes
        where node.blob != nil && (Self.root.isEmpty == false || node.path.isChild(of: "usr/bin")) {
            guard let file = try subject.elfFile(at: node.path), file.interpreter != nil, file.isDynamic,
                node.metadata.mode & 0o6000 == 0, let interpreter = file.interpreter,
                let loader = try loaders.loader(for: file), Self.root != "" || compared < 150
            else { continue }
            let process = try ProcessLoader(node.path, file, loader, ProcessLoader.Setting()).process
            let program = [String(decoding: interpreter, as: UTF8.self), "--list", node.path.description]
            let output = try runOnHost(
                ["LD_LIBRARY_PATH="] + (Self.root.isEmpty ? [] : ["chroot", Self.root]) + program)
            var theirs = Set<String>()
            for line in output.split(separator: "\n") {
                let words = line.split(separator: " ").map { $0.trimmingCharacters(in: .whitespaces) }
                guard let place = words.first(where: { $0.hasPrefix("/") }),
                    let path = tree.resolve(bytes: Array(place.utf8))
                else { continue }
                theirs.insert(path.description)
            }
            if theirs.isEmpty { continue }
            theirs.insert(node.path.description)
            var mine = Set(process.objects.map(\.path.description))
            if let own = tree.resolve(bytes: interpreter) {
                mine.insert(own.description)
                theirs.insert(own.description)
            }
            #expect(process.lacks.isEmpty == !output.contains("not found"), "\(node.path)")
            #expect(mine == theirs, "\(node.path): \(mine.symmetricDifference(theirs).sorted())")
            compared += 1
        }
        #expect(compared > 30)
    }
}
