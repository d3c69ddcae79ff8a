import RootfsModel

/// The places that a thing tries, one after another, by its name alone: what else is in the image, and how much, has
/// no say in it. So a thing that is added or taken away moves only those that stand where it wants to stand.
struct StablePlaces {
    private(set) var seed: UInt64

    /// - Parameter part: tells the things of one path apart.
    init(_ path: TreePath, part: UInt64) {
        self.init(seed: path.bytes.withUnsafeBytes { Checksum(of: $0).low } ^ Self.mixed(part))
    }

    init(seed: UInt64) {
        self.seed = Self.mixed(seed)
    }

    /// The next place, 0 ..< count. Where count grows by one, one in count places becomes the new one and all others
    /// stay as they were.
    mutating func next(below count: Int) -> Int {
        seed = Self.mixed(seed)
        return Self.consistentPlace(of: seed, below: count)
    }

    /// The first of its places that is free, or else the next free one behind the last that it tried; nil where none is.
    ///
    /// - Parameters:
    ///   - preferred: how many are tried by name.
    ///   - count: how many there are, at least the preferred ones.
    mutating func choose(among preferred: Int, of count: Int, where isFree: (Int) -> Bool) -> Int? {
        if preferred == 0 { return (0..<count).first(where: isFree) }
        var place = 0
        for _ in 0..<64 {
            place = next(below: preferred)
            if isFree(place) { return place }
        }
        return (place..<count).first(where: isFree) ?? (0..<place).first(where: isFree)
    }

    /// Jump consistent hash (Lamping and Veach, A Fast, Minimal Memory, Consistent Hash Algorithm, 2014).
    static func consistentPlace(of key: UInt64, below count: Int) -> Int {
        var key = key
        var place: Int64 = 0
        var next: Int64 = 0
        while next < Int64(count) {
            place = next
            key = key &* 2_862_933_555_777_941_757 &+ 1
            next = Int64(Double(place + 1) * (Double(1 << 31) / Double((key >> 33) + 1)))
        }
        return Int(place)
    }

    /// Every bit of the result depends on every bit of the word (splitmix64; Steele, Lea and Flood, 2014).
    static func mixed(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

extension TreePath {
    /// Whether a bundle of neighbours ends before this path: true for about one path in `length`, and for the same
    /// ones in every image.
    func beginsBundle(ofAbout length: UInt64) -> Bool {
        bytes.withUnsafeBytes { Checksum(of: $0).high } % length == 0
    }
}
