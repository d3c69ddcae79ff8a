internal import Attesting
internal import Ext4
internal import Glibc
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// The tree with every file's digest: of those that have none the contents are read, several at once.
func digestedTree(_ tree: FileTree, jobs: Int) throws -> FileTree {
    let wanted = tree.nodes.indices.filter { tree.nodes[$0].blob.map { $0.digest == nil } ?? false }
    let digests = try concurrently(wanted, jobs: jobs) { index in try tree.nodes[index].blob?.takeDigest() }
    var found = [TreePath: Digest](minimumCapacity: wanted.count)
    for (index, digest) in zip(wanted, digests) { found[tree.nodes[index].path] = digest }
    var result = tree
    result.updateEach { node in
        guard case .file(var blob, let group) = node.kind, blob.digest == nil else { return }
        blob.digest = found[node.path]
        node.kind = .file(blob, linkGroup: group)
    }
    return result
}

/// The regular files of a tree whose digests are known, each with its package.
func files(
    of tree: FileTree, _ packages: [AttestedImage.Package], _ request: BillRequest
) throws -> [AttestedImage.File] {
    var byName = [String: Int]()
    for (index, package) in packages.enumerated() where package.isInstalled && byName[package.name] == nil {
        byName[package.name] = index
    }
    var owners = [TreePath: Int]()
    for (package, paths) in try tree.packageFileLists() {
        guard let index = byName[package] else { continue }
        for path in paths {
            // dpkg has its own path of what lies in /usr.
            let place = tree[path] == nil ? tree.placement(of: path) : path
            if owners[place] == nil { owners[place] = index }
        }
    }
    let nodes = tree.nodes.filter { $0.blob != nil }
    let sums = request.form == .spdx ? try concurrently(nodes, jobs: request.jobs) { try $0.blob?.takeSHA1() } : []
    return nodes.enumerated().compactMap { index, node in
        guard let digest = node.blob?.digest else { return nil }
        return AttestedImage.File(
            path: String(decoding: node.path.bytes, as: UTF8.self), digest: digest,
            sha1: sums.isEmpty ? nil : sums[index], owner: owners[node.path])
    }
}

extension Blob {
    fileprivate func takeSHA1() throws -> String {
        let reader = try BlobReader(self)
        var hasher = SHA1Hasher()
        var buffer = [UInt8](repeating: 0, count: Int(min(max(size, 1), 1 << 20)))
        var offset: UInt64 = 0
        while offset < size {
            try Task.checkCancellation()
            if size - offset < UInt64(buffer.count) { buffer.removeLast(buffer.count - Int(size - offset)) }
            try fill(&buffer, from: reader, at: offset)
            buffer.withUnsafeBytes { hasher.update($0) }
            offset += UInt64(buffer.count)
        }
        return hasher.hex
    }
}

/// The results of a function of each value, in the values' order; the first failure of that order is thrown.
private func concurrently<Value: Sendable, Result: Sendable>(
    _ values: [Value], jobs: Int, _ body: @Sendable (Value) throws -> Result
) throws -> [Result] {
    let next = Atomic(0)
    let results = Mutex([Swift.Result<Result, any Error>?](repeating: nil, count: values.count))
    runConcurrently(max(1, min(jobs, 8))) {
        while true {
            // Only one of the threads is the task's own: it ends the others by leaving them nothing.
            if Task.isCancelled { next.store(values.count, ordering: .relaxed) }
            let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard number < values.count else { return }
            let result = Swift.Result { try body(values[number]) }
            results.withLock { $0[number] = result }
        }
    }
    try Task.checkCancellation()
    return try results.withLock { $0 }.compactMap { try $0?.get() }
}
