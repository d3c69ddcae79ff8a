import CExt2FS
import Glibc
import RootfsModel

/// An image's metadata in memory, as a device of libext2fs: reserved address space of the image's size, and one
/// byte a block that tells which blocks were written. Pages that nobody writes cost nothing.
///
/// libext2fs finds it by its address, which is the name of the device.
final class MemoryImage {
    let blocks: UInt64
    private let bytes: UnsafeMutableRawPointer
    private let written: UnsafeMutableRawPointer
    /// The manager whose devices this one is.
    let manager: UnsafeMutablePointer<struct_io_manager>
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
        self.manager = Self.makeManager()
    }

    deinit {
        munmap(bytes, byteCount)
        munmap(written, Int(blocks))
        manager.deallocate()
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

    fileprivate func read(_ offset: UInt64, _ count: UInt64, into target: UnsafeMutableRawPointer) -> errcode_t {
        guard contains(offset, count) else { return errcode_t(EXT2_ET_SHORT_READ) }
        memcpy(target, bytes + Int(offset), Int(count))
        return 0
    }

    fileprivate func write(_ offset: UInt64, _ count: UInt64, from source: UnsafeRawPointer) -> errcode_t {
        guard contains(offset, count) else { return errcode_t(EXT2_ET_SHORT_WRITE) }
        if count == 0 { return 0 }
        memcpy(bytes + Int(offset), source, Int(count))
        let first = Int(offset) / blockSize
        let last = (Int(offset) + Int(count) - 1) / blockSize
        memset(written + first, 1, last - first + 1)
        return 0
    }

    /// Makes whole blocks zero and unwritten again.
    fileprivate func forget(_ first: UInt64, _ count: UInt64) -> errcode_t {
        guard first <= blocks, count <= blocks - first else { return errcode_t(EXT2_ET_SHORT_WRITE) }
        for number in first..<first + count where written.load(fromByteOffset: Int(number), as: UInt8.self) != 0 {
            memset(bytes + Int(number) * blockSize, 0, blockSize)
        }
        memset(written + Int(first), 0, Int(count))
        return 0
    }

    /// The device's name for libext2fs.
    var name: String { String(UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())) }

    fileprivate static func named(_ name: UnsafePointer<CChar>) -> UnsafeMutableRawPointer? {
        UInt(String(cString: name)).flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
    }

    fileprivate static func of(_ channel: io_channel?) -> MemoryImage? {
        (channel?.pointee.private_data).map { Unmanaged<MemoryImage>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// Where and how much an access of libext2fs is: a negative count is one of bytes.
private func span(_ channel: io_channel?, _ block: UInt64, _ count: Int32) -> (offset: UInt64, count: UInt64) {
    let size = UInt64(channel?.pointee.block_size ?? 0)
    let (offset, overflow) = block.multipliedReportingOverflow(by: size)
    let bytes = count < 0 ? UInt64(count.magnitude) : UInt64(count) * size
    return (overflow ? .max : offset, bytes)
}

private let readBlocks: @convention(c) (io_channel?, UInt64, Int32, UnsafeMutableRawPointer?) -> errcode_t = {
    guard let image = MemoryImage.of($0), let target = $3 else { return errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
    let span = span($0, $1, $2)
    return image.read(span.offset, span.count, into: target)
}

private let writeBlocks: @convention(c) (io_channel?, UInt64, Int32, UnsafeRawPointer?) -> errcode_t = {
    guard let image = MemoryImage.of($0), let source = $3 else { return errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
    let span = span($0, $1, $2)
    return image.write(span.offset, span.count, from: source)
}

extension MemoryImage {
    /// A manager of libext2fs that opens memory images.
    fileprivate static func makeManager() -> UnsafeMutablePointer<struct_io_manager> {
        let manager = UnsafeMutablePointer<struct_io_manager>.allocate(capacity: 1)
        manager.initialize(to: struct_io_manager())
        manager.pointee.magic = errcode_t(EXT2_ET_MAGIC_IO_MANAGER)
        manager.pointee.open = { name, _, result in
            guard let name, let address = MemoryImage.named(name),
                let memory = calloc(1, MemoryLayout<struct_io_channel>.size)
            else { return errcode_t(EXT2_ET_NO_MEMORY) }
            let channel = memory.bindMemory(to: struct_io_channel.self, capacity: 1)
            channel.pointee.magic = errcode_t(EXT2_ET_MAGIC_IO_CHANNEL)
            channel.pointee.name = strdup(name)
            channel.pointee.block_size = Int32(blockSize)
            channel.pointee.refcount = 1
            channel.pointee.private_data = address
            channel.pointee.manager = MemoryImage.of(channel)?.manager
            result?.pointee = channel
            return 0
        }
        manager.pointee.close = { channel in
            guard let channel, channel.pointee.refcount > 0 else { return 0 }
            channel.pointee.refcount -= 1
            if channel.pointee.refcount == 0 {
                free(channel.pointee.name)
                free(channel)
            }
            return 0
        }
        manager.pointee.set_blksize = { channel, size in
            channel?.pointee.block_size = size
            return 0
        }
        manager.pointee.read_blk = { readBlocks($0, UInt64($1), $2, $3) }
        manager.pointee.write_blk = { writeBlocks($0, UInt64($1), $2, $3) }
        manager.pointee.read_blk64 = readBlocks
        manager.pointee.write_blk64 = writeBlocks
        manager.pointee.flush = { _ in 0 }
        manager.pointee.discard = { MemoryImage.of($0)?.forget($1, $2) ?? errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
        manager.pointee.zeroout = { MemoryImage.of($0)?.forget($1, $2) ?? errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
        return manager
    }
}

extension UnsafeMutableRawBufferPointer {
    func zero() {
        if let baseAddress { memset(baseAddress, 0, count) }
    }
}
