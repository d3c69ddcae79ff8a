internal import Attesting
internal import RootfsModel
public import SystemPackage

/// The forms that a bill of materials can have.
public enum BillForm: Sendable {
    /// SPDX 2.3, JSON.
    case spdx
    /// CycloneDX 1.6, JSON.
    case cyclonedx
}

/// What a bill of materials is wanted of.
public struct BillRequest: Sendable {
    public var image: FilePath
    /// As the user named it.
    public var name: String
    public var form: BillForm
    /// The lock that the image was built with, which knows where packages came from; nil where it is not at hand.
    public var lock: FilePath?
    /// Whether every file is told with its digest.
    public var tellsFiles: Bool
    /// A folder for what must be decompressed.
    public var temporary: FilePath
    public var jobs: Int
    /// Debian's name of the architecture, where nothing says it.
    public var architecture: String
    public var toolVersion: String

    public init(
        image: FilePath, name: String, form: BillForm, lock: FilePath?, tellsFiles: Bool, temporary: FilePath,
        jobs: Int,
        architecture: String, toolVersion: String
    ) {
        self.image = image
        self.name = name
        self.form = form
        self.lock = lock
        self.tellsFiles = tellsFiles
        self.temporary = temporary
        self.jobs = jobs
        self.architecture = architecture
        self.toolVersion = toolVersion
    }
}

/// What an image is made of, as a document: packages with where they are from, their licences, what they need, the
/// kernel, the overlays.
///
/// - Throws: where it cannot be read, has no dpkg database, or the lock is another image's.
public func billOfMaterials(_ request: BillRequest) throws -> [UInt8] {
    let source = try AttestedSource(request.image, name: request.name, temporary: request.temporary)
    return try withExtendedLifetime(source.side) {
        let image = try attestedImage(source, request)
        return switch request.form {
        case .spdx: image.spdx().bytes
        case .cyclonedx: image.cycloneDX().bytes
        }
    }
}
