internal import Glibc
internal import LibArchive
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What a file or directory is that somebody wants compared, by what it holds.
enum SideForm: Hashable {
    case image
    /// A folder that a build wrote.
    case output
    case listing
    case lock
    case directory
    case tar(ArchiveReader.Filter?)
    /// An image or a tarball, compressed as a whole.
    case compressed

    init(of path: FilePath) throws(Failure) {
        guard exists(path) else { throw Failure("there is no \(path)", status: .usage) }
        if isDirectory(path) {
            self = exists(path.appending(ImageRecord.fileName)) ? .output : .directory
            return
        }
        let head = try Self.head(of: path)
        if head.starts(with: "#mtree".utf8) {
            self = .listing
        } else if head.count > 0x43a, head[0x438] == 0x53, head[0x439] == 0xef {
            self = .image
        } else if let filter = ArchiveReader.Filter(magic: head) {
            self = filter == .zstd ? .compressed : .tar(filter)
        } else if Self.has("ustar", at: 257, head) {
            self = .tar(nil)
        } else if head.starts(with: "Lock-Version:".utf8) || path.extension == "lock" {
            self = .lock
        } else {
            throw Self.failure(path, head)
        }
    }

    /// The form of what was compressed.
    static func inside(_ path: FilePath, shown: FilePath) throws(Failure) -> SideForm {
        let form: SideForm
        do throws(Failure) { form = try SideForm(of: path) } catch {
            throw Failure(
                error.message.replacing(path.string, with: "what \(shown) holds"), notes: error.notes,
                hint: error.hint, status: error.status)
        }
        if case .compressed = form { throw Failure("\(shown) is compressed twice") }
        return form
    }

    private static func head(of path: FilePath) throws(Failure) -> [UInt8] {
        let file = try OpenFile(reading: path)
        var bytes = [UInt8](repeating: 0, count: 0x10100)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                read(file.descriptor, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            if got < 0 && errno == EINTR { continue }
            if got < 0 { throw systemFailure("read", path) }
            if got == 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    private static func has(_ text: String, at offset: Int, _ bytes: [UInt8]) -> Bool {
        offset <= bytes.count && bytes[offset...].starts(with: text.utf8)
    }

    /// What people hand over by mistake, by its magic number and place.
    private static let others: [(magic: [UInt8], offset: Int, name: String)] = [
        (Array("hsqs".utf8), 0, "a squashfs file system"), (Array("XFSB".utf8), 0, "an XFS file system"),
        (Array("_BHRfS_M".utf8), 0x10040, "a Btrfs file system"),
        ([0xE2, 0xE1, 0xF5, 0xE0], 1024, "an EROFS file system"),
        (Array("LUKS".utf8) + [0xBA, 0xBE], 0, "encrypted (LUKS)"), (Array("QFI".utf8) + [0xFB], 0, "a qcow2 disk"),
        (Array("EFI PART".utf8), 512, "a partitioned disk"), (Array("CD001".utf8), 0x8001, "an ISO 9660 file system"),
        (Array("FAT".utf8), 54, "a FAT file system"), (Array("FAT32".utf8), 82, "a FAT file system"),
        ([0x45, 0x3d, 0xcd, 0x28], 0, "a cramfs file system"), (Array("{".utf8), 0, "JSON"),
        (Array("!<arch>".utf8), 0, "an ar archive (a .deb?)"), ([0x7f, 0x45, 0x4c, 0x46], 0, "an ELF file"),
        (Array("KDMV".utf8), 0, "a VMDK disk"), ([0x55, 0xAA], 510, "a partitioned disk"),
    ]

    private static func failure(_ path: FilePath, _ head: [UInt8]) -> Failure {
        let name = others.first { $0.offset <= head.count && head[$0.offset...].starts(with: $0.magic) }?.name
        let what =
            head.isEmpty ? "it is empty" : name.map { "it is \($0)" } ?? "it is no file system that this program knows"
        return Failure(
            "\(path) is neither an image nor a tree: \(what)",
            hint: "name an ext4 image (also .zst), a build's folder, a listing, a lock, a directory or a tarball")
    }
}
