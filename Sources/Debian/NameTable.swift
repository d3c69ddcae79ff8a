/// Names by number, in the order in which they were first interned: open addressing over one pool of bytes, no
/// String for each name.
public struct NameTable: Sendable {
    private var pool: [UInt8] = []
    /// Where each name begins in the pool; one more entry than there are names.
    private var starts: [UInt32] = [0]
    /// The number plus one; 0 is free. A power of two long, at most half full.
    private var slots: [Int32]
    private var hashes: [UInt32] = []

    public init(capacity: Int = 1 << 10) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [Int32](repeating: 0, count: size)
    }

    public var count: Int { hashes.count }

    /// The number of a name, a new one for a new name.
    public mutating func intern(_ name: UnsafeBufferPointer<UInt8>) -> Int32 {
        let hash = Self.hash(name)
        let slot = self.slot(of: name, hash: hash)
        if slots[slot] != 0 { return slots[slot] - 1 }
        let number = Int32(hashes.count)
        pool.append(contentsOf: name)
        starts.append(UInt32(pool.count))
        hashes.append(hash)
        slots[slot] = number + 1
        if hashes.count * 2 > slots.count { grow() }
        return number
    }

    /// The number of a name that was interned; nil for any other.
    public func number(of name: String) -> Int32? {
        var name = name
        return name.withUTF8 { bytes in
            let found = slots[slot(of: bytes, hash: Self.hash(bytes))]
            return found == 0 ? nil : found - 1
        }
    }

    public subscript(_ number: Int32) -> String {
        let index = Int(number)
        return String(decoding: pool[Int(starts[index])..<Int(starts[index + 1])], as: UTF8.self)
    }

    private func slot(of name: UnsafeBufferPointer<UInt8>, hash: UInt32) -> Int {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot] - 1)
            if hashes[number] == hash, isEqual(number, to: name) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func isEqual(_ number: Int, to name: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = Int(starts[number])
        guard Int(starts[number + 1]) - start == name.count else { return false }
        return pool.withUnsafeBufferPointer { pool in
            guard let stored = pool.baseAddress, let other = name.baseAddress else { return name.isEmpty }
            var index = 0
            while index < name.count {
                if stored[start + index] != other[index] { return false }
                index += 1
            }
            return true
        }
    }

    private mutating func grow() {
        var larger = [Int32](repeating: 0, count: slots.count * 2)
        let mask = larger.count - 1
        for (number, hash) in hashes.enumerated() {
            var slot = Int(hash) & mask
            while larger[slot] != 0 { slot = (slot + 1) & mask }
            larger[slot] = Int32(number) + 1
        }
        slots = larger
    }

    /// FNV-1a, with the high bits folded in.
    private static func hash(_ name: UnsafeBufferPointer<UInt8>) -> UInt32 {
        guard let base = name.baseAddress else { return 0 }
        var hash: UInt32 = 2_166_136_261
        var index = 0
        let count = name.count
        while index < count {
            hash = (hash ^ UInt32(truncatingIfNeeded: base[index])) &* 16_777_619
            index += 1
        }
        return hash ^ (hash >> 15)
    }
}
