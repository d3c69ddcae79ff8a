/// What a `License` line says: names joined by `and` and `or` (copyright-format 1.0, section 7.2). `and` binds closer;
/// a comma is weaker than both: `A or B, and C` is C with either of A and B.
public indirect enum LicenceExpression: Hashable, Sendable {
    /// As written, an exception behind `with` included.
    case name(String)
    case all([LicenceExpression])
    case any([LicenceExpression])

    /// No licence's name is longer, in bytes: such a line is taken for one name, its beginning.
    private static let longest = 4096

    /// nil for a text without a name.
    public init?(parsing text: String) {
        if text.utf8.count > Self.longest {
            self = .name(String(text.prefix(80)))
            return
        }
        var parser = LicenceParser(text)
        guard let expression = parser.list(depth: 0) else { return nil }
        self = expression
    }

    /// Every name, in the order of the text, each once.
    public var names: [String] {
        var seen = Set<String>()
        return allNames.filter { seen.insert($0).inserted }
    }

    private var allNames: [String] {
        switch self {
        case .name(let name): [name]
        case .all(let parts), .any(let parts): parts.flatMap(\.allNames)
        }
    }

    /// Both; what says the same is said once.
    static func all(of parts: [LicenceExpression]) -> LicenceExpression { parts.count == 1 ? parts[0] : .all(parts) }

    /// As an SPDX expression (SPDX 2.3, annex D). Parts are sorted and each stands once, so that equal terms are equal
    /// texts.
    ///
    /// - Parameter identifier: what stands for a name: an SPDX expression, or a LicenseRef.
    func spdx(_ identifier: (String) -> String) -> String {
        switch self {
        case .name(let name): identifier(name)
        case .all: joined(" AND ", flattened(isAll: true).map { $0.spdx(identifier) }, around: " OR ")
        case .any: joined(" OR ", flattened(isAll: false).map { $0.spdx(identifier) }, around: " AND ")
        }
    }

    private func flattened(isAll: Bool) -> [LicenceExpression] {
        switch (self, isAll) {
        case (.all(let parts), true), (.any(let parts), false): parts.flatMap { $0.flattened(isAll: isAll) }
        default: [self]
        }
    }

    private func joined(_ word: String, _ parts: [String], around other: String) -> String {
        let parts = Set(parts).sorted()
        if parts.count == 1 { return parts[0] }
        return parts.map { $0.contains(other) ? "(\($0))" : $0 }.joined(separator: word)
    }
}

/// Recursive descent over the words of a `License` line.
private struct LicenceParser {
    private enum Token: Equatable {
        case word(String)
        case and, or, comma, open, close
    }

    private var tokens: [Token] = []
    private var position = 0
    /// Deeper brackets are part of a name: no licence needs them.
    private static let mostDepth = 8
    private static let marks: [Character: Token] = [",": .comma, ";": .comma, "(": .open, ")": .close]

    init(_ text: String) {
        var word = ""
        func token(_ word: String) -> Token {
            switch word.lowercased() {
            case "and", "&": .and
            case "or", "|", "and/or": .or
            default: .word(word)
            }
        }
        var tokens = [Token]()
        for character in text {
            let mark = Self.marks[character]
            if mark == nil && !character.isWhitespace {
                word.append(character)
                continue
            }
            if !word.isEmpty { tokens.append(token(word)) }
            word = ""
            if let mark { tokens.append(mark) }
        }
        if !word.isEmpty { tokens.append(token(word)) }
        self.tokens = tokens
    }

    private var next: Token? { position < tokens.count ? tokens[position] : nil }

    private mutating func take(_ token: Token) -> Bool {
        guard next == token else { return false }
        position += 1
        return true
    }

    /// Terms with commas between them. A comma alone means what the next one that has a word means; without any, that
    /// all hold.
    mutating func list(depth: Int) -> LicenceExpression? {
        var terms = [(isAny: Bool?, term: LicenceExpression)]()
        var isAny: Bool?
        while true {
            if let term = alternatives(depth: depth) { terms.append((isAny, term)) }
            if take(.comma) {
                isAny = take(.and) ? false : take(.or) ? true : nil
                continue
            }
            // A bracket that was never opened, or words behind one that was closed: they count too.
            isAny = nil
            if take(.close) && depth > 0 || next == nil { break }
        }
        guard var result = terms.first?.term else { return nil }
        for index in terms.indices.dropFirst() {
            var kind = terms[index...].lazy.compactMap(\.isAny).first
            // `A, B or C`
            if kind == nil, case .any = terms[terms.count - 1].term { kind = true }
            result = kind == true ? .any([result, terms[index].term]) : .all([result, terms[index].term])
        }
        return result
    }

    private mutating func alternatives(depth: Int) -> LicenceExpression? {
        var terms = [LicenceExpression]()
        repeat { if let term = conjunction(depth: depth) { terms.append(term) } } while take(.or)
        return terms.count < 2 ? terms.first : .any(terms)
    }

    private mutating func conjunction(depth: Int) -> LicenceExpression? {
        var terms = [LicenceExpression]()
        repeat { if let term = primary(depth: depth) { terms.append(term) } } while take(.and)
        return terms.count < 2 ? terms.first : .all(terms)
    }

    private mutating func primary(depth: Int) -> LicenceExpression? {
        if next == .open, depth < Self.mostDepth {
            position += 1
            return list(depth: depth + 1)
        }
        var words = [String]()
        while let token = next {
            switch token {
            case .word(let word): words.append(word)
            case .open:
                // `BSD (3 clause)`: a remark, and part of the name.
                var remark = [String]()
                while let token = next, token != .close {
                    if case .word(let word) = token { remark.append(word) }
                    position += 1
                }
                words.append("(\(remark.joined(separator: " ")))")
            default: return words.isEmpty ? nil : .name(words.joined(separator: " "))
            }
            if position < tokens.count { position += 1 }
        }
        return words.isEmpty ? nil : .name(words.joined(separator: " "))
    }
}
