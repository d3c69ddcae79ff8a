public import RootfsModel
import Synchronization

/// What several rules ask of one tree and is made once: its ELF files, what its services start, and what is loaded for
/// them.
final class ElfFiles: Sendable {
    private let known = Mutex<[TreePath: ElfFile?]>([:])
    private let knownLoads = Mutex<[ServiceLoad]?>(nil)
    private let knownStarts = Mutex<[ServiceStart]?>(nil)

    func file(at path: TreePath, _ make: () throws -> ElfFile?) rethrows -> ElfFile? {
        if let file = known.withLock({ $0[path] }) { return file }
        let file = try make()
        known.withLock { $0[path] = .some(file) }
        return file
    }

    func starts(_ make: () throws -> [ServiceStart]) rethrows -> [ServiceStart] {
        if let starts = knownStarts.withLock({ $0 }) { return starts }
        let starts = try make()
        knownStarts.withLock { $0 = starts }
        return starts
    }

    func loads(_ make: () throws -> [ServiceLoad]) rethrows -> [ServiceLoad] {
        if let loads = knownLoads.withLock({ $0 }) { return loads }
        let loads = try make()
        knownLoads.withLock { $0 = loads }
        return loads
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
