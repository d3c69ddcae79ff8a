import RootfsModel

/// A cpio archive in the "newc" format, which the kernel unpacks as its first file system
/// (Documentation/driver-api/early-userspace/buffer-format.rst). One moment for all, inode numbers counted from 1,
/// members sorted by path: the same members give the same bytes.
struct CpioArchive {
    enum Kind {
        case directory
        case file([UInt8])
        case symbolicLink(String)
        case characterDevice(major: UInt32, minor: UInt32)
    }

    private struct Member {
        var path: String
        var kind: Kind
        var mode: UInt32
    }

    private var members: [Member] = []

    /// Adds a member. Its path has no leading slash; the permission bits are those of `mode`.
    mutating func add(_ path: String, _ kind: Kind, mode: UInt32) {
        members.append(Member(path: path, kind: kind, mode: mode))
    }

    /// The archive's bytes; `moment` counts seconds since 1970 and is cut to what the format holds.
    func bytes(moment: Int64) -> [UInt8] {
        let time = UInt32(clamping: moment)
        var output = [UInt8]()
        var inode: UInt32 = 0
        for member in members.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) {
            inode += 1
            var type: UInt32
            var content: [UInt8] = []
            var device: (major: UInt32, minor: UInt32) = (0, 0)
            switch member.kind {
            case .directory:
                type = 0o040000
            case .file(let bytes):
                type = 0o100000
                content = bytes
            case .symbolicLink(let target):
                type = 0o120000
                content = Array(target.utf8)
            case .characterDevice(let major, let minor):
                type = 0o020000
                device = (major, minor)
            }
            type |= member.mode
            Self.append(
                to: &output, path: member.path, inode: inode, mode: type, links: type & 0o170000 == 0o040000 ? 2 : 1,
                time: time, device: device, content: content)
        }
        Self.append(
            to: &output, path: "TRAILER!!!", inode: 0, mode: 0, links: 1, time: 0, device: (0, 0), content: [])
        output.append(contentsOf: [UInt8](repeating: 0, count: (512 - output.count % 512) % 512))
        return output
    }

    private static func append(
        to output: inout [UInt8], path: String, inode: UInt32, mode: UInt32, links: UInt32, time: UInt32,
        device: (major: UInt32, minor: UInt32), content: [UInt8]
    ) {
        let name = Array(path.utf8) + [0]
        output.append(contentsOf: Array("070701".utf8))
        let fields: [UInt32] = [
            inode, mode, 0, 0, links, time, UInt32(content.count), 0, 0, device.major, device.minor,
            UInt32(name.count), 0,
        ]
        for field in fields {
            let digits = String(field, radix: 16, uppercase: true)
            output.append(contentsOf: [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count))
            output.append(contentsOf: Array(digits.utf8))
        }
        output.append(contentsOf: name)
        pad(&output)
        output.append(contentsOf: content)
        pad(&output)
    }

    /// Names and contents begin at multiples of four.
    private static func pad(_ output: inout [UInt8]) {
        while output.count % 4 != 0 { output.append(0) }
    }
}
