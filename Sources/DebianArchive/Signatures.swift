import Debian
import Glibc
public import RootfsModel
import Storage
public import SystemPackage

/// What a verified InRelease file says, and who says it.
public struct VerifiedText: Hashable, Sendable {
    /// The signed text alone: nothing that stands around it in the file.
    public var bytes: [UInt8]
    /// The fingerprints of the keys with a good signature, in the order of the signatures.
    public var signers: [String]
}

/// The host's own program for checking OpenPGP signatures against a keyring: gpgv, or sqv from 1.3 on.
public struct SignatureVerifier: Hashable, Sendable {
    public enum Program: Hashable, Sendable {
        case gpgv(FilePath)
        case sqv(FilePath)
    }

    public let program: Program

    public init(_ program: Program) {
        self.program = program
    }

    /// The first one found in these directories, gpgv before sqv: gpgv reads clear-signed files in every version.
    public init(searching directories: [FilePath] = ["/usr/bin", "/usr/local/bin", "/bin"]) throws(Failure) {
        for (name, kind) in [("gpgv", Program.gpgv), ("sqv", Program.sqv)] {
            for directory in directories {
                let path = directory.appending(name)
                if access(path.string, X_OK) == 0 {
                    self.init(kind(path))
                    return
                }
            }
        }
        throw Failure(
            "cannot check the archive's signature: this host has neither gpgv nor sqv", hint: "apt-get install gpgv")
    }

    /// Checks the signatures of a clear-signed file and gives the text they cover.
    ///
    /// - Parameters:
    ///   - name: what the file is, for messages: its URL.
    ///   - keyrings: files of public keys, binary or armored. One good signature of one of their keys is enough; one
    ///     bad signature is too many.
    ///   - scratch: an empty directory for this call alone.
    ///   - now: the host's clock, for the message about a key that has expired by it.
    public func verify(
        _ inRelease: [UInt8], name: String, keyrings: [FilePath], scratch: FilePath, now: Int64
    ) throws -> VerifiedText {
        guard inRelease.starts(with: "-----BEGIN PGP SIGNED MESSAGE-----".utf8) else {
            throw Failure(
                "\(name) is not signed: it is no InRelease file",
                hint: "the address may lead to a log-in page or a directory listing instead of a Debian archive")
        }
        var binaryKeyrings = [FilePath]()
        for (number, keyring) in keyrings.enumerated() {
            let bytes = try readFile(at: keyring)
            let path = scratch.appending("keyring-\(number).gpg")
            try writeFile(try publicKeys(in: bytes, keyring: keyring), to: path)
            binaryKeyrings.append(path)
        }
        let signed = scratch.appending("InRelease")
        try writeFile(inRelease, to: signed)
        let run = Run(
            name: name, keyrings: keyrings, binaryKeyrings: binaryKeyrings, signed: signed, scratch: scratch, now: now)
        switch program {
        case .gpgv(let path): return try run.gpgv(path)
        case .sqv(let path): return try run.sqv(path)
        }
    }
}

/// One check: where its files are, and what its outcome is called.
private struct Run {
    var name: String
    var keyrings: [FilePath]
    var binaryKeyrings: [FilePath]
    var signed: FilePath
    var scratch: FilePath
    var now: Int64

    private var text: FilePath { scratch.appending("Release") }
    private var output: FilePath { scratch.appending("output") }
    private var errors: FilePath { scratch.appending("errors") }
    private var keyringNames: String { keyrings.map(\.string).joined(separator: ", ") }

    private func start(_ program: FilePath, _ arguments: [String]) throws -> ProgramEnd {
        try runProgram(
            program, arguments, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=\(scratch.string)"],
            output: output, errors: errors)
    }

    func gpgv(_ program: FilePath) throws -> VerifiedText {
        var arguments = ["--homedir", scratch.string, "--status-fd", "1", "--output", text.string]
        for keyring in binaryKeyrings { arguments += ["--keyring", keyring.string] }
        let end = try start(program, arguments + ["--", signed.string])
        let status = GPGStatus(parsing: String(decoding: try readFile(at: output), as: UTF8.self))
        if !status.bad.isEmpty { throw badSignature(status.bad) }
        // Any other text in the file than the one that is signed makes gpgv fail, or makes a second one.
        if status.hasError || status.plaintexts > 1 { throw badSignature([], notes: try lastWords()) }
        if let signer = status.good.first, status.plaintexts == 1,
            end == .exited(0) || !status.unknown.isEmpty || !status.expired.isEmpty
        {
            if status.good.allSatisfy(\.isWeak) {
                throw Failure(
                    "\(name) is signed by key \(signer.fingerprint) with a digest that is no longer safe (MD5, SHA-1 or RIPEMD-160)"
                )
            }
            return VerifiedText(
                bytes: try readFile(at: text), signers: status.good.filter { !$0.isWeak }.map(\.fingerprint))
        }
        if !status.expired.isEmpty {
            throw Failure(
                "\(name) is signed by \(keys(status.expired)), which has expired or was revoked by \(keyringNames); "
                    + "this host's clock says \(archiveDate(now))",
                hint: "update the keyring package, set the clock if it is wrong, or name another keyring in the "
                    + "recipe's archive.keyring")
        }
        if !status.unknown.isEmpty { throw wrongKey(status.unknown) }
        throw badSignature([], notes: try lastWords())
    }

