/// Which lines of two texts have no partner in the other: the shortest edit script by Myers' algorithm in linear space
/// (E. W. Myers, An O(ND) Difference Algorithm and Its Variations, 1986), with a bound on its work.
struct LineDifference {
    /// By line.
    private(set) var isRemoved: [Bool]
    private(set) var isAdded: [Bool]

    private let left: [Int]
    private let right: [Int]
    /// Edits on one way to the middle, above which a stretch is told as replaced: the work grows with their square.
    private static let mostEdits = 1_500

    init(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) {
        var numbers = [ArraySlice<UInt8>: Int]()
        func number(_ line: ArraySlice<UInt8>) -> Int {
            if let known = numbers[line] { return known }
            numbers[line] = numbers.count
            return numbers.count - 1
        }
        left = old.map { number($0) }
        right = new.map { number($0) }
        isRemoved = [Bool](repeating: false, count: left.count)
        isAdded = [Bool](repeating: false, count: right.count)
        var pending = [(left.indices, right.indices)]
        while let (a, b) = pending.popLast() { pending += split(a, b) }
    }

    /// Marks what differs in two stretches, or cuts them in two pairs that are still to do.
    private mutating func split(_ a: Range<Int>, _ b: Range<Int>) -> [(Range<Int>, Range<Int>)] {
        var (a, b) = (a, b)
        while let first = a.first, let other = b.first, left[first] == right[other] {
            a = a.dropFirst()
            b = b.dropFirst()
        }
        while let last = a.last, let other = b.last, left[last] == right[other] {
            a = a.dropLast()
            b = b.dropLast()
        }
        guard !a.isEmpty, !b.isEmpty, let middle = middle(a, b) else {
            for index in a { isRemoved[index] = true }
            for index in b { isAdded[index] = true }
            return []
        }
        return [
            (a.lowerBound..<middle.start.0, b.lowerBound..<middle.start.1),
            (middle.end.0..<a.upperBound, middle.end.1..<b.upperBound),
        ]
    }

    /// The run of equal lines in the middle of a shortest way; nil where that is too long.
    private func middle(_ a: Range<Int>, _ b: Range<Int>) -> (start: (Int, Int), end: (Int, Int))? {
        let (n, m) = (a.count, b.count)
        let delta = n - m
        let most = min((n + m + 1) / 2, Self.mostEdits)
        // By diagonal: how far into the left text the ways from the front and from the back come.
        var front = [Int](repeating: 0, count: 2 * most + 3)
        var back = front
        let zero = most + 1
        for d in 0...most {
            // Diagonals outside of the texts are left out.
            let lowest = -(d - 2 * max(0, d - m))
            let highest = d - 2 * max(0, d - n)
            for k in stride(from: lowest, through: highest, by: 2) {
                let goesDown = k == -d || (k != d && front[zero + k - 1] < front[zero + k + 1])
                var x = goesDown ? front[zero + k + 1] : front[zero + k - 1] + 1
                var y = x - k
                let start = (x, y)
                while x < n, y < m, left[a.lowerBound + x] == right[b.lowerBound + y] {
                    x += 1
                    y += 1
                }
                front[zero + k] = x
                let other = delta - k
                if delta % 2 != 0, abs(other) <= d - 1, x + back[zero + other] >= n {
                    return (
                        (a.lowerBound + start.0, b.lowerBound + start.1), (a.lowerBound + x, b.lowerBound + y)
                    )
                }
            }
            for k in stride(from: lowest, through: highest, by: 2) {
                let goesDown = k == -d || (k != d && back[zero + k - 1] < back[zero + k + 1])
                var x = goesDown ? back[zero + k + 1] : back[zero + k - 1] + 1
                var y = x - k
                let start = (x, y)
                while x < n, y < m, left[a.upperBound - 1 - x] == right[b.upperBound - 1 - y] {
                    x += 1
                    y += 1
                }
                back[zero + k] = x
                let other = delta - k
                if delta % 2 == 0, abs(other) <= d, x + front[zero + other] >= n {
                    return (
                        (a.upperBound - x, b.upperBound - y),
                        (a.upperBound - start.0, b.upperBound - start.1)
                    )
                }
            }
        }
        return nil
    }
}

/// A patch as `diff -u` writes it, without the lines that name the files; nil where the texts are the same.
func unifiedPatch(_ old: [UInt8], _ new: [UInt8], context: Int = 3) -> (text: String, added: Int, removed: Int)? {
    let (left, right) = (TextLines(old), TextLines(new))
    let difference = LineDifference(left.lines, right.lines)
    var steps = [(sign: Character, line: ArraySlice<UInt8>, left: Int, right: Int)]()
    var (i, j) = (0, 0)
    while i < left.lines.count || j < right.lines.count {
        if i < left.lines.count, difference.isRemoved[i] {
            steps.append(("-", left.lines[i], i, j))
            i += 1
        } else if j < right.lines.count, difference.isAdded[j] {
            steps.append(("+", right.lines[j], i, j))
            j += 1
        } else {
            steps.append((" ", left.lines[i], i, j))
            i += 1
            j += 1
        }
    }
    let changed = steps.indices.filter { steps[$0].sign != " " }
    guard let first = changed.first else { return nil }
    // Changes with no more than two contexts between them are one hunk.
    var hunks = [max(0, first - context)..<min(steps.count, first + 1 + context)]
    for index in changed {
        let range = max(0, index - context)..<min(steps.count, index + 1 + context)
        if range.lowerBound <= hunks[hunks.count - 1].upperBound {
            hunks[hunks.count - 1] = hunks[hunks.count - 1].lowerBound..<range.upperBound
        } else {
            hunks.append(range)
        }
    }
    var text = ""
    for hunk in hunks {
        let before = steps[hunk].count { $0.sign != "+" }
        let after = steps[hunk].count { $0.sign != "-" }
        let start = steps[hunk.lowerBound]
        func place(_ line: Int, _ count: Int) -> String {
            // As diff does: one line has no count, none stand behind the line before.
            "\(count == 0 ? line : line + 1)" + (count == 1 ? "" : ",\(count)")
        }
        text += "@@ -\(place(start.left, before)) +\(place(start.right, after)) @@\n"
        for step in steps[hunk] {
            let isWhole = step.line.last == UInt8(ascii: "\n")
            text.append(step.sign)
            text += String(decoding: step.line, as: UTF8.self)
            if !isWhole { text += "\n\\ No newline at end of file\n" }
        }
    }
    return (text, difference.isAdded.count { $0 }, difference.isRemoved.count { $0 })
}

/// A text's lines with their ends.
private struct TextLines {
    var lines: [ArraySlice<UInt8>] = []

    init(_ bytes: [UInt8]) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.endIndex
            lines.append(bytes[start..<end])
            start = end
        }
    }
}
