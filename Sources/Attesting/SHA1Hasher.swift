internal import Crypto
internal import RootfsModel

/// Takes a SHA-1 while bytes pass: SPDX demands one of every file, beside the SHA-256 that says what the file is.
public struct SHA1Hasher {
    private var hasher = Insecure.SHA1()

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bufferPointer: bytes) }

    /// 40 lower-case hexadecimal digits of all bytes so far.
    public var hex: String { hexText(Array(hasher.finalize())) }
}
