import CExt2FS
import Glibc
import RootfsModel
import SystemPackage

/// An image with its journal in place, as a device of libext2fs that can only be read: blocks that were committed come
/// from the journal, all others from where they are. The file itself is never changed.
final class JournalDevice: LibraryDevice {
    /// The image's size in bytes.
    let size: UInt64
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
        super.init()
    }

    deinit {
        close(descriptor)
    }

    /// Where a block stands, if it is read from the journal.
    func copy(of block: UInt64) -> Journal.Copy? { copies[block] }

    /// Bytes of the image; those behind its end are zero, and the library is told.
    override func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> errcode_t {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(buffer.count))
        guard !overflow, end <= UInt64(Int64.max) - UInt64(blockSize) else { return errcode_t(EXT2_ET_SHORT_READ) }
        let isWhole = readFile(buffer, offset)
        let unit = UInt64(blockSize)
        for block in offset / unit..<(end + unit - 1) / unit {
            guard let copy = copies[block] else { continue }
            let (start, stop) = (max(offset, block * unit), min(end, (block + 1) * unit))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(start - offset)..<Int(stop - offset)])
            guard readFile(part, copy.place * unit + (start - block * unit)) else {
                return errcode_t(EXT2_ET_SHORT_READ)
            }
            if copy.isEscaped { Self.restoreMagic(in: part, from: Int(start - block * unit)) }
        }
        return isWhole ? 0 : errcode_t(EXT2_ET_SHORT_READ)
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
}
