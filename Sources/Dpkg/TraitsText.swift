internal import RootfsModel

/// The traits of a tree's files as text: a line for each, in the tree's order: the checksum's 32 hexadecimal digits,
/// then, where not all blocks hold something, `holes` and the runs that do, as first block and count.
///
///     8cf4b4e0…
///     02c1a83d… holes 0+17 40+301
enum TraitsText {
    static func bytes(of tree: FileTree) -> [UInt8] {
        var text = [UInt8]()
        for node in tree.nodes {
            guard let traits = node.blob?.traits else { continue }
            text.append(contentsOf: traits.checksum.description.utf8)
            if let runs = traits.dataRuns {
                text.append(contentsOf: " holes".utf8)
                for run in runs { text.append(contentsOf: " \(run.start)+\(run.count)".utf8) }
            }
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }

    /// Gives the traits of a tree's files, in their order. Throws where the text has another form.
    static func parse(_ bytes: [UInt8], name: String) throws(Failure) -> [ContentTraits] {
        var result = [ContentTraits]()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let traits = parse(line: line) else {
                throw Failure("\(name): line \(result.count + 1) is no checksum and runs")
            }
            result.append(traits)
        }
        return result
    }

    private static func parse(line: ArraySlice<UInt8>) -> ContentTraits? {
        guard line.count >= 32, let high = word(line.prefix(16)), let low = word(line.dropFirst(16).prefix(16)) else {
            return nil
        }
        let checksum = Checksum(high: high, low: low)
        if line.count == 32 { return ContentTraits(checksum: checksum, dataRuns: nil) }
        let rest = String(decoding: line.dropFirst(32), as: UTF8.self).split(separator: " ")
        guard rest.first == "holes" else { return nil }
        var runs = [DataRun]()
        for part in rest.dropFirst() {
            let numbers = part.split(separator: "+", omittingEmptySubsequences: false)
            guard numbers.count == 2, let start = UInt32(numbers[0]), let count = UInt32(numbers[1]) else { return nil }
            runs.append(DataRun(start: start, count: count))
        }
        return ContentTraits(checksum: checksum, dataRuns: runs)
    }

    private static func word(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var word: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): word = word << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): word = word << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return word
    }
}
