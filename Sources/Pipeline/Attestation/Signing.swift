internal import RootfsModel
internal import Storage
public import SystemPackage

/// What `sign` made.
public struct SignResult: Encodable, Sendable {
    public var record: String
    public var signature: String
    public var namespace: String
    /// The key, as ssh-keygen tells it.
    public var key: String
    /// The files that the record names with their digests.
    public var outputs: [String]
    /// The files beside them that it does not.
    public var notSigned: [String]
}

/// Signs an image: its record, which names the digest of every output. Looks first whether the outputs are those.
///
/// - Parameters:
///   - path: a directory that a build wrote, or an image with its record.
///   - key: a private key, or a public one whose private half an agent has.
/// - Throws: where an output is not what the record says (`.negative`), or the key cannot sign.
public func signImage(at path: FilePath, key: FilePath, with keys: SecureShellKeys) throws -> SignResult {
    let image = try ImageReference.image(at: path)
    let signed = try SignedRecord(at: SignedRecord.path(of: image))
    let outputs = OutputDigests(signed, image: image)
    let faults = try outputs.faults()
    guard faults.isEmpty else {
        throw Failure(
            "\(path) is not what its image.json says, so it is not signed", notes: faults,
            hint: "build it again, with this version of the program", status: .negative)
    }
    let signature = try keys.sign(signed.bytes, key: key, namespace: SignedRecord.namespace)
    try writeFile(signature, to: signed.signature)
    let answer = try keys.check(
        "check-novalidate", ["-n", SignedRecord.namespace], signature: signed.signature, of: signed.bytes)
    return SignResult(
        record: signed.path.string, signature: signed.signature.string, namespace: SignedRecord.namespace,
        key: signingKey(answer.output), outputs: outputs.outputs.map(\.name), notSigned: try outputs.notCovered())
}

/// `ED25519 key SHA256:…` of `Good "image@rootfs-build" signature for NAME with ED25519 key SHA256:…`.
func signingKey(_ output: [String]) -> String {
    guard let line = output.first(where: { $0.hasPrefix("Good ") }),
        let range = line.ranges(of: " with ").last
    else { return "a key that ssh-keygen does not name" }
    return String(line[range.upperBound...])
}
