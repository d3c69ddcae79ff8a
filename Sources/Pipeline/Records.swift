internal import FoundationEssentials
public import Normalization
public import RootfsModel

/// image.json: what the image is. The same for equal builds, whenever and wherever they ran.
public struct ImageRecord: Codable, Sendable, Equatable {
    public struct LayerEntry: Codable, Sendable, Equatable {
        public var name: String
        public var key: String
        public var packages: Int
    }

    public struct PackageEntry: Codable, Sendable, Equatable {
        public var name: String
        public var version: String
        public var architecture: String
        public var layer: String
        /// The sum of its files' sizes, in bytes.
        public var size: UInt64
    }

    public struct KernelEntry: Codable, Sendable, Equatable {
        public var release: String
        public var buildID: String?
        public var package: String?
        /// Its name among the outputs.
        public var file: String
        public var digest: String
        /// The initrd's digest, where there is one.
        public var initrd: String?
        /// Why there is an initrd, or why not.
        public var initrdBecause: String
        public var arguments: [String]
        /// Why it cannot mount a verified root device by itself; nil where it can, or where there is none.
        public var verityObstacle: String?
    }

    /// The dm-verity hash tree behind the file system, made with SHA-256 and blocks of 4,096 bytes.
    public struct VerityEntry: Codable, Sendable, Equatable {
        /// Hexadecimal, as veritysetup takes them.
        public var rootHash: String
        public var salt: String
        public var uuid: String
        /// The blocks of the file system.
        public var dataBlocks: UInt64
        /// Where the tree's superblock stands, in bytes.
        public var hashOffset: UInt64
        /// What is added to the kernel's arguments.
        public var arguments: [String]
    }

    /// What the image was made with; `inject` makes the next one alike.
    public struct FileSystemEntry: Codable, Sendable, Equatable {
        public var label: String
        /// Bytes asked for beyond the files; nil where the size is fixed.
        public var free: UInt64?
        /// Bytes asked for in all; nil where free space is.
        public var size: UInt64?
        public var journal: Bool
        /// Whether a hash tree lies behind it.
        public var verity: Bool?
        /// SOURCE_DATE_EPOCH: no time in the image is later.
        public var moment: Int64
    }

    public struct NormalizationEntry: Codable, Sendable, Equatable {
        /// The rules that were switched off.
        public var kept: [String]
        /// What each rule changed, those that changed nothing left out.
        public var rules: [RuleReport]
    }

    public struct BootEntry: Codable, Sendable, Equatable {
        public struct ServiceEntry: Codable, Sendable, Equatable {
            public var name: String
            /// Kind and what of its `ready:`, as the supervisor takes them: `["tcp", "127.0.0.1:80"]`; nil: ready when
            /// started.
            public var probe: [String]?
            /// `always`, `on-failure` or `never`.
            public var restart: String
        }

        public var expect: [String]
        public var withinMilliseconds: Int64
        public var soakMilliseconds: Int64
        public var services: [ServiceEntry]
        public var vcpus: Int
        public var memoryMiB: Int
    }

    /// How the last boot of this very image, kernel and initrd went. A build writes none.
    public struct ProofEntry: Codable, Sendable, Equatable {
        public var proven: Bool
        public var verdict: String
        /// `firecracker`, `kvm` or `tcg`.
        public var engine: String
        public var soakSeconds: Double
        /// The file beside the image that has all of it, and its digest.
        public var record: String
        public var recordDigest: String
    }

    public var name: String
    public var description: String?
    public var architecture: String
    public var contentHash: String
    public var imageHash: String
    /// Bytes of the image file.
    public var imageSize: UInt64
    /// Bytes that are free in it.
    public var imageFree: UInt64
    public var paths: Int
    public var kernel: KernelEntry?
    public var fileSystem: FileSystemEntry
    public var normalization: NormalizationEntry
    /// nil for an image without a hash tree.
    public var verity: VerityEntry?
    public var boot: BootEntry
    public var proof: ProofEntry?
    /// The digests of the outputs that nothing else here names, by file name: with them one signature of this record
    /// covers all. nil for an image that was made from another.
    public var outputs: [String: String]?
    /// Nil after `inject`, as the next one.
    public var lockDigest: String?
    /// Of the recipe's settings, besides what the lock holds.
    public var recipeDigest: String?
    public var toolVersion: String
    public var layers: [LayerEntry]
    public var packages: [PackageEntry]
}

/// build.json: how this build went. Differs from run to run.
struct BuildRecord: Codable, Sendable {
    struct Output: Codable, Sendable, Equatable {
        var name: String
        var size: UInt64
        var modified: Int64
        var modifiedNanoseconds: Int64
        var inode: UInt64
    }

    struct Layer: Codable, Sendable, Equatable {
        var stage: String
        var fresh: Bool
        /// Why it was made; nothing where it was taken from the store.
        var because: [Reason]
        var key: String
        var inputs: [Input]
    }

    struct Removal: Codable, Sendable, Equatable {
        var pattern: String
        var bytes: UInt64
        var paths: [String]
    }

    /// What an overlay has.
    struct OverlayEntry: Codable, Sendable, Equatable {
        /// As its input is called.
        var name: String
        /// The image's paths, sorted, as `diff` shows them; nil where there are too many to list.
        var paths: [String]?
    }

    /// All that went in; equal inputs and untouched outputs make the next build fresh.
    var inputs: [Input]
    var stages: [StageTiming]
    var layers: [Layer]
    /// Inputs that no lock holds.
    var unpinned: [String]
    var removed: [Removal]
    /// nil in a record of a version that did not list them.
    var overlays: [OverlayEntry]?
    var warnings: [String]
    var outputs: [Output]
}

/// A record as JSON: sorted keys, indented, a newline at the end.
public func recordBytes(_ record: some Encodable) throws(Failure) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
        return Array(try encoder.encode(record)) + Array("\n".utf8)
    } catch {
        throw Failure("cannot write a record as JSON: \(error)")
    }
}

/// A record read back; nil when it is not one of this version.
public func parseRecord<Record: Decodable>(_ type: Record.Type, from bytes: [UInt8]) -> Record? {
    try? JSONDecoder().decode(type, from: Data(bytes))
}
