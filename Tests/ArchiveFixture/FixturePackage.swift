internal import CArchive
internal import Crypto
public import Debian
import RootfsModel

/// A file of a package.
public struct FixtureFile: Sendable {
    public enum Kind: Sendable {
        case file([UInt8])
        case directory
        case symbolicLink(String)
        /// Another file of the same package, named before.
        case hardLink(String)
        case characterDevice(major: UInt32, minor: UInt32)
        case fifo
    }

    /// Without a leading slash.
    public var path: [UInt8]
    public var kind: Kind
    public var mode: UInt16
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0
    public var mtime: Int64 = 1_700_000_000

    public init(_ path: [UInt8], _ kind: Kind, mode: UInt16) {
        self.path = path
        self.kind = kind
        self.mode = mode
    }

    public static func file(_ path: String, _ text: String, mode: UInt16 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0)
        -> FixtureFile
    {
        var file = FixtureFile(Array(path.utf8), .file(Array(text.utf8)), mode: mode)
        file.uid = uid
        file.gid = gid
        return file
    }

    public static func file(_ path: String, bytes: [UInt8], mode: UInt16 = 0o644) -> FixtureFile {
        FixtureFile(Array(path.utf8), .file(bytes), mode: mode)
    }

    public static func directory(_ path: String, mode: UInt16 = 0o755, uid: UInt32 = 0, gid: UInt32 = 0) -> FixtureFile
    {
        var file = FixtureFile(Array(path.utf8), .directory, mode: mode)
        file.uid = uid
        file.gid = gid
        return file
    }

    public static func link(_ path: String, to target: String) -> FixtureFile {
        FixtureFile(Array(path.utf8), .symbolicLink(target), mode: 0o777)
    }

    public static func hardLink(_ path: String, to other: String) -> FixtureFile {
        FixtureFile(Array(path.utf8), .hardLink(other), mode: 0o644)
    }
}

/// A package as a test describes it.
public struct FixturePackage: Sendable {
    public enum Compression: Sendable { case none, gzip, xz, zstd }

    public var name: String
    public var version: String
    public var architecture: String
    public var component: String
    /// More fields of the control file: `["Depends": "libc6", "Essential": "yes"]`.
    public var fields: [String: String]
    public var files: [FixtureFile]
    /// preinst, postinst, prerm, postrm, config: by name, whole texts.
    public var scripts: [String: String]
    /// Absolute paths of files above.
    public var conffiles: [String]
    /// The control member `triggers`.
    public var triggers: String?
    /// Any other control member: `templates`, `shlibs`.
    public var members: [String: String] = [:]
    public var compression = Compression.xz

    public init(
        _ name: String, version: String = "1.0", architecture: String = "all", component: String = "main",
        fields: [String: String] = [:], files: [FixtureFile] = [], scripts: [String: String] = [:],
        conffiles: [String] = [],
        triggers: String? = nil
    ) {
        self.name = name
        self.version = version
        self.architecture = architecture
        self.component = component
        self.fields = fields
        self.files = files
        self.scripts = scripts
        self.conffiles = conffiles
        self.triggers = triggers
    }

    /// The control file's stanza.
    public var control: Stanza {
        var stanza = Stanza()
        stanza.set("Package", to: name)
        stanza.set("Version", to: version)
        stanza.set("Architecture", to: architecture)
        stanza.set("Maintainer", to: "Fixture <fixture@example.org>")
        for (field, value) in fields.sorted(by: { $0.key < $1.key }) { stanza.set(field, to: value) }
        if fields["Priority"] == nil { stanza.set("Priority", to: "optional") }
        if fields["Section"] == nil { stanza.set("Section", to: "misc") }
        if fields["Description"] == nil { stanza.set("Description", to: "made for a test") }
        return stanza
    }

