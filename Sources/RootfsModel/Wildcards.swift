extension RandomAccessCollection<UInt8> where Index == Int {
    /// Whether these bytes are one of a pattern: `*` is any run of bytes, `?` any one. Linear in both, but for going back
    /// to the last star.
    public func matches(wildcards pattern: [UInt8]) -> Bool {
        var (place, at) = (startIndex, pattern.startIndex)
        var star: (behind: Int, place: Int)?
        while place < endIndex {
            if at < pattern.endIndex, pattern[at] == UInt8(ascii: "*") {
                at += 1
                star = (at, place)
            } else if at < pattern.endIndex, pattern[at] == UInt8(ascii: "?") || pattern[at] == self[place] {
                at += 1
                place += 1
            } else if let last = star {
                at = last.behind
                place = last.place + 1
                star = (at, place)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
