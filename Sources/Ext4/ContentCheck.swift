import RootfsModel

/// Compares a file's content, as it passes into an image, with what the tree says of it: nothing gets into an image
/// that its listing does not tell. By the checksum where there is one, which costs next to nothing, else by the digest.
struct ContentCheck {
    private let path: TreePath
    private var expected: Expected

    private enum Expected {
        case checksum(Checksum, ChecksumHasher)
        case digest(Digest, DigestHasher)
    }

    /// nil where the tree says neither checksum nor digest.
    init?(of blob: Blob, at path: TreePath) {
        self.path = path
        if let traits = blob.traits {
            expected = .checksum(traits.checksum, ChecksumHasher())
        } else if let digest = blob.digest {
            expected = .digest(digest, DigestHasher())
        } else {
            return nil
        }
    }

    /// Compares a whole file that is at hand.
    static func run(on bytes: UnsafeRawBufferPointer, of blob: Blob, at path: TreePath) throws(Failure) {
        if let traits = blob.traits {
            if Checksum(of: bytes) != traits.checksum { throw Self.failure(path) }
        } else if var check = ContentCheck(of: blob, at: path) {
            check.add(bytes)
            try check.finish()
        }
    }

    /// The next bytes of the file.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        switch expected {
        case .checksum(_, let hasher): hasher.update(bytes)
        case .digest(let digest, var hasher):
            hasher.update(bytes)
            expected = .digest(digest, hasher)
        }
    }

    /// The next bytes are so many zeros.
    mutating func addZeros(_ count: UInt64) {
        var left = count
        while left > 0 {
            let length = Int(min(left, UInt64(Self.zeros.count)))
            Self.zeros.withUnsafeBytes { add(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
            left -= UInt64(length)
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    /// All bytes have passed. Throws where they are not what the tree says.
    func finish() throws(Failure) {
        switch expected {
        case .checksum(let checksum, let hasher): if hasher.finalized() != checksum { throw Self.failure(path) }
        case .digest(let digest, let hasher):
            let actual = hasher.finalized()
            if actual != digest {
                throw Self.failure(path, notes: ["it should have the digest \(digest)", "it has \(actual)"])
            }
        }
    }

    static func failure(_ path: TreePath, notes: [String] = []) -> Failure {
        Failure(
            "the content of \(path) is not what the tree says", notes: notes,
            hint: "it was changed since the tree was made, or is damaged: make the tree again from its source")
    }
}

/// Checks the files that lie in several segments: their pieces pass in the order of the image, which is also the order
/// of the file. What lies between two pieces is zero.
struct PassingChecks {
    private struct Running {
        var check: ContentCheck
        var position: UInt64 = 0
    }

    private var running = [Int: Running]()

    /// Takes what one segment holds of one file; the last of its pieces ends its check.
    mutating func pass(
        _ bytes: UnsafeRawBufferPointer, of blob: Blob, at path: TreePath, node: Int, offset: UInt64, isLast: Bool
    ) throws(Failure) {
        var file: Running
        if let known = running.removeValue(forKey: node) {
            file = known
        } else {
            guard let check = ContentCheck(of: blob, at: path) else { return }
            file = Running(check: check)
        }
        file.check.addZeros(offset - file.position)
        file.check.add(bytes)
        file.position = offset + UInt64(bytes.count)
        if isLast {
            file.check.addZeros(blob.size - file.position)
            try file.check.finish()
        } else {
            running[node] = file
        }
    }
}
