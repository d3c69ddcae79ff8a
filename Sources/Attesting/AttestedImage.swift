public import Debian
public import RootfsModel

/// All that a bill of materials says of an image, as far as it is known.
public struct AttestedImage: Sendable {
    /// A package: installed in the image, or what its kernel or initrd was made from.
    public struct Package: Sendable {
        public var name: String
        public var version: String
        public var architecture: String
        /// nil where nobody knows it: of what is not installed.
        public var source: (name: String, version: String)?
        /// `NAME <ADDRESS>`.
        public var maintainer: String?
        public var homepage: String?
        /// The first line of its description.
        public var summary: String?
        /// The layer of the recipe that installs it; `kernel` or `initrd` for what is not installed.
        public var purpose: String?
        /// Of its .deb, its bytes and its place below the archive's root.
        public var digest: Digest?
        public var size: UInt64?
        public var poolPath: String?
        /// Who signs the archive that it is from, as its Release file says: `Debian`.
        public var origin: String?
        /// Pre-Depends and Depends.
        public var depends: [DependencyGroup]
        public var provides: [Relation]
        public var isInstalled: Bool
        public var licence: PackageLicence?

        public init(
            name: String, version: String, architecture: String, source: (name: String, version: String)? = nil,
            maintainer: String? = nil, homepage: String? = nil, summary: String? = nil, purpose: String? = nil,
            digest: Digest? = nil, depends: [DependencyGroup] = [], provides: [Relation] = [],
            isInstalled: Bool = true, licence: PackageLicence? = nil
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.source = source
            self.maintainer = maintainer
            self.homepage = homepage
            self.summary = summary
            self.purpose = purpose
            self.digest = digest
            self.depends = depends
            self.provides = provides
            self.isInstalled = isInstalled
            self.licence = licence
        }
    }

    /// A file that the machine needs besides the image: kernel, initrd.
    public struct BootFile: Sendable {
        public var name: String
        /// The kernel's release.
        public var version: String?
        public var digest: Digest
        /// The roles of the packages that it was made from.
        public var roles: [String]

        public init(name: String, version: String?, digest: Digest, roles: [String]) {
            self.name = name
            self.version = version
            self.digest = digest
            self.roles = roles
        }
    }

    /// A folder that was laid over the packages.
    public struct Overlay: Sendable {
        /// As the recipe has it.
        public var name: String
        public var target: String
        /// Of its listing.
        public var digest: String

        public init(name: String, target: String, digest: String) {
            self.name = name
            self.target = target
            self.digest = digest
        }
    }

    /// A regular file of the image.
    public struct File: Sendable {
        /// Below the root, without a slash in front.
        public var path: String
        public var digest: Digest
        /// 40 hexadecimal digits; nil where the form asked for needs none.
        public var sha1: String?
        /// Where its package stands in `packages`; nil for what is no package's.
        public var owner: Int?

        public init(path: String, digest: Digest, sha1: String?, owner: Int?) {
            self.path = path
            self.digest = digest
            self.sha1 = sha1
            self.owner = owner
        }
    }

    public var name: String
    public var description: String?
    public var architecture: String
    /// os-release(5): `debian`, and `VERSION_CODENAME`, else `ID-VERSION_ID`.
    public var distribution: String
    public var release: String?
    public var contentHash: Digest
    /// Of the image file, where it is one and its record says it.
    public var imageHash: Digest?
    /// Seconds since 1970: no time in the image is later.
    public var moment: Int64
    /// Of the program that writes the document.
    public var toolVersion: String
    /// By name and architecture.
    public var packages: [Package] = []
    public var bootFiles: [BootFile] = []
    public var overlays: [Overlay] = []
    /// In path order; nil where files are not told.
    public var files: [File]?
    public var licences = LicenceBook()

    public init(
        name: String, description: String?, architecture: String, distribution: String, release: String?,
        contentHash: Digest, imageHash: Digest?, moment: Int64, toolVersion: String
    ) {
        self.name = name
        self.description = description
        self.architecture = architecture
        self.distribution = distribution
        self.release = release
        self.contentHash = contentHash
        self.imageHash = imageHash
        self.moment = moment
        self.toolVersion = toolVersion
    }

    /// A UUID (RFC 9562, version 8) for a document of this form: another image, form, extent or version of the program
    /// has another.
    func uuid(_ form: String) -> String {
        var hasher = DigestHasher()
        for field in [
            form, contentHash.hex, imageHash?.hex ?? "", name, String(moment), toolVersion, files == nil ? "" : "files",
            packages.map { "\($0.digest?.hex ?? "") \($0.poolPath ?? "")" }.joined(separator: "\n"),
        ] { hasher.update(field: field) }
        var bytes = Array(hasher.finalized().bytes.prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array(hexText(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}

/// `2026-11-21T02:10:46Z`.
func isoTime(_ moment: Int64) -> String {
    let stamp = Array(archiveStamp(moment))
    func part(_ range: Range<Int>) -> String { String(stamp[range]) }
    return "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
}

/// A maintainer field's name and address; the address nil where there is none.
func maintainerParts(_ text: String) -> (name: String, address: String?) {
    guard let open = text.lastIndex(of: "<"), let close = text.lastIndex(of: ">"), open < close else {
        return (text, nil)
    }
    var name = text[..<open]
    while name.last == " " { name = name.dropLast() }
    let address = text[text.index(after: open)..<close]
    let isAddress = address.contains("@") && !address.contains { $0.isWhitespace || "()<>".contains($0) }
    return (name.isEmpty ? String(address) : String(name), isAddress ? String(address) : nil)
}
