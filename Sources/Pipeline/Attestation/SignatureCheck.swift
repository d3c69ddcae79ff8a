internal import RootfsModel
internal import Storage
public import SystemPackage

/// Who signed an image, and that its files are those that were signed.
public struct SignatureReport: Encodable, Sendable {
    /// The name that the file of allowed signers has for the key.
    public var signer: String
    public var key: String
    public var namespace: String
    public var signature: String
    /// The files whose digests are signed, the image among them.
    public var outputs: [String]
    public var notSigned: [String]
}

/// Checks the signature of an image's record, and that the image and the files beside it are those that the record names.
///
/// - Parameters:
///   - path: an image, or a directory that a build wrote.
///   - allowed: who may sign, with which keys (ssh-keygen(1), ALLOWED SIGNERS).
///   - identity: who must have signed; nil: anybody of that file.
/// - Throws: where the answer is no (`.negative`): there is no signature, it is of other bytes or of nobody who may, or a
///   file is not what was signed.
public func checkSignature(
    of path: FilePath, allowed: FilePath, identity: String?, with keys: SecureShellKeys
) throws -> SignatureReport {
    guard exists(allowed) else { throw Failure("there is no file of allowed signers \(allowed)", status: .usage) }
    let image = try ImageReference.image(at: path)
    let signed = try SignedRecord(at: SignedRecord.path(of: image))
    let signature = signed.signature
    guard exists(signature) else {
        throw Failure("\(path) is not signed: there is no \(signature)", hint: "rootfs-build sign", status: .negative)
    }
    let plain = try keys.check(
        "check-novalidate", ["-n", SignedRecord.namespace], signature: signature, of: signed.bytes)
    guard plain.isGood else {
        throw Failure(
            "\(signature) is no signature of \(signed.path) as it is: one of them was changed, or it was made for another namespace",
            notes: plain.words + plain.output, hint: "the namespace is \(SignedRecord.namespace)", status: .negative)
    }
    let key = signingKey(plain.output)
    let found = try keys.check("find-principals", ["-f", allowed.string], signature: signature, of: signed.bytes)
    let names = identity.map { [$0] } ?? (found.isGood ? found.output : [])
    var words = found.isGood ? [] : found.words
    for name in names {
        let answer = try keys.check(
            "verify", ["-f", allowed.string, "-I", name, "-n", SignedRecord.namespace], signature: signature,
            of: signed.bytes)
        if answer.isGood {
            let outputs = OutputDigests(signed, image: image)
            let faults = try outputs.faults()
            guard faults.isEmpty else {
                throw Failure("\(path) is not what \(name) signed", notes: faults, status: .negative)
            }
            return SignatureReport(
                signer: name, key: key, namespace: SignedRecord.namespace, signature: signature.string,
                outputs: outputs.outputs.map(\.name), notSigned: try outputs.notCovered())
        }
        words += answer.words
    }
    throw refusal(
        signature, key: key, allowed: allowed, identity: identity, others: found.isGood ? found.output : [], words)
}

/// Why a signature that is sound is not one of those that are allowed.
private func refusal(
    _ signature: FilePath, key: String, allowed: FilePath, identity: String?, others: [String], _ words: [String]
) -> Failure {
    func says(_ text: String) -> Bool { words.contains { $0.contains(text) } }
    let who = identity ?? "anybody"
    let message =
        if says("has expired") {
            "the key that signed is no longer valid"
        } else if says("not yet valid") {
            "the key that signed is not valid yet"
        } else if says("not permitted for use in signature namespace") {
            "the key that signed is not allowed for images"
        } else if identity != nil && !others.isEmpty {
            "it was signed by \(others.joined(separator: ", ")), not by \(who)"
        } else {
            "the key that signed is not one of \(who) in \(allowed)"
        }
    let notes = words.filter { $0 != "No principal matched." && $0 != "Could not verify signature." }
    return Failure("\(signature): \(message)", notes: ["it is the \(key)"] + Set(notes).sorted(), status: .negative)
}
