internal import Crypto

/// A SHA-256 digest, the identity of content. Compared and ordered by its 32 bytes.
public struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The 32 bytes, as four big-endian words. No SIMD4: aligned to its own size, it would make a tree's nodes half as
    /// large again.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ digest: SHA256Digest) {
        self = digest.withUnsafeBytes { Digest(bytes: $0) }
    }

    /// The digest of these bytes.
    public init(hashing bytes: [UInt8]) {
        var hasher = DigestHasher()
        hasher.update(bytes)
        self = hasher.finalized()
    }

    /// The digest of this text's UTF-8.
    public init(hashing text: String) {
        self.init(hashing: Array(text.utf8))
    }

    /// A digest from its 32 bytes.
    init(bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        self.words = (word(0), word(1), word(2), word(3))
    }

    /// A digest from 64 hexadecimal digits, with or without `sha256:` in front; nil for anything else.
    public init?(hex: some StringProtocol) {
        let prefix = "sha256:"
        let digits = hex.hasPrefix(prefix) ? Substring(hex.dropFirst(prefix.count)) : Substring(hex)
        guard digits.utf8.count == 64 else { return nil }
        var words = SIMD4<UInt64>()
        for (index, byte) in digits.utf8.enumerated() {
            guard let digit = hexDigitValue(byte) else { return nil }
            words[index / 16] = words[index / 16] << 4 | UInt64(digit)
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    private var simd: SIMD4<UInt64> { SIMD4(words.0, words.1, words.2, words.3) }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { hexText(lazyBytes) }

    /// The ASCII of `hex`.
    public var hexBytes: [UInt8] { hexDigits(lazyBytes) }

    /// The 32 bytes.
    public var bytes: [UInt8] { Array(lazyBytes) }

    private var lazyBytes: some Collection<UInt8> {
        let words = simd
        return (0..<32).lazy.map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(56 - $0 % 8 * 8)) }
    }

    /// `sha256:` and the digits: how digests are shown to people and written to JSON.
    public var description: String { "sha256:" + hex }

    public static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    public static func < (left: Digest, right: Digest) -> Bool { left.words < right.words }

    public func hash(into hasher: inout Hasher) {
        // Any part of a digest is as good as random.
        hasher.combine(words.0)
    }
}

/// Takes a digest while the bytes pass.
public struct DigestHasher: Sendable {
    private var hasher = SHA256()

    public init() {}

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bufferPointer: bytes)
    }

    /// Feeds this text's UTF-8 and a NUL, so that neighbouring fields cannot run into each other.
    public mutating func update(field text: String) {
        update(Array(text.utf8) + [0])
    }

    /// The digest of all bytes so far; the hasher can go on.
    public func finalized() -> Digest {
        Digest(hasher.finalize())
    }
}
