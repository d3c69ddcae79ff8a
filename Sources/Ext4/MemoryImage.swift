import CExt2FS
import Glibc
import RootfsModel

/// An image's metadata in memory, as a device of libext2fs: reserved address space of the image's size, and one
/// byte a block that tells which blocks were written. Pages that nobody writes cost nothing.
final class MemoryImage: LibraryDevice {
    let blocks: UInt64
    private let bytes: UnsafeMutableRawPointer
    private let written: UnsafeMutableRawPointer
    private var byteCount: Int { Int(blocks) * blockSize }

    init(blocks: UInt64) throws(Failure) {
        self.blocks = blocks
        self.bytes = try Self.map(Int(blocks) * blockSize)
        do {
            self.written = try Self.map(Int(blocks))
        } catch {
            munmap(bytes, Int(blocks) * blockSize)
            throw error
        }
        super.init()
    }

    deinit {
        munmap(bytes, byteCount)
        munmap(written, Int(blocks))
    }

    private static func map(_ count: Int) throws(Failure) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let pointer = mmap(nil, count, PROT_READ | PROT_WRITE, flags, -1, 0), pointer != MAP_FAILED else {
            throw Failure("cannot reserve \(count) bytes of address space for an image: \(errorText(errno))")
        }
        return pointer
    }

    /// The bytes of a block that was written; nil for one that was not.
    func block(_ number: UInt64) -> UnsafeRawBufferPointer? {
        guard number < blocks, written.load(fromByteOffset: Int(number), as: UInt8.self) != 0 else { return nil }
        return UnsafeRawBufferPointer(start: bytes + Int(number) * blockSize, count: blockSize)
    }

    /// How many blocks were written.
    var writtenBlocks: UInt64 {
        (0..<blocks).reduce(0) { $0 + UInt64(written.load(fromByteOffset: Int($1), as: UInt8.self)) }
    }

    private func contains(_ offset: UInt64, _ count: UInt64) -> Bool {
        count <= UInt64(byteCount) && offset <= UInt64(byteCount) - count
    }

    override func read(_ target: UnsafeMutableRawBufferPointer, at offset: UInt64) -> errcode_t {
        guard contains(offset, UInt64(target.count)) else { return errcode_t(EXT2_ET_SHORT_READ) }
        target.copyMemory(from: UnsafeRawBufferPointer(start: bytes + Int(offset), count: target.count))
        return 0
    }

    override func write(_ source: UnsafeRawBufferPointer, at offset: UInt64) -> errcode_t {
        guard contains(offset, UInt64(source.count)) else { return errcode_t(EXT2_ET_SHORT_WRITE) }
        guard let start = source.baseAddress, source.count > 0 else { return 0 }
        memcpy(bytes + Int(offset), start, source.count)
        let first = Int(offset) / blockSize
        let last = (Int(offset) + source.count - 1) / blockSize
        memset(written + first, 1, last - first + 1)
        return 0
    }

    /// Makes whole blocks zero and unwritten again.
    override func forget(_ first: UInt64, _ count: UInt64) -> errcode_t {
        guard first <= blocks, count <= blocks - first else { return errcode_t(EXT2_ET_SHORT_WRITE) }
        for number in first..<first + count where written.load(fromByteOffset: Int(number), as: UInt8.self) != 0 {
            memset(bytes + Int(number) * blockSize, 0, blockSize)
        }
        memset(written + Int(first), 0, Int(count))
        return 0
    }
}

extension UnsafeMutableRawBufferPointer {
    func zero() {
        if let baseAddress { memset(baseAddress, 0, count) }
    }
}
