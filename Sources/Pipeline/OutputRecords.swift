internal import Glibc
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What the records among a build's outputs say; nil for one that is not there or not of this version.
public struct OutputRecords: Sendable {
    public let image: ImageRecord?
    public let check: CheckReport?
    public let boot: BootRecord?
    /// The stages of the build; none where build.json cannot be read.
    public let stages: [StageTiming]
    /// What neither recipe nor lock pins.
    public let unpinned: [String]

    public init(in directory: FilePath) {
        let previous = PreviousBuild(in: directory)
        image = previous.image
        check = previous.check
        boot = (try? readFile(at: directory.appending(BootRecord.fileName))).flatMap {
            parseRecord(BootRecord.self, from: $0)
        }
        stages = previous.record?.stages ?? []
        unpinned = previous.record?.unpinned ?? []
    }

    /// From the build's begin to its end.
    public var buildSeconds: Double { stages.map { $0.startSeconds + $0.wallSeconds }.max() ?? 0 }
}

/// Puts outputs that lie elsewhere on the same file system in the place of a recipe's, in one step. The files are hard
/// links, so that they stay where they are too, and a later build finds nothing touched.
public func installOutputs(from source: FilePath, to directory: FilePath, of recipe: String) throws {
    let output = try OutputDirectory(replacing: directory, of: recipe)
    for name in try directoryNames(at: source) {
        let name = String(decoding: name, as: UTF8.self)
        guard link(source.appending(name).string, output.staging.appending(name).string) == 0 else {
            throw systemFailure("put \(source.appending(name)) in place in", directory)
        }
    }
    try output.commit()
}
