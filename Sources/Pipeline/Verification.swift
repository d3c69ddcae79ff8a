internal import Ext4
internal import RootfsModel
internal import Storage
public import SystemPackage
internal import Verity

/// What a look at an image found.
public struct VerifyReport: Encodable, Sendable {
    /// One thing that was recomputed.
    public struct Check: Encodable, Sendable {
        /// `image hash`, `content hash`, `root hash`, `file system`.
        public var name: String
        /// nil where it could not be computed.
        public var found: String?
        /// nil where nothing says what it should be.
        public var expected: String?
        /// What says so, or what looked.
        public var source: String?
        public var isRight: Bool
    }

    public struct Difference: Encodable, Sendable {
        public var path: String
        /// `added`, `missing` or `changed`.
        public var kind: String
        /// What is otherwise, in words.
        public var fields: [String]
    }

    public var image: String
    /// Who signed it, where that was asked.
    public private(set) var signature: SignatureReport?
    public var checks: [Check]
    /// Paths that are not as the listing has them, in path order.
    public var differences: [Difference]
    /// What else is wrong, a sentence each.
    public var problems: [String]
    public var succeeded: Bool

    /// Adds whose signature covers the record that the image was compared with.
    public mutating func add(_ signature: SignatureReport) {
        self.signature = signature
        checks.insert(
            Check(
                name: "signature", found: "\(signature.signer), \(signature.key)", expected: nil,
                source: signature.signature, isRight: true), at: 0)
    }
}

/// Computes anew all that is said of an image and compares: its hash, its content's, its hash tree's; and whether the
/// file system is in order.
///
/// - Parameters:
///   - path: an image, or a directory that a build wrote.
///   - reference: an image.json, to which its listing is looked for beside it and beside the image, or a listing; nil
///     for those beside the image.
/// - Throws: where the image cannot be read, is cut off, or the reference is none or another image's.
public func verifyImage(
    at path: FilePath, against reference: FilePath?, progress: @escaping ProgressSink
) async throws -> VerifyReport {
    let image = try ImageReference.image(at: path)
    let expected =
        try reference.map { path throws(Failure) in try ImageReference(at: path, for: image) }
        ?? ImageReference(beside: image)
    let size = try fileSize(of: image)
    if let (path, record) = expected.record, size < record.imageSize {
        throw Failure("\(image) is cut off: \(size) of \(record.imageSize) bytes are there", notes: ["\(path) says so"])
    }
    let reader = try Ext4Reader(image)
    let information = reader.information
    try expected.checkRecord(isOf: image, information)
    let leftMounted = reader.leftMounted?.text
    let isInPlace = reader.leftMounted?.replay == nil
    let name = image.stem ?? "image"
    progress(.started(recipe: name, stage: "verify"))
    let report = try await withTaskExecutorPreference(ThreadExecutor()) {
        async let digest = imageDigest(image, size) {
            progress(.advanced(recipe: name, stage: "verify", done: $0, total: size, unit: .bytes))
        }
        async let content = readContent(image)
        async let rest = ImageRest(of: image, from: information.blocks * UInt64(information.blockSize), size: size)
        // e2fsck would judge what stands in its place, without the journal.
        async let checked = isInPlace ? hostFileSystemCheck(of: image) : nil
        var report = try await makeReport(image, size, expected, digest, content, rest, checked)
        if let text = leftMounted {
            report.problems.insert(text, at: 0)
            report.succeeded = false
        }
        if let record = expected.record?.record, case .tree(let tree, let hash) = try await content,
            hash.description == record.contentHash, try await digest.description != record.imageHash
        {
            report.problems += try changesAroundContent(of: image, tree, record)
        }
        return report
    }
    progress(.finished(recipe: name, stage: "verify", detail: byteText(size)))
    return report
}

private func fileSize(of path: FilePath) throws(Failure) -> UInt64 {
    guard exists(path) else { throw Failure("there is no image \(path)") }
    return try Blob(file: path).size
}

/// What differs in an image whose content is right: it is made again of that content and compared. Nothing where that
/// cannot be written beside it, or where this version of the program makes other images than the one that made it.
private func changesAroundContent(of image: FilePath, _ tree: FileTree, _ record: ImageRecord) throws -> [String] {
    guard let scratch = try? TemporaryDirectory(beside: image) else { return [] }
    let again = scratch.path.appending("again")
    let finished = try FinishedTree(
        tree, moment: Timestamp(seconds: record.fileSystem.moment), kept: Set(record.normalization.kept))
    let made = try writeImage(finished, to: again, record.fileSystem, jobs: 2, progress: { _, _ in })
    guard made.digest.description == record.imageHash else { return [] }
    return try ImageComparison(again, image, limit: 20).differences.map {
        "\($0.place): \($0.field) \($0.right) instead of \($0.left)"
    }
}

