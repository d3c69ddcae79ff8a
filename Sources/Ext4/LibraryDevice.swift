import CExt2FS
import Glibc

/// What libext2fs reads and writes as a device, in place of a file: it calls back into this object, which it finds by
/// its address, the name of the device. The object has to live for as long as the library has the device open.
class LibraryDevice {
    /// The manager whose devices this one is.
    final let manager: UnsafeMutablePointer<struct_io_manager>

    init() {
        manager = Self.makeManager()
    }

    deinit {
        manager.deallocate()
    }

    /// The device's name for libext2fs.
    final var name: String { String(UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())) }

    /// Fills bytes from an offset of the device on; gives the library's code.
    func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) -> errcode_t {
        errcode_t(EXT2_ET_SHORT_READ)
    }

    /// Writes bytes from an offset of the device on.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> errcode_t { errcode_t(EXT2_ET_RO_FILSYS) }

    /// Makes whole blocks zero.
    func forget(_ first: UInt64, _ count: UInt64) -> errcode_t { errcode_t(EXT2_ET_RO_FILSYS) }

    fileprivate static func of(_ channel: io_channel?) -> LibraryDevice? {
        (channel?.pointee.private_data).map { Unmanaged<LibraryDevice>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// Where and how much an access of libext2fs is: a negative count is one of bytes.
private func span(_ channel: io_channel?, _ block: UInt64, _ count: Int32) -> (offset: UInt64, count: Int) {
    let size = UInt64(max(0, channel?.pointee.block_size ?? 0))
    let (offset, overflow) = block.multipliedReportingOverflow(by: size)
    return (overflow ? .max : offset, count < 0 ? Int(count.magnitude) : Int(count) * Int(size))
}

private let readBlocks: @convention(c) (io_channel?, UInt64, Int32, UnsafeMutableRawPointer?) -> errcode_t = {
    guard let device = LibraryDevice.of($0), let target = $3 else { return errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
    let span = span($0, $1, $2)
    return device.read(UnsafeMutableRawBufferPointer(start: target, count: span.count), at: span.offset)
}

private let writeBlocks: @convention(c) (io_channel?, UInt64, Int32, UnsafeRawPointer?) -> errcode_t = {
    guard let device = LibraryDevice.of($0), let source = $3 else { return errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
    let span = span($0, $1, $2)
    return device.write(UnsafeRawBufferPointer(start: source, count: span.count), at: span.offset)
}

extension LibraryDevice {
    /// A manager of libext2fs that opens such devices.
    private static func makeManager() -> UnsafeMutablePointer<struct_io_manager> {
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
            channel.pointee.manager = LibraryDevice.of(channel)?.manager
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
        manager.pointee.discard = { LibraryDevice.of($0)?.forget($1, $2) ?? errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
        manager.pointee.zeroout = { LibraryDevice.of($0)?.forget($1, $2) ?? errcode_t(EXT2_ET_BAD_DEVICE_NAME) }
        return manager
    }
}
