public import RootfsModel
import Synchronization

/// The ELF files of one tree, each read once, however many rules ask for it.
final class ElfFiles: Sendable {
    private let known = Mutex<[TreePath: ElfFile?]>([:])

    func file(at path: TreePath, _ make: () throws -> ElfFile?) rethrows -> ElfFile? {
        if let file = known.withLock({ $0[path] }) { return file }
        let file = try make()
        known.withLock { $0[path] = .some(file) }
        return file
    }
}

extension CheckSubject {
    /// The ELF file of a node's path, symbolic links not followed; nil where there is none.
    public func elfFile(at path: TreePath) throws -> ElfFile? {
        try elfFiles.file(at: path) {
            guard let blob = tree[path]?.blob else { return nil }
            return try ElfFile(reading: blob, with: read)
        }
    }
}