    /// The .deb's bytes (deb(5)).
    public func deb() throws -> [UInt8] {
        let suffix: String
        switch compression {
        case .none: suffix = ""
        case .gzip: suffix = ".gz"
        case .xz: suffix = ".xz"
        case .zstd: suffix = ".zst"
        }
        var result = Array("!<arch>\n".utf8)
        for (name, bytes) in [
            ("debian-binary", Array("2.0\n".utf8)), ("control.tar" + suffix, try controlMember()),
            ("data.tar" + suffix, try Self.tar(files, compression)),
        ] {
            func column(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: width - text.utf8.count)
            }
            let header =
                column(name, 16) + column("1700000000", 12) + column("0", 6) + column("0", 6) + column("100644", 8)
                + column("\(bytes.count)", 10) + "`\n"
            result += Array(header.utf8) + bytes
            if bytes.count % 2 == 1 { result.append(10) }
        }
        return result
    }

    private func controlMember() throws -> [UInt8] {
        var all = [FixtureFile.file("control", String(decoding: control.bytes, as: UTF8.self))]
        var sums = ""
        for file in files {
            guard case .file(let bytes) = file.kind else { continue }
            let path = String(decoding: file.path, as: UTF8.self)
            if conffiles.contains("/" + path) { continue }
            let digest = Insecure.MD5.hash(data: bytes).map { byte in
                let digits = Array("0123456789abcdef")
                return "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
            sums += digest.joined() + "  \(path)\n"
        }
        all.append(.file("md5sums", sums))
        if !conffiles.isEmpty { all.append(.file("conffiles", conffiles.map { $0 + "\n" }.joined())) }
        if let triggers { all.append(.file("triggers", triggers)) }
        for (name, text) in members.sorted(by: { $0.key < $1.key }) { all.append(.file(name, text)) }
        for (name, text) in scripts.sorted(by: { $0.key < $1.key }) { all.append(.file(name, text, mode: 0o755)) }
        return try Self.tar(all, compression)
    }

    /// A GNU tar of these files, as dpkg-deb writes it: names begin with `./`, parents stand before what is in them.
    static func tar(_ files: [FixtureFile], _ compression: Compression) throws -> [UInt8] {
        var known = Set<[UInt8]>([[]])
        let root = FixtureFile([], .directory, mode: 0o755)
        var complete = [root]
        for file in files {
            var parents = [[UInt8]]()
            for index in file.path.indices where file.path[index] == UInt8(ascii: "/") {
                parents.append(Array(file.path[..<index]))
            }
            for parent in parents where known.insert(parent).inserted {
                complete.append(FixtureFile(parent, .directory, mode: 0o755))
            }
            known.insert(file.path)
            complete.append(file)
        }
        return try written(compression, format: archive_write_set_format_gnutar) { archive in
            let entry = archive_entry_new()
            defer { archive_entry_free(entry) }
            for file in complete {
                archive_entry_clear(entry)
                var name = Array("./".utf8) + file.path
                var content = [UInt8]()
                archive_entry_set_mode(entry, mode_t(file.mode))
                switch file.kind {
                case .file(let bytes):
                    content = bytes
                    archive_entry_set_filetype(entry, UInt32(S_IFREG))
                case .directory:
                    if !file.path.isEmpty { name.append(UInt8(ascii: "/")) }
                    archive_entry_set_filetype(entry, UInt32(S_IFDIR))
                case .symbolicLink(let target):
                    archive_entry_set_filetype(entry, UInt32(S_IFLNK))
                    archive_entry_set_symlink(entry, target)
                case .hardLink(let other):
                    archive_entry_set_filetype(entry, UInt32(S_IFREG))
                    archive_entry_set_hardlink(entry, "./" + other)
                case .characterDevice(let major, let minor):
                    archive_entry_set_filetype(entry, UInt32(S_IFCHR))
                    archive_entry_set_rdevmajor(entry, dev_t(major))
                    archive_entry_set_rdevminor(entry, dev_t(minor))
                case .fifo: archive_entry_set_filetype(entry, UInt32(S_IFIFO))
                }
                archive_entry_set_pathname(entry, name.map { CChar(bitPattern: $0) } + [0])
                archive_entry_set_uid(entry, Int64(file.uid))
                archive_entry_set_gid(entry, Int64(file.gid))
                archive_entry_set_mtime(entry, time_t(file.mtime), 0)
                archive_entry_set_size(entry, Int64(content.count))
                guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw writingFailure(archive) }
                let count = content.withUnsafeBytes { archive_write_data(archive, $0.baseAddress, $0.count) }
                guard count == content.count else { throw writingFailure(archive) }
            }
        }
    }
}

/// These bytes, compressed.
public func compressed(_ bytes: [UInt8], _ compression: FixturePackage.Compression) throws -> [UInt8] {
    try written(compression, format: archive_write_set_format_raw) { archive in
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_filetype(entry, UInt32(S_IFREG))
        archive_entry_set_pathname(entry, "data")
        archive_entry_set_size(entry, Int64(bytes.count))
        guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw writingFailure(archive) }
        let count = bytes.withUnsafeBytes { archive_write_data(archive, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw writingFailure(archive) }
    }
}

private func written(
    _ compression: FixturePackage.Compression, format: (OpaquePointer) -> Int32, _ body: (OpaquePointer) throws -> Void
) throws -> [UInt8] {
    guard let archive = archive_write_new() else { throw Failure("cannot write an archive: out of memory") }
    defer { archive_write_free(archive) }
    _ = format(archive)
    archive_write_set_bytes_per_block(archive, 0)
    let status =
        switch compression {
        case .none: archive_write_add_filter_none(archive)
        case .gzip: archive_write_add_filter_gzip(archive)
        case .xz: archive_write_add_filter_xz(archive)
        case .zstd: archive_write_add_filter_zstd(archive)
        }
    // Without it gzip's header has the present time.
    if compression == .gzip { archive_write_set_filter_option(archive, "gzip", "timestamp", nil) }
    let sink = ByteSink()
    guard status == ARCHIVE_OK,
        archive_write_open(
            archive, Unmanaged.passUnretained(sink).toOpaque(), nil,
            { _, context, bytes, count in
                guard let context, let bytes else { return 0 }
                let sink = Unmanaged<ByteSink>.fromOpaque(context).takeUnretainedValue()
                sink.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
                return count
            }, nil) == ARCHIVE_OK
    else { throw writingFailure(archive) }
    try body(archive)
    guard archive_write_close(archive) == ARCHIVE_OK else { throw writingFailure(archive) }
    return sink.bytes
}

private final class ByteSink {
    var bytes = [UInt8]()
}

private func writingFailure(_ archive: OpaquePointer) -> Failure {
    Failure(
        "cannot write an archive: " + (archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"))
}
