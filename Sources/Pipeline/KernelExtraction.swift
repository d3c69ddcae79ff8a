internal import Kernels
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What `kernel extract` made.
public struct ExtractedKernel: Encodable, Sendable {
    public var path: String
    public var digest: String
    public var size: Int
    public var version: String
    public var buildID: String?
    /// What it was taken from: `bzImage, lz4`.
    public var payload: String
}

/// Takes the ELF kernel out of a bzImage file into a new file, put in place by rename.
public func extractKernel(from image: FilePath, to destination: FilePath, architecture: String?) async throws
    -> ExtractedKernel
{
    let kernel = try Kernels.extractKernel(
        from: try readFile(at: image), named: image.string, for: architecture)
    async let digest = Digest(hashing: kernel.bytes)
    try writeFile(kernel.bytes, to: destination)
    return ExtractedKernel(
        path: destination.string, digest: await digest.description, size: kernel.bytes.count,
        version: kernel.banner ?? "a kernel without a version", buildID: kernel.buildID, payload: kernel.origin)
}
