internal import Debian
internal import LibArchive
public import RootfsModel
public import SystemPackage

/// A member of a package's control archive: control, md5sums, conffiles, maintainer scripts, triggers …
public struct ControlMember: Hashable, Sendable {
    /// One component, as in control.tar: `postinst`.
    public var name: String
    /// 0 ... 0o7777.
    public var mode: UInt16
    public var mtime: Timestamp
    public var bytes: [UInt8]

    public init(name: String, mode: UInt16, mtime: Timestamp, bytes: [UInt8]) {
        self.name = name
        self.mode = mode
        self.mtime = mtime
        self.bytes = bytes
    }
}

/// A .deb file (deb(5)): its control archive read, its data archive to be read.
public struct DebFile: Sendable {
    public let path: FilePath
    /// The package as messages name it.
    public let label: String
    /// The control archive's files in its order.
    public let control: [ControlMember]
    private let dataCompression: ArchiveReader.Filter?

    /// Reads the outer archive and the control archive. Throws for what is no format 2 .deb, for a compression
    /// that dpkg does not know, and for control members that dpkg would not take.
    public init(at path: FilePath, label: String) throws {
        self.path = path
        self.label = label
        var control: [ControlMember]?
        var dataCompression: ArchiveReader.Filter??

        var outer = try ArchiveReader.open(path: path.string, format: .ar, label: label)
        var position = 0
        while let member = try outer.next() {
            let name = member.displayName
            position += 1
            if position == 1 {
                guard name == "debian-binary" else {
                    throw Failure("\(label) is no Debian package: its first member is \(name), not debian-binary")
                }
                let version = String(decoding: try outer.readContent(limit: 1024), as: UTF8.self)
                guard version.hasPrefix("2."), version.contains("\n") else {
                    let line = version.split(separator: "\n").first ?? ""
                    throw Failure("cannot read \(label): its format is `\(line)`, and only 2.x is known")
                }
            } else if control == nil {
                if name.hasPrefix("_") { continue }
                let filter = try Self.compression(of: name, stem: "control.tar", label: label)
                // A second reader stands at this member while the first goes on.
                control = try Self.readControl(path, member: name, filter: filter, label: label)
            } else {
                if name.hasPrefix("_") { continue }
                dataCompression = .some(try Self.compression(of: name, stem: "data.tar", label: label))
                break
            }
        }
        guard position > 0 else { throw Failure("\(label) is no Debian package: it is an empty archive") }
        guard let control else { throw Failure("cannot read \(label): it has no control.tar") }
        guard let dataCompression else { throw Failure("cannot read \(label): it has no data.tar") }
        guard control.contains(where: { $0.name == "control" }) else {
            throw Failure("cannot read \(label): its control.tar has no file control")
        }
        self.control = control
        self.dataCompression = dataCompression
    }

    /// The bytes of one control member.
    public func controlMember(_ name: String) -> [UInt8]? {
        control.first { $0.name == name }?.bytes
    }

    /// Opens the data archive.
    func openData() throws -> ArchiveReader {
        try Self.open(path, memberStem: "data.tar", filter: dataCompression, label: label)
    }

    private static func open(
        _ path: FilePath, memberStem: String, filter: ArchiveReader.Filter?, label: String
    ) throws -> ArchiveReader {
        var outer = try ArchiveReader.open(path: path.string, format: .ar, label: label)
        while let member = try outer.next() {
            if member.displayName.hasPrefix(memberStem) {
                return try ArchiveReader.open(
                    memberOf: outer, format: .tar, filter: filter, label: "\(member.displayName) of \(label)")
            }
        }
        throw Failure("cannot read \(label): it has no \(memberStem)")
    }

    private static func compression(
        of name: String, stem: String, label: String
    ) throws(Failure) -> ArchiveReader.Filter? {
        guard name.hasPrefix(stem) else {
            throw Failure("cannot read \(label): its member \(name) stands where \(stem) belongs")
        }
        switch (name.dropFirst(stem.count), stem) {
        case ("", _): return nil
        case (".gz", _): return .gzip
        case (".xz", _): return .xz
        case (".zst", _): return .zstd
        case (".bz2", "data.tar"): return .bzip2
        case (".lzma", "data.tar"): return .lzma
        default: throw Failure("cannot read \(label): its member \(name) has a compression that dpkg does not know")
        }
    }

    /// What all control members together may have: the largest of Debian has 4 MiB.
    private static let controlLimit = 64 << 20

    private static func readControl(
        _ path: FilePath, member: String, filter: ArchiveReader.Filter?, label: String
    ) throws -> [ControlMember] {
        var reader = try open(path, memberStem: "control.tar", filter: filter, label: label)
        var members = [ControlMember]()
        var names = Set<String>()
        var room = controlLimit
        while let member = try reader.next() {
            guard let path = TreePath(normalizing: member.name), path.components.count < 2 else {
                throw Failure("\(label): control member \(member.displayName) is not in the archive's top directory")
            }
            if path.isRoot { continue }
            let name = String(decoding: path.bytes, as: UTF8.self)
            guard case .file = member.kind else {
                throw Failure("\(label): control member \(name) is no regular file")
            }
            guard !path.bytes.contains(where: { $0 <= 32 || $0 >= 127 }), name != "list" else {
                throw Failure("\(label): control member \(name) has a name that dpkg does not allow")
            }
            guard names.insert(name).inserted else { throw Failure("\(label): control member \(name) comes twice") }
            let bytes = try reader.readContent(limit: room)
            room -= bytes.count
            members.append(ControlMember(name: name, mode: member.mode, mtime: member.mtime, bytes: bytes))
        }
        try reader.finish()
        return members
    }
}
