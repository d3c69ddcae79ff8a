internal import RootfsModel

/// A package's copyright file (Policy 12.5): machine-readable (copyright-format 1.0, once DEP-5), or free text.
///
/// Read as it is in the field: a line that is neither field nor continuation belongs to the field before it, and a field
/// that comes twice is taken twice.
public struct CopyrightFile: Hashable, Sendable {
    /// A `Files` stanza: which files, and under what.
    public struct Stanza: Hashable, Sendable {
        /// Patterns of the source's files; empty for the header's own licence.
        public var files: [String]
        /// The first line of `License`, as written.
        public var synopsis: String
    }

    public var isMachineReadable: Bool
    /// In the order of the text; none in free text.
    public var stanzas: [Stanza] = []
    /// A licence's words by its name as written: from its own stanza, else from the first that has any.
    public var texts: [String: String] = [:]
    /// The files of /usr/share/common-licenses that the text names, sorted.
    public var references: [String]

    public init(parsing bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        references = Self.references(in: text)
        let paragraphs = Self.paragraphs(of: text)
        isMachineReadable = paragraphs.first.map(Self.isHeader) ?? false
        guard isMachineReadable else { return }
        var general: Stanza?
        var inPlace = [(name: String, text: String)]()
        for (index, fields) in paragraphs.enumerated() {
            let files = fields.filter { $0.name == "files" }.flatMap { $0.lines }
                .flatMap { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
            for licence in fields where licence.name == "license" {
                let synopsis = licence.lines.first ?? ""
                let words = Self.words(licence.lines.dropFirst())
                if !files.isEmpty {
                    if !synopsis.isEmpty { stanzas.append(Stanza(files: files, synopsis: synopsis)) }
                    if !words.isEmpty { inPlace.append((synopsis, words)) }
                } else if index == 0 {
                    if !synopsis.isEmpty { general = Stanza(files: [], synopsis: synopsis) }
                    if !words.isEmpty { inPlace.append((synopsis, words)) }
                } else if !words.isEmpty, texts[synopsis] == nil {
                    texts[synopsis] = words
                }
            }
        }
        for (name, words) in inPlace where texts[name] == nil { texts[name] = words }
        if stanzas.isEmpty, let general { stanzas = [general] }
    }

    private struct Field {
        /// In lower case.
        var name: String
        /// The first one without the blanks before it, the others as written.
        var lines: [String]
    }

    private static func isHeader(_ fields: [Field]) -> Bool {
        fields.contains { field in
            guard ["format", "format-specification"].contains(field.name) else { return false }
            let value = field.lines.joined().lowercased()
            return value.contains("copyright-format") || value.contains("dep5") || value.contains("dep-5")
        }
    }

    private static func paragraphs(of text: String) -> [[Field]] {
        var paragraphs = [[Field]]()
        var fields = [Field]()
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if line.allSatisfy(\.isWhitespace) {
                if !fields.isEmpty { paragraphs.append(fields) }
                fields = []
            } else if line.first == "#" {
                continue
            } else if let name = fieldName(line) {
                let value = line.dropFirst(name.count + 1).drop(while: \.isWhitespace)
                fields.append(Field(name: name.lowercased(), lines: [trimmed(value)]))
            } else if !fields.isEmpty {
                fields[fields.count - 1].lines.append(String(line))
            }
        }
        if !fields.isEmpty { paragraphs.append(fields) }
        return paragraphs
    }

    /// What stands before the colon of a field's first line; nil for any other line.
    private static func fieldName(_ line: Substring) -> Substring? {
        guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { return nil }
        let name = line[..<colon]
        guard name.first?.isLetter == true, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
        else { return nil }
        return name
    }

    /// A text of several lines: each without its leading blank, ` .` for an empty one.
    private static func words(_ lines: ArraySlice<String>) -> String {
        lines.map { line in
            let text = line.first?.isWhitespace == true ? line.dropFirst() : Substring(line)
            return text.trimmingSuffix(while: \.isWhitespace) == "." ? "" : String(text)
        }.joined(separator: "\n")
    }

    private static func references(in text: String) -> [String] {
        var names = Set<String>()
        let folder = "common-licenses/"
        var rest = text[...]
        while let range = rest.firstRange(of: folder) {
            rest = rest[range.upperBound...]
            var name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "-.+".contains($0)) }
            // A sentence's end is no part of it.
            while let last = name.last, ".-".contains(last) { name = name.dropLast() }
            if !name.isEmpty { names.insert(String(name)) }
        }
        return names.sorted()
    }
}

private func trimmed(_ text: Substring) -> String {
    String(text.drop(while: \.isWhitespace).trimmingSuffix(while: \.isWhitespace))
}

extension Substring {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var result = self
        while let last = result.last, isTrimmed(last) { result = result.dropLast() }
        return result
    }
}
