import Glibc
import RootfsModel
import Storage
import SystemPackage

/// How many blocks of 4,096 bytes are not the same in two files at the same place. The shorter one is as if zeros
/// followed.
func changedBlocks(from old: FilePath, to new: FilePath) throws -> Int {
    let first = try OpenFile(reading: old)
    let second = try OpenFile(reading: new)
    let size = 1 << 20
    var changed = 0
    var offset = 0
    while true {
        let left = try bytes(of: first.descriptor, old, at: offset, atMost: size)
        let right = try bytes(of: second.descriptor, new, at: offset, atMost: size)
        let longer = max(left.count, right.count)
        if longer == 0 { return changed }
        for start in stride(from: 0, to: longer, by: 4096) {
            let parts = [left, right].map { $0[min(start, $0.count)..<min(start + 4096, $0.count)] }
            let common = min(parts[0].count, parts[1].count)
            if parts[0].prefix(common) != parts[1].prefix(common)
                || parts.contains(where: { $0.dropFirst(common).contains { $0 != 0 } })
            {
                changed += 1
            }
        }
        offset += size
    }
}

private func bytes(of descriptor: Int32, _ path: FilePath, at offset: Int, atMost size: Int) throws -> [UInt8] {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        while count < size {
            let got = pread(descriptor, buffer.baseAddress?.advanced(by: count), size - count, off_t(offset + count))
            failed = got < 0
            if got <= 0 { break }
            count += got
        }
    }
    if failed { throw systemFailure("read", path) }
    return bytes
}
