extension [UInt8] {
    /// Writes a little-endian integer, making room for it.
    public mutating func put(_ value: some FixedWidthInteger, at offset: Int) {
        let size = value.bitWidth / 8
        if count < offset + size { append(contentsOf: [UInt8](repeating: 0, count: offset + size - count)) }
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<(offset + size), with: Array($0)) }
    }

    public mutating func put(_ bytes: [UInt8], at offset: Int) {
        if count < offset + bytes.count {
            append(contentsOf: [UInt8](repeating: 0, count: offset + bytes.count - count))
        }
        replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    }
}

/// A bzImage of release 6.1.0-test (Documentation/arch/x86/boot.rst) around a payload that has its size appended already. `setupSectors` as the header says it: 0 means 4.
public func bzImage(payload: [UInt8], setupSectors: UInt8 = 39, payloadOffset: Int = 0x2CC) -> [UInt8] {
    let setup = (setupSectors == 0 ? 4 : Int(setupSectors)) * 512 + 512
    var bytes = [UInt8](repeating: 0, count: setup)
    bytes[0x1F1] = setupSectors
    let length = (payloadOffset + payload.count + 200 + 15) / 16
    bytes.put(UInt32(length), at: 0x1F4)
    bytes.put([0x55, 0xAA], at: 0x1FE)
    bytes.put(Array("HdrS".utf8), at: 0x202)
    bytes.put(UInt16(0x020F), at: 0x206)
    bytes.put(UInt16(0x400), at: 0x20E)
    bytes[0x211] = 1
    bytes.put(UInt32(payloadOffset), at: 0x248)
    bytes.put(UInt32(payload.count), at: 0x24C)
    bytes.put(Array("6.1.0-test (build@host) #1\0".utf8), at: 0x600)
    bytes.put(payload, at: setup + payloadOffset)
    bytes += [UInt8](repeating: 0, count: setup + length * 16 - bytes.count)
    return bytes
}
