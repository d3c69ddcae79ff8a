import Glibc
import RootfsModel

/// `SEEK_DATA` and `SEEK_HOLE`, which Glibc shows only with _GNU_SOURCE.
private let seekData: Int32 = 3
private let seekHole: Int32 = 4

/// An open blob: reads any part of its bytes. One open file at most, closed at the end of its life.
struct ContentReader: ~Copyable {
    private let descriptor: Int32
    private let blob: Blob
    private let path: TreePath

    /// Opens the content of a node. Throws where the host file is not a regular file of the size that the tree says.
    init(_ blob: Blob, of path: TreePath) throws(Failure) {
        self.blob = blob
        self.path = path
        self.descriptor = try Self.open(blob, path)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private static func open(_ blob: Blob, _ path: TreePath) throws(Failure) -> Int32 {
        let name: [UInt8]
        switch blob.source {
        case .bytes: return -1
        case .absent: throw Failure("\(path): its content is not at hand, only its digest")
        case .file(let directory, let below): name = Array(directory.utf8) + [UInt8(ascii: "/")] + below.bytes
        case .extents(let file, _): name = Array(file.utf8)
        }
        let terminated = name.map { CChar(bitPattern: $0) } + [0]
        // A file of a tree is no link; the way to an image may be one.
        let follow: Int32 = if case .file = blob.source { O_NOFOLLOW } else { 0 }
        let descriptor = Glibc.open(terminated, O_RDONLY | O_CLOEXEC | follow)
        func failure(_ cause: String) -> Failure {
            Failure("cannot read the content of \(path) from \(String(decoding: name, as: UTF8.self)): \(cause)")
        }
        if descriptor < 0 { throw failure(errorText(errno)) }
        var status = stat()
        if fstat(descriptor, &status) != 0 {
            let cause = errorText(errno)
            close(descriptor)
            throw failure(cause)
        }
        if case .file = blob.source {
            let isFile = status.st_mode & S_IFMT == S_IFREG
            if !isFile || UInt64(status.st_size) != blob.size {
                close(descriptor)
                throw failure(
                    isFile
                        ? "it has \(status.st_size) bytes now, the tree says \(blob.size)" : "it is no regular file now"
                )
            }
        }
        return descriptor
    }

    /// Fills the buffer with the bytes from `offset` on; all of them must be there.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        switch blob.source {
        case .bytes(let bytes):
            bytes.withUnsafeBytes { source in
                buffer.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[Int(offset)..<Int(offset) + buffer.count]))
            }
        case .file:
            try read(into: buffer, from: offset)
        case .extents(_, let extents):
            buffer.zero()
            let end = offset + UInt64(buffer.count)
            // The extents are sorted: skip those before.
            var low = 0
            var high = extents.count
            while low < high {
                let middle = (low + high) / 2
                if extents[middle].offset + extents[middle].length <= offset { low = middle + 1 } else { high = middle }
            }
            for extent in extents[low...] {
                if extent.offset >= end { break }
                let start = max(offset, extent.offset)
                let stop = min(end, extent.offset + extent.length)
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(start - offset)..<Int(stop - offset)])
                try read(into: part, from: extent.source + (start - extent.offset))
            }
        case .absent: break
        }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer, from offset: UInt64) throws(Failure) {
        var done = 0
        while done < buffer.count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, part.baseAddress, part.count, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            if count <= 0 {
                let cause = count < 0 ? errorText(errno) : "it became shorter while it was read"
                throw Failure("cannot read the content of \(path): \(cause)")
            }
            done += count
        }
    }

    /// Where the host's file has data from `offset` on, and where that ends: what lies between is zero and need not be
    /// read. Everything, where the host does not know.
    func dataRange(from offset: UInt64) -> Range<UInt64> {
        switch blob.source {
        case .bytes: return offset..<blob.size
        case .absent: return blob.size..<blob.size
        case .file:
            let start = lseek(descriptor, off_t(offset), seekData)
            if start < 0 { return errno == ENXIO ? blob.size..<blob.size : offset..<blob.size }
            let end = lseek(descriptor, start, seekHole)
            let first = min(max(offset, UInt64(start)), blob.size)
            return first..<max(first, end < 0 ? blob.size : min(UInt64(end), blob.size))
        case .extents(_, let extents):
            guard let extent = extents.first(where: { $0.offset + $0.length > offset }) else {
                return blob.size..<blob.size
            }
            let start = min(max(extent.offset, offset), blob.size)
            return start..<max(start, min(extent.offset + extent.length, blob.size))
        }
    }
}
