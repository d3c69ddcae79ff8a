import CExt2FS
import Glibc
import RootfsModel
import SystemPackage

/// An image with its journal in place, as a device of libext2fs that can only be read: blocks that were committed come
/// from the journal, all others from where they are. The file itself is never changed.
///
/// libext2fs finds it by its address, which is the name of the device.
final class JournalDevice {
    /// The image's size in bytes.
    let size: UInt64
    /// The manager whose devices this one is.
    let manager: UnsafeMutablePointer<struct_io_manager>
    private let descriptor: Int32
    private let path: FilePath
    private let blockSize: Int
    private let copies: [UInt64: Journal.Copy]

    init(_ path: FilePath, blockSize: Int, copies: [UInt64: Journal.Copy]) throws(Failure) {
        self.path = path
        self.blockSize = blockSize
        self.copies = copies
        descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        if descriptor < 0 { throw Failure("cannot read the image \(path): \(errorText(errno))") }
        size = UInt64(max(0, lseek(descriptor, 0, SEEK_END)))
        manager = Self.makeManager()
    }

    deinit {
        close(descriptor)
        manager.deallocate()
    }

    /// Where a block stands, if it is read from the journal.
    func copy(of block: UInt64) -> Journal.Copy? { copies[block] }

    /// Bytes of the image; what is behind its end counts as zero and makes the result false.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Bool {
        let isWhole = readFile(buffer, offset)
        let unit = UInt64(blockSize)
        let end = offset + UInt64(buffer.count)
        for block in offset / unit..<(end + unit - 1) / unit {
            guard let copy = copies[block] else { continue }
            let (start, stop) = (max(offset, block * unit), min(end, (block + 1) * unit))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(start - offset)..<Int(stop - offset)])
            guard readFile(part, copy.place * unit + (start - block * unit)) else { return false }
            if copy.isEscaped { Self.restoreMagic(in: part, from: Int(start - block * unit)) }
        }
        return isWhole
    }

    /// Writes the magic number over the first bytes of a block.
    ///
    /// - Parameter offset: where in the block the bytes begin.
    static func restoreMagic(in bytes: UnsafeMutableRawBufferPointer, from offset: Int) {
        for place in offset..<max(offset, min(4, offset + bytes.count)) {
            bytes[place - offset] = UInt8(truncatingIfNeeded: JournalFormat.magic >> UInt32(24 - place * 8))
        }
    }

    private func readFile(_ buffer: UnsafeMutableRawBufferPointer, _ offset: UInt64) -> Bool {
        var done = 0
        while done < buffer.count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, part.baseAddress, part.count, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            if count <= 0 {
                part.zero()
                return false
            }
            done += count
        }
        return true
    }

    /// The device's name for libext2fs.
    var name: String { String(UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())) }

    fileprivate static func of(_ channel: io_channel?) -> JournalDevice? {
        (channel?.pointee.private_data).map { Unmanaged<JournalDevice>.fromOpaque($0).takeUnretainedValue() }
    }

    fileprivate func read(_ block: UInt64, _ count: Int32, of unit: Int32, into target: UnsafeMutableRawPointer)
        -> errcode_t
    {
        // A negative count is one of bytes.
        let bytes = count < 0 ? Int(count.magnitude) : Int(count) * Int(unit)
        let (offset, overflow) = block.multipliedReportingOverflow(by: UInt64(max(0, unit)))
        guard !overflow, offset < UInt64(Int64.max) - UInt64(bytes),
            read(into: UnsafeMutableRawBufferPointer(start: target, count: bytes), at: offset)
        else { return errcode_t(EXT2_ET_SHORT_READ) }
        return 0
    }
}

private let readBlocks: @convention(c) (io_channel?, UInt64, Int32, UnsafeMutableRawPointer?) -> errcode_t = {
    guard let device = JournalDevice.of($0), let unit = $0?.pointee.block_size, let target = $3 else {
        return errcode_t(EXT2_ET_BAD_DEVICE_NAME)
    }
    return device.read($1, $2, of: unit, into: target)
}

extension JournalDevice {
    /// A manager of libext2fs that opens such devices.
    fileprivate static func makeManager() -> UnsafeMutablePointer<struct_io_manager> {
        let manager = UnsafeMutablePointer<struct_io_manager>.allocate(capacity: 1)
        manager.initialize(to: struct_io_manager())
        manager.pointee.magic = errcode_t(EXT2_ET_MAGIC_IO_MANAGER)
        manager.pointee.open = { name, _, result in
            guard let name, let address = UInt(String(cString: name)),
                let memory = calloc(1, MemoryLayout<struct_io_channel>.size)
            else { return errcode_t(EXT2_ET_NO_MEMORY) }
            let channel = memory.bindMemory(to: struct_io_channel.self, capacity: 1)
            channel.pointee.magic = errcode_t(EXT2_ET_MAGIC_IO_CHANNEL)
            channel.pointee.name = strdup(name)
            channel.pointee.block_size = 1024
            channel.pointee.refcount = 1
            channel.pointee.private_data = UnsafeMutableRawPointer(bitPattern: address)
            channel.pointee.manager = JournalDevice.of(channel)?.manager
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
        manager.pointee.read_blk64 = readBlocks
        manager.pointee.flush = { _ in 0 }
        return manager
    }
}
