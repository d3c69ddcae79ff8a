internal import Glibc
public import RootfsModel
public import SystemPackage

/// Reads one blob wherever its bytes are. It fails rather than adapts: a file that is longer or shorter than
/// the tree says was changed since it was scanned.
public struct BlobReader: ~Copyable {
    private let blob: Blob
    private let name: FilePath
    /// -1 where the bytes are in memory.
    private let descriptor: Int32

    public init(_ blob: Blob) throws(Failure) {
        let name: FilePath
        switch blob.source {
        case .bytes: name = ""
        case .file(let directory, let path): name = hostPath(directory, path)
        case .extents(let image, _): name = FilePath(image)
        case .absent: throw Failure("the content \(blob.digest?.description ?? "of a file") is known by name only")
        }
        let descriptor = try Self.open(blob, name)
        self.blob = blob
        self.name = name
        self.descriptor = descriptor
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private static func open(_ blob: Blob, _ name: FilePath) throws(Failure) -> Int32 {
        if case .bytes = blob.source { return -1 }
        let descriptor = name.withPlatformString { Glibc.open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw systemFailure("read", name) }
        if case .extents = blob.source { return descriptor }
        var status = stat()
        fstat(descriptor, &status)
        if UInt64(status.st_size) != blob.size {
            close(descriptor)
            throw Failure(
                "\(name) has \(status.st_size) bytes, but had \(blob.size) when it was scanned",
                hint: "let nothing write to it during a build, and build again")
        }
        return descriptor
    }

    /// Fills the buffer with the blob's bytes from `offset` on; all of them must be inside the blob.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        let end = offset + UInt64(buffer.count)
        precondition(end <= blob.size, "reading beyond a blob")
        switch blob.source {
        case .bytes(let bytes):
            bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[Int(offset)..<Int(end)])) }
        case .file:
            try readExactly(buffer, at: offset)
        case .extents(_, let extents):
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            for extent in extents {
                let from = max(offset, extent.offset)
                let to = min(end, extent.offset + extent.length)
                if from >= to { continue }
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(from - offset)..<Int(to - offset)])
                try readExactly(part, at: extent.source + (from - extent.offset))
            }
        case .absent: break
        }
    }

    private func readExactly(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        var done = 0
        while done < buffer.count {
            let got = pread(
                descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset) + off_t(done))
            if got < 0 {
                if errno == EINTR { continue }
                throw systemFailure("read", name)
            }
            if got == 0 { throw Failure("\(name) ended early: it was changed while it was read") }
            done += got
        }
    }
}

/// A path of a tree on the host, byte for byte.
public func hostPathBytes(_ directory: String, _ path: TreePath) -> [CChar] {
    var bytes = directory.utf8.map { CChar(bitPattern: $0) }
    if !path.isRoot {
        bytes.append(CChar(bitPattern: UInt8(ascii: "/")))
        bytes.append(contentsOf: path.bytes.map { CChar(bitPattern: $0) })
    }
    bytes.append(0)
    return bytes
}

/// The same as a FilePath, which keeps bytes that are not UTF-8.
public func hostPath(_ directory: String, _ path: TreePath) -> FilePath {
    hostPathBytes(directory, path).withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { FilePath(platformString: $0) } ?? FilePath(directory)
    }
}

extension Blob {
    /// A file of the host as it is now.
    public init(file: FilePath) throws(Failure) {
        guard let name = TreePath(normalizing: file.lastComponent?.string ?? "") else {
            throw systemFailure("read", file, code: EISDIR)
        }
        var status = stat()
        guard stat(file.string, &status) == 0 else { throw systemFailure("read", file) }
        self.init(
            size: UInt64(status.st_size), digest: nil,
            source: .file(directory: file.removingLastComponent().string, path: name))
    }

    /// All bytes of the blob. Throws where they are not those of its digest.
    public func readAll() throws(Failure) -> [UInt8] {
        if case .bytes(let bytes) = source { return bytes }
        let reader = try BlobReader(self)
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var failure: Failure?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try reader.read(into: buffer, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        if let digest, digest != Digest(hashing: bytes) {
            throw Failure(
                "\(place) is not what it was: it should have the digest \(digest)",
                notes: ["it has \(Digest(hashing: bytes))"])
        }
        return bytes
    }

    /// For messages.
    private var place: String {
        switch source {
        case .bytes, .absent: "the content of a file"
        case .file(let directory, let path): hostPath(directory, path).string
        case .extents(let file, _): "a file in \(file)"
        }
    }

    /// The digest of the blob's bytes, read in pieces of 1 MiB.
    public func takeDigest() throws(Failure) -> Digest {
        var hasher = DigestHasher()
        try forEachPiece { hasher.update($0) }
        return hasher.finalized()
    }

    /// The checksum of the blob's bytes, likewise.
    public func takeChecksum() throws(Failure) -> Checksum {
        let hasher = ChecksumHasher()
        try forEachPiece { hasher.update($0) }
        return hasher.finalized()
    }

    private func forEachPiece(_ body: (UnsafeRawBufferPointer) -> Void) throws(Failure) {
        let reader = try BlobReader(self)
        var buffer = [UInt8](repeating: 0, count: Int(min(size, 1 << 20)))
        var offset: UInt64 = 0
        var failure: Failure?
        while offset < size {
            let length = Int(min(UInt64(buffer.count), size - offset))
            buffer.withUnsafeMutableBytes { raw in
                let piece = UnsafeMutableRawBufferPointer(rebasing: raw[..<length])
                do throws(Failure) {
                    try reader.read(into: piece, at: offset)
                    body(UnsafeRawBufferPointer(piece))
                } catch { failure = error }
            }
            if let failure { throw failure }
            offset += UInt64(length)
        }
    }
}
