import RootfsModel

/// Takes the digest of a file's content as it passes into an image, and compares it with the one that the tree says:
/// nothing gets into an image that its listing does not tell.
struct ContentCheck {
    private let path: TreePath
    private let expected: Digest
    private var hasher = DigestHasher()

    /// nil where the tree says no digest.
    init?(of blob: Blob, at path: TreePath) {
        guard let digest = blob.digest else { return nil }
        self.path = path
        self.expected = digest
    }

    /// The next bytes of the file.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bytes)
    }

    /// The next bytes are so many zeros.
    mutating func addZeros(_ count: UInt64) {
        var left = count
        while left > 0 {
            let length = Int(min(left, UInt64(Self.zeros.count)))
            Self.zeros.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
            left -= UInt64(length)
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    /// All bytes have passed. Throws where they are not those of the digest.
    func finish() throws(Failure) {
        let actual = hasher.finalized()
        if actual == expected { return }
        throw Failure(
            "the content of \(path) is not what the tree says",
            notes: ["it should have the digest \(expected)", "it has \(actual)"],
            hint: "it was changed since the tree was made, or is damaged: make the tree again from its source")
    }
}

/// Checks the files that lie in several segments: their pieces pass in the order of the image, which is also the order
/// of the file.
struct PassingChecks {
    private var running = [Int: ContentCheck]()

    /// Takes what one segment holds of one file; the file's last bytes end its check.
    mutating func pass(
        _ bytes: UnsafeRawBufferPointer, of blob: Blob, at path: TreePath, node: Int, offset: UInt64
    ) throws(Failure) {
        guard var check = offset == 0 ? ContentCheck(of: blob, at: path) : running.removeValue(forKey: node) else {
            return
        }
        check.add(bytes)
        if offset + UInt64(bytes.count) < blob.size { running[node] = check } else { try check.finish() }
    }
}
