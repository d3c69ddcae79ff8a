internal import RootfsModel

/// A unit's settings by systemd.syntax(7): of its file and then of its drop-ins, each with its place.
struct UnitText: Sendable {
    struct Assignment: Sendable {
        var section: String
        var key: String
        var value: String
        var location: SourceLocation
    }

    private(set) var assignments: [Assignment] = []

    /// Takes over a file's settings; what is no setting means nothing.
    mutating func append(_ bytes: [UInt8], of path: TreePath) {
        let text = SourceText(name: path.description, text: String(decoding: bytes, as: UTF8.self))
        var section = ""
        var pending: (parts: [Substring], line: Int)?
        let lines = String(decoding: bytes, as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, raw) in lines.enumerated() {
            let trimmed = self.trimmed(raw)
            if trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            let part = pending == nil ? trimmed : raw
            let line = pending?.line ?? index + 1
            if part.hasSuffix("\\") {
                if pending == nil { pending = ([], line) }
                pending?.parts.append(part.dropLast())
                continue
            }
            let whole = String(self.trimmed(Substring(((pending?.parts ?? []) + [part]).joined(separator: " "))))
            pending = nil
            if whole.hasPrefix("["), whole.hasSuffix("]") {
                section = String(whole.dropFirst().dropLast())
            } else if let equals = whole.firstIndex(of: "=") {
                let key = self.trimmed(whole[..<equals])
                let value = self.trimmed(whole[whole.index(after: equals)...])
                assignments.append(
                    Assignment(
                        section: section, key: String(key), value: String(value),
                        location: text.location(line: line, column: 1, length: key.count)))
            }
        }
    }

    /// All values of a key that count: an empty one takes back those before it.
    func values(_ section: String, _ key: String) -> [Assignment] {
        var result = [Assignment]()
        for assignment in assignments where assignment.key == key && assignment.section == section {
            if assignment.value.isEmpty { result = [] } else { result.append(assignment) }
        }
        return result
    }

    /// The last value of a key that holds one.
    func value(_ section: String, _ key: String) -> String? {
        values(section, key).last?.value
    }

    /// The words of all values of a key that is a list.
    func words(_ section: String, _ key: String) -> [String] {
        values(section, key).flatMap { unitWords($0.value) ?? [] }
    }

    /// A key's truth by systemd's words for it.
    func isTrue(_ section: String, _ key: String) -> Bool {
        ["1", "yes", "y", "true", "t", "on"].contains((value(section, key) ?? "").lowercased())
    }

    private func trimmed(_ text: Substring) -> Substring {
        var rest = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\u{FEFF}" }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
        return rest
    }
}
