import RootfsModel

/// A file that a service's own configuration names and that the service does not start without.
struct NamedFile {
    /// What names it: `ssl_certificate_key`.
    var key: String
    var path: TreePath
    var location: SourceLocation
    /// What becomes of the service without it, as a clause.
    var consequence: String
    var remedy: String
    var isDirectory = false

    /// Whether it is there, or lies where something is mounted over the image.
    func isThere(in subject: CheckSubject) -> Bool {
        guard let node = subject.tree.resolvedNode(path) else {
            return isMadeAtBoot(path) || path.isWithin("/tmp") || path.isWithin("/var/tmp")
        }
        return isDirectory ? node.isDirectory : node.blob != nil
    }
}

/// The settings of a text as services write them, a line each: the words, and where they stand. What follows `#` is a
/// comment; quotes hold words together.
struct SettingLines {
    struct Line {
        var words: [String]
        var location: SourceLocation
    }

    private(set) var lines: [Line] = []

    /// - Parameters:
    ///   - separators: what ends a setting besides the line's end.
    ///   - marks: what parts words besides blanks.
    init(_ path: TreePath, marks: Set<Character> = [], separators: Set<Character> = [], in subject: CheckSubject) throws
    {
        guard let bytes = try subject.content(of: path, limit: 4 << 20) else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        let source = SourceText(name: path.description, text: text)
        var words = [String]()
        var word: String?
        var quote: Character?
        var first = 1
        func location(_ line: Int) -> SourceLocation { source.location(line: line, column: 1) }
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            for sign in line {
                if let open = quote {
                    if sign == open { quote = nil } else { word = (word ?? "") + String(sign) }
                    continue
                }
                if sign == "#", word == nil { break }
                if words.isEmpty, word == nil { first = index + 1 }
                if sign == "\"" || sign == "'" {
                    quote = sign
                    word = word ?? ""
                } else if sign.isWhitespace || marks.contains(sign) || separators.contains(sign) {
                    if let whole = word { words.append(whole) }
                    word = nil
                    if separators.contains(sign) {
                        if !words.isEmpty { lines.append(Line(words: words, location: location(first))) }
                        words = []
                    }
                } else {
                    word = (word ?? "") + String(sign)
                }
            }
            // A quote may go on where separators end settings, nowhere else.
            if quote != nil, !separators.isEmpty { continue }
            quote = nil
            if let whole = word { words.append(whole) }
            word = nil
            if separators.isEmpty {
                if !words.isEmpty { lines.append(Line(words: words, location: location(first))) }
                words = []
            }
        }
    }
}

extension CheckSubject {
    /// The files that a pattern with `*` and `?` in its last component names, by name; a path without them is itself.
    func files(matching pattern: String, from folder: TreePath) -> [TreePath] {
        let text = pattern.hasPrefix("/") ? pattern : "\(folder)/\(pattern)"
        guard let path = TreePath(normalizing: text), let parent = path.parent else { return [] }
        guard pattern.contains(where: { "*?[".contains($0) }) else { return [path] }
        let wildcards = Array(path.name)
        return tree.resolvedChildren(of: parent).filter { node in
            // As a shell does, none for a hidden file.
            tree.resolvedNode(node.path)?.blob != nil && !node.name.hasPrefix(".")
                && node.path.name.matches(wildcards: wildcards)
        }.map(\.path)
    }
}