    func sqv(_ program: FilePath) throws -> VerifiedText {
        var arguments = ["--output", text.string, "--cleartext"]
        for keyring in binaryKeyrings { arguments += ["--keyring", keyring.string] }
        let end = try start(program, arguments + [signed.string])
        if end == .exited(0) {
            let signers = String(decoding: try readFile(at: output), as: UTF8.self).split(
                whereSeparator: \.isWhitespace)
            return VerifiedText(bytes: try readFile(at: text), signers: signers.map(String.init))
        }
        let words = try lastWords()
        if words.contains(where: { $0.contains("--cleartext") }) {
            throw Failure(
                "cannot check the signature of \(name): this host's sqv is older than 1.3 and reads no clear-signed files",
                notes: words, hint: "apt-get install gpgv")
        }
        var missing = [String]()
        for line in words where line.hasPrefix("Missing key ") {
            missing += line.split(separator: " ").dropFirst(2).prefix(1).map { String($0.prefix { $0.isHexDigit }) }
        }
        if !missing.isEmpty { throw wrongKey(missing) }
        throw badSignature([], notes: words)
    }

    private func keys(_ ids: [String]) -> String {
        (ids.count == 1 ? "key " : "keys ") + ids.joined(separator: ", ")
    }

    private func wrongKey(_ ids: [String]) -> Failure {
        Failure(
            "\(name) is signed by \(keys(ids)), and \(keyringNames) does not hold \(ids.count == 1 ? "it" : "them")",
            hint: "if you trust this archive, name the keyring that holds its key in the recipe's archive.keyring")
    }

    private func badSignature(_ ids: [String], notes: [String] = []) -> Failure {
        let by = ids.isEmpty ? "" : " of \(keys(ids))"
        return Failure(
            "\(name) has a bad signature\(by): it was changed after it was signed", notes: notes,
            hint: "a proxy or a broken mirror may have damaged it; name another mirror with --mirror")
    }

    private func lastWords() throws(Failure) -> [String] {
        String(decoding: try readFile(at: errors), as: UTF8.self).split(separator: "\n").suffix(8).map(String.init)
    }
}

/// What gpgv says on its status descriptor (GnuPG's doc/DETAILS).
struct GPGStatus {
    struct Signer: Hashable {
        var fingerprint: String
        /// Made with a digest algorithm in which collisions can be made.
        var isWeak: Bool
    }

    var good = [Signer]()
    var bad = [String]()
    /// Keys that are in no keyring.
    var unknown = [String]()
    /// Good signatures that are no longer valid, or of keys that no longer are.
    var expired = [String]()
    var plaintexts = 0
    var hasError = false

    init(parsing text: String) {
        var isGood = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 2, words[0] == "[GNUPG:]" else { continue }
            let subject = words.count > 2 ? String(words[2]) : "?"
            switch words[1] {
            case "NEWSIG": isGood = false
            case "GOODSIG": isGood = true
            case "VALIDSIG":
                // RFC 4880, 9.4: 1 MD5, 2 SHA-1, 3 RIPEMD-160.
                let isWeak = words.count < 10 || ["1", "2", "3"].contains(words[9])
                if isGood { good.append(Signer(fingerprint: subject, isWeak: isWeak)) }
                isGood = false
            case "BADSIG": bad.append(subject)
            case "NO_PUBKEY": unknown.append(subject)
            case "EXPSIG", "EXPKEYSIG", "REVKEYSIG": expired.append(subject)
            case "PLAINTEXT": plaintexts += 1
            case "ERROR", "FAILURE": hasError = true
            default: break
            }
        }
    }
}

/// The public keys of a keyring file as binary packets: an armored one without its armor (RFC 4880, 6.2; several
/// blocks in a row are fine), any other as it is.
func publicKeys(in bytes: [UInt8], keyring: FilePath) throws(Failure) -> [UInt8] {
    if bytes.isEmpty { throw Failure("the keyring \(keyring.string) is empty") }
    // A binary packet begins with its highest bit set.
    if let first = bytes.first, first & 0x80 != 0 { return bytes }
    var keys = [UInt8]()
    var block: [UInt8]?
    var isInHeaders = false
    for line in bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            block = []
            isInHeaders = true
        } else if text.hasPrefix("-----END PGP PUBLIC KEY BLOCK-----") {
            guard let digits = block, let packets = decodeBase64(digits) else { break }
            keys += packets
            block = nil
        } else if block != nil {
            // Headers like `Version: 1` end at the first empty line; a line of the key has no colon.
            if isInHeaders && text.contains(":") { continue }
            isInHeaders = false
            // `=XXXX` is the checksum of the armor; the keys have their own signatures.
            if line.first == UInt8(ascii: "=") { continue }
            block?.append(contentsOf: line)
        }
    }
    guard block == nil, !keys.isEmpty else {
        throw Failure("cannot read the keyring \(keyring.string): it is neither binary nor armored (.asc) OpenPGP keys")
    }
    return keys
}

/// Bytes from base64 (RFC 4648, section 4); nil for anything else. Blanks are passed over.
private func decodeBase64(_ text: [UInt8]) -> [UInt8]? {
    var result = [UInt8]()
    result.reserveCapacity(text.count / 4 * 3)
    var group: UInt32 = 0
    var count = 0
    var padding = 0
    for byte in text {
        let value: UInt32
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        case UInt8(ascii: "="):
            padding += 1
            value = 0
        case UInt8(ascii: " "), UInt8(ascii: "\t"): continue
        default: return nil
        }
        if padding > 0 && byte != UInt8(ascii: "=") { return nil }
        group = group << 6 | value
        count += 1
        if count == 4 {
            guard padding <= 2 else { return nil }
            for index in 0..<(3 - padding) {
                result.append(UInt8(truncatingIfNeeded: group >> (16 - 8 * UInt32(index))))
            }
            group = 0
            count = 0
        }
    }
    return count == 0 ? result : nil
}
