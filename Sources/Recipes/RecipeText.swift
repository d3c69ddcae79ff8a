internal import RootfsModel

/// Where a token of a recipe stands: line and column count from 1, columns and the length in Unicode scalars.
struct Place: Hashable, Sendable, Comparable {
    /// The index of the file among those that were read.
    var file: Int
    var line: Int
    var column: Int
    var length = 1

    static func < (left: Place, right: Place) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

/// The text of one recipe file by lines, for pointing into it.
struct RecipeText: Sendable {
    let path: String
    /// The whole text; a stand-in takes no other room than what it stands for.
    private(set) var scalars: [Unicode.Scalar]
    /// Where each line begins and ends, without its end.
    private let lines: [Range<Int>]

    /// What a message shows of a line at most: a recipe of one long line must not fill the terminal.
    static let longestShown = 400

    init(path: String, text: String) {
        self.path = path
        let scalars = Array(text.unicodeScalars)
        var lines = [Range<Int>]()
        var start = 0
        var index = 0
        while index < scalars.count {
            switch scalars[index] {
            case "\r" where index + 1 < scalars.count && scalars[index + 1] == "\n":
                lines.append(start..<index)
                index += 1
                start = index + 1
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
                lines.append(start..<index)
                start = index + 1
            default: break
            }
            index += 1
        }
        lines.append(start..<scalars.count)
        self.scalars = scalars
        self.lines = lines
    }

    /// The rest of a line from a column on.
    func rest(line: Int, column: Int) -> ArraySlice<Unicode.Scalar> {
        guard lines.indices.contains(line - 1) else { return [] }
        let range = lines[line - 1]
        return scalars[min(range.lowerBound + max(0, column - 1), range.upperBound)..<range.upperBound]
    }

    /// The place of the scalar with this index.
    func place(file: Int, at index: Int, length: Int = 1) -> Place {
        var low = 0
        var high = lines.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if lines[middle].lowerBound <= index { low = middle } else { high = middle - 1 }
        }
        return Place(file: file, line: low + 1, column: index - lines[low].lowerBound + 1, length: length)
    }

    /// Where a line and a column are in `scalars`; nil beyond the line's end.
    func index(line: Int, column: Int) -> Int? {
        let rest = rest(line: line, column: column)
        return rest.isEmpty ? nil : rest.startIndex
    }

    mutating func replace(at index: Int, with scalar: Unicode.Scalar) {
        scalars[index] = scalar
    }

    /// The place for a message: columns in characters, long lines cut.
    func location(_ place: Place) -> SourceLocation {
        let line = rest(line: place.line, column: 1)
        // Beyond what is shown a scalar counts as a character: no line is walked to its end for a column.
        let shown = line.prefix(Self.longestShown)
        func characters(_ part: ArraySlice<Unicode.Scalar>) -> Int {
            String(String.UnicodeScalarView(part)).count
        }
        let before = min(place.column - 1, line.count)
        let beforeShown = min(before, shown.count)
        let column = before - beforeShown + characters(shown.prefix(beforeShown)) + (place.column - before)
        let token = shown.dropFirst(beforeShown).prefix(place.length)
        let text = String(String.UnicodeScalarView(shown)) + (shown.count < line.count ? "…" : "")
        return SourceLocation(
            file: path, line: place.line, column: column, length: max(1, characters(token)), text: text)
    }
}