/// The content as it is, or why it cannot be read.
private enum ReadContent: Sendable {
    case tree(FileTree, Digest)
    case unreadable(Failure)
}

private func readContent(_ image: FilePath) throws -> ReadContent {
    do {
        let tree = try Ext4Reader(image).tree(digesting: true)
        return .tree(tree, Digest(hashing: try Listing.bytes(of: tree)))
    } catch let failure as Failure {
        return .unreadable(failure)
    }
}

private func imageDigest(
    _ image: FilePath, _ size: UInt64, progress: (UInt64) -> Void
) throws -> Digest {
    let reader = try BlobReader(Blob(file: image))
    var hasher = DigestHasher()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset: UInt64 = 0
    while offset < size {
        try Task.checkCancellation()
        if size - offset < UInt64(buffer.count) { buffer.removeLast(buffer.count - Int(size - offset)) }
        try fill(&buffer, from: reader, at: offset)
        hasher.update(buffer)
        offset += UInt64(buffer.count)
        progress(offset)
    }
    return hasher.finalized()
}

private func makeReport(
    _ image: FilePath, _ size: UInt64, _ expected: ImageReference, _ digest: Digest, _ content: ReadContent,
    _ rest: ImageRest, _ checked: (program: String, problems: [String])?
) throws -> VerifyReport {
    var report = VerifyReport(image: image.string, checks: [], differences: [], problems: [], succeeded: true)
    func check(_ name: String, _ found: String?, _ expected: String?, _ source: FilePath?) {
        let isRight = found != nil && (expected == nil || found == expected)
        report.checks.append(
            .init(
                name: name, found: found, expected: expected, source: expected == nil ? nil : source?.string,
                isRight: isRight))
    }
    let record = expected.record?.record
    check("image hash", digest.description, record?.imageHash, expected.record?.path)
    if let record, size != record.imageSize {
        report.problems.append("the image has \(size) bytes instead of \(record.imageSize)")
    }
    switch content {
    case .unreadable(let failure):
        check("content hash", nil, record?.contentHash ?? expected.listing?.digest.description, nil)
        report.problems.append(failure.message)
    case .tree(let tree, let hash):
        check(
            "content hash", hash.description, record?.contentHash ?? expected.listing?.digest.description,
            expected.record?.path ?? expected.listing?.path)
        if let listing = expected.listing {
            report.differences = tree.differences(from: listing.tree).map { .init($0) }
        }
    }
    if let (path, _, digest) = expected.listing, let record, digest.description != record.contentHash {
        report.problems.append("\(path) is not the listing that image.json has the digest of: its own is \(digest)")
    }
    let tree = rest.hashTree
    if let wanted = record?.verity {
        check("root hash", tree?.computed.rootHash.hex, wanted.rootHash, expected.record?.path)
        if tree == nil { report.problems.append("there is no hash tree behind the file system") }
    } else if let tree {
        check("root hash", tree.computed.rootHash.hex, nil, nil)
    }
    if let tree {
        let root = record?.verity.flatMap { Digest(hex: $0.rootHash) }
        let files: FileTree? = if case .tree(let files, _) = content { files } else { nil }
        report.problems += tree.computed.damage(in: tree.stored, rootHash: root).map { words(of: $0, in: files) }
    }
    if let place = rest.other {
        report.problems.append("from byte \(place) on, behind the file system, is something that is no hash tree")
    }
    if let checked {
        report.checks.append(
            .init(
                name: "file system", found: checked.problems.isEmpty ? "clean" : "damaged", expected: nil,
                source: checked.program, isRight: checked.problems.isEmpty))
        report.problems += checked.problems.map { "\(checked.program): \($0)" }
    } else {
        let isReadable = if case .tree = content { true } else { false }
        report.checks.append(
            .init(
                name: "file system", found: isReadable ? "every path could be read" : "damaged", expected: nil,
                source: "our own reader", isRight: isReadable))
    }
    report.succeeded =
        report.checks.allSatisfy(\.isRight) && report.differences.isEmpty && report.problems.isEmpty
    return report
}

extension VerifyReport.Difference {
    init(_ difference: TreeDifference) {
        path = difference.path.description
        switch difference.kind {
        case .added: (kind, fields) = ("added", [])
        case .missing: (kind, fields) = ("missing", [])
        case .changed(let changes): (kind, fields) = ("changed", changes.map(\.description))
        }
    }
}
