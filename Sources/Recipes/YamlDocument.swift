internal import RootfsModel
import Yams

/// Bytes of a recipe file to its node: decoding, YAML's own rules, duplicate keys, aliases. Every mistake goes to the
/// reader; nil when nothing can be read.
///
/// Yams stops at the first duplicate key and copies what an alias names, so that a few lines ask for any amount
/// of memory. Both are kept from it by stand-ins: one private character in the place of an alias's `*`, and another in
/// the place of the first character of a key that comes twice. Lines and columns stay what they are, and the
/// stand-ins are taken out again when Yams' nodes become ours.
struct YamlDocument {
    /// A recipe is written by hand: the largest one known is 6 KiB.
    static let largestFile = 1 << 20
    static let mostValues = 200_000
    static let deepest = 32
    /// After so many duplicate keys the reading stops.
    static let mostDuplicates = 20

    private let file: Int
    private var text: RecipeText
    private var standIns: [Unicode.Scalar: Unicode.Scalar] = [:]
    private var aliasMark: Unicode.Scalar?
    private var anchors: [String: RecipeNode] = [:]

    private init(file: Int, text: RecipeText) {
        self.file = file
        self.text = text
    }

    static func read(_ bytes: [UInt8], path: String, into reader: inout RecipeReader) -> RecipeNode? {
        guard let decoded = decode(bytes, path: path, into: &reader) else { return nil }
        let text = RecipeText(path: path, text: decoded)
        let file = reader.add(text)
        if let bad = text.scalars.firstIndex(where: { !isAllowed($0) }) {
            let place = text.place(file: file, at: bad)
            reader.report(
                "character U+\(hexadecimal(text.scalars[bad].value)) is not allowed in a recipe", at: place,
                hint: "inside double quotes an escape such as \\x1b can stand for it")
            return nil
        }
        var document = YamlDocument(file: file, text: text)
        return document.compose(into: &reader)
    }

    /// The text of a file; mistakes that leave no text point to the file's beginning.
    private static func decode(_ bytes: [UInt8], path: String, into reader: inout RecipeReader) -> String? {
        func refuse(_ message: String, hint: String? = nil, before: ArraySlice<UInt8> = []) {
            let text = RecipeText(path: path, text: String(decoding: before, as: UTF8.self))
            let file = reader.add(text)
            reader.report(message, at: text.place(file: file, at: text.scalars.count), hint: hint)
        }
        if bytes.count > largestFile {
            refuse("the recipe has \(bytes.count) bytes; at most \(largestFile) are read")
            return nil
        }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        if let text = String(validating: content, as: UTF8.self) { return text }
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = content.makeIterator()
        var valid = 0
        decoding: while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let encoded): valid += encoded.count
            case .error, .emptyInput: break decoding
            }
        }
        let bad = content[(content.startIndex + valid)...].first ?? 0
        refuse(
            "byte 0x\(hexadecimal(UInt32(bad), digits: 2)) is not UTF-8", hint: "save the recipe as UTF-8",
            before: content.prefix(valid))
        return nil
    }

    /// YAML 1.1's printable characters.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF:
            true
        default: false
        }
    }

    private mutating func compose(into reader: inout RecipeReader) -> RecipeNode? {
        markAliases()
        var duplicates = 0
        while true {
            do {
                // `.basic` has no rules: nothing is read as a number, a date or a truth value.
                let yaml = String(String.UnicodeScalarView(text.scalars))
                let parser = try Yams.Parser(yaml: yaml, resolver: .basic, encoding: .utf8)
                guard let root = try parser.singleRoot() else {
                    reader.report(
                        "the recipe is empty", at: Place(file: file, line: 1, column: 1),
                        hint: "a recipe begins with `recipe: 1` and `name: …`")
                    return nil
                }
                // The nodes hold their anchors weakly; the parser owns them.
                return withExtendedLifetime(parser) {
                    guard let node = convert(root, depth: 1, into: &reader) else { return nil }
                    if node.size > Self.mostValues {
                        reader.report(
                            "the recipe has more than \(Self.mostValues) values with its aliases resolved",
                            at: node.place)
                        return nil
                    }
                    return node
                }
            } catch let error as YamlError {
                duplicates += 1
                if case .duplicatedKeysInMapping(let keys, let context) = error, duplicates <= Self.mostDuplicates,
                    hideKey(keys.first ?? "", line: context.mark.line, column: context.mark.column)
                {
                    continue
                }
                report(error, into: &reader)
                return nil
            } catch {
                reader.report("not valid YAML: \(error)", at: Place(file: file, line: 1, column: 1))
                return nil
            }
        }
    }

    // MARK: Stand-ins

    /// A private character that the text does not have.
    private mutating func makeStandIn(for scalar: Unicode.Scalar) -> Unicode.Scalar? {
        for value in UInt32(0xF0000)..<0xFFFFE {
            guard let candidate = Unicode.Scalar(value), standIns[candidate] == nil, !text.scalars.contains(candidate)
            else { continue }
            standIns[candidate] = scalar
            return candidate
        }
        return nil
    }

    /// Replaces every `*` that could begin an alias. One inside a text or a comment comes back as it was.
    private mutating func markAliases() {
        var candidates = [Int]()
        let scalars = text.scalars
        for index in scalars.indices.dropLast() where scalars[index] == "*" {
            let next = scalars[index + 1]
            guard next.isASCII, isAnchorByte(UInt8(next.value)) else { continue }
            if index == 0 || " \t\r\n[{,:?-\u{85}\u{2028}\u{2029}".unicodeScalars.contains(scalars[index - 1]) {
                candidates.append(index)
            }
        }
        guard !candidates.isEmpty, let mark = makeStandIn(for: "*") else { return }
        aliasMark = mark
        for index in candidates { text.replace(at: index, with: mark) }
    }

    /// Makes the key there different from its twin. False for keys whose first character cannot be told.
    private mutating func hideKey(_ key: String, line: Int, column: Int) -> Bool {
        guard var index = text.index(line: line, column: column) else { return false }
        if text.scalars[index] == "\"" || text.scalars[index] == "'" { index += 1 }
        guard index < text.scalars.count, let first = key.unicodeScalars.first, text.scalars[index] == first,
            first != "'" && first != "\\" && first != "\"", let mark = makeStandIn(for: first)
        else { return false }
        text.replace(at: index, with: mark)
        return true
    }

    /// A text of Yams without stand-ins.
    private func restore(_ string: String) -> String {
        if standIns.isEmpty || !string.unicodeScalars.contains(where: { standIns[$0] != nil }) { return string }
        return String(String.UnicodeScalarView(string.unicodeScalars.map { standIns[$0] ?? $0 }))
    }

    // MARK: Nodes

    private mutating func convert(_ node: Yams.Node, depth: Int, into reader: inout RecipeReader) -> RecipeNode? {
        let place = place(of: node)
        if depth > Self.deepest {
            reader.report("nested more than \(Self.deepest) levels deep", at: place)
            reader.hasGaps = true
            return nil
        }
        let result: RecipeNode?
        switch node {
        case .scalar(let scalar): result = convert(scalar, at: place, depth: depth, into: &reader)
        case .sequence(let sequence):
            checkTag(sequence.tag, "tag:yaml.org,2002:seq", at: place, into: &reader)
            var items = [RecipeNode]()
            for item in sequence {
                if let item = convert(item, depth: depth + 1, into: &reader) { items.append(item) }
            }
            result = RecipeNode(.list(items), at: place)
        case .mapping(let mapping):
            checkTag(mapping.tag, "tag:yaml.org,2002:map", at: place, into: &reader)
            result = convert(mapping, at: place, depth: depth, into: &reader)
        case .alias:
            // Not made by this parser: its aliases are copies, and ours never reach it.
            result = nil
        }
        if let anchor = node.anchor?.rawValue, let result { anchors[anchor] = result }
        return result
    }

    private mutating func convert(
        _ scalar: Yams.Node.Scalar, at place: Place, depth: Int, into reader: inout RecipeReader
    ) -> RecipeNode? {
        if scalar.style == .plain, let aliasMark, scalar.string.unicodeScalars.first == aliasMark {
            let name = String(restore(scalar.string).dropFirst())
            guard name.utf8.allSatisfy(isAnchorByte) else {
                reader.report(
                    "`*` begins an alias, and `\(shortened(name))` is not a name", at: place,
                    hint: "quote a text that begins with `*`")
                reader.hasGaps = true
                return nil
            }
            guard let target = anchors[name] else {
                reader.report(
                    "alias of an unknown anchor `\(name)`", at: place,
                    hint: nearestName(to: name, among: anchors.keys.sorted()).map { "did you mean `*\($0)`?" }
                        ?? "quote a text that begins with `*`")
                reader.hasGaps = true
                return nil
            }
            if depth + target.depth - 1 > Self.deepest {
                reader.report("nested more than \(Self.deepest) levels deep", at: place)
                reader.hasGaps = true
                return nil
            }
            return target
        }
        let name = scalar.tag.rawValue
        checkTag(scalar.tag, "tag:yaml.org,2002:str", at: place, into: &reader)
        let isPlain = scalar.style == .plain && name != "tag:yaml.org,2002:str"
        return RecipeNode(.scalar(.init(text: restore(scalar.string), isPlain: isPlain)), at: place)
    }

    private mutating func convert(
        _ mapping: Yams.Node.Mapping, at place: Place, depth: Int, into reader: inout RecipeReader
    ) -> RecipeNode {
        var entries = [RecipeNode.Entry]()
        var first: [String: Place] = [:]
        for (key, value) in mapping {
            let keyPlace = self.place(of: key)
            let value = convert(value, depth: depth + 1, into: &reader)
            guard case .scalar(let scalar) = key else {
                reader.report("a key must be text, found \(key.sequence == nil ? "a map" : "a list")", at: keyPlace)
                reader.hasGaps = true
                continue
            }
            if scalar.style == .plain && scalar.string == "<<" {
                reader.report(
                    "merge keys are not supported", at: keyPlace,
                    hint: "write the keys out, or put the shared part into a recipe that `from:` names")
                reader.hasGaps = true
                continue
            }
            if scalar.style == .plain, let aliasMark, scalar.string.unicodeScalars.first == aliasMark {
                reader.report("an alias cannot be a key", at: keyPlace, hint: "quote a text that begins with `*`")
                reader.hasGaps = true
                continue
            }
            let name = restore(scalar.string)
            if let earlier = first[name] {
                reader.report(
                    "duplicate key `\(shortened(name))`", at: keyPlace, notes: ["first in line \(earlier.line)"])
                continue
            }
            first[name] = keyPlace
            if let value { entries.append(.init(key: name, keyPlace: keyPlace, value: value)) }
        }
        return RecipeNode(.map(entries), at: place)
    }

    private func checkTag(_ tag: Yams.Tag, _ own: String, at place: Place, into reader: inout RecipeReader) {
        let name = tag.rawValue
        if name == own || name == Yams.Tag.implicit.rawValue { return }
        let shown = name.hasPrefix("tag:yaml.org,2002:") ? "!!" + name.dropFirst(18) : name
        reader.report("tags are not supported: `\(shortened(shown))`", at: place)
    }

    /// The place of a node's token, behind its anchor and tag.
    private func place(of node: Yams.Node) -> Place {
        var place = Place(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        var rest = text.rest(line: place.line, column: place.column)
        while let first = rest.first, first == "&" || first == "!" {
            let next = rest.drop { $0 != " " && $0 != "\t" }.drop { $0 == " " || $0 == "\t" }
            if next.isEmpty { break }
            place.column += next.startIndex - rest.startIndex
            rest = next
        }
        place.length = max(1, tokenLength(rest, of: node))
        return place
    }

    private func tokenLength(_ rest: ArraySlice<Unicode.Scalar>, of node: Yams.Node) -> Int {
        switch node {
        case .scalar(let scalar):
            switch (scalar.style, rest.first) {
            case (.doubleQuoted, "\""), (.singleQuoted, "'"):
                var index = rest.startIndex + 1
                while index < rest.endIndex {
                    if rest[index] == "\\" && scalar.style == .doubleQuoted {
                        index += 1
                    } else if rest[index] == rest[rest.startIndex] {
                        return index + 1 - rest.startIndex
                    }
                    index += 1
                }
                return rest.count
            case (.literal, _), (.folded, _): return 1
            default:
                // A plain text over several lines is longer than what stands in this one.
                let length = scalar.string.unicodeScalars.count
                return length <= rest.count ? length : trimmed(rest).count
            }
        case .mapping(let mapping) where rest.first != "{":
            return mapping.first.map { tokenLength(rest, of: $0.key) } ?? 1
        default: return 1
        }
    }

    private func trimmed(_ rest: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        var rest = rest
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }

    // MARK: Yams' mistakes

    private func report(_ error: YamlError, into reader: inout RecipeReader) {
        func at(_ mark: Mark) -> Place { Place(file: file, line: mark.line, column: mark.column) }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if problem == "but found another document" {
                reader.report("a recipe is one document, found another", at: at(mark))
                return
            }
            if problem == "found unexpected end of stream", let context {
                reader.report("not valid YAML: a quote is not closed", at: at(context.mark))
                return
            }
            let notes = context.map { ["\($0.text), which begins in line \($0.mark.line)"] } ?? []
            reader.report(
                "not valid YAML: \(problem)", at: at(mark), notes: notes, hint: hint(for: problem, at: mark))
        case .reader(let problem, _, _, _):
            reader.report("not valid YAML: \(problem)", at: Place(file: file, line: 1, column: 1))
        case .duplicatedKeysInMapping(let keys, let context):
            reader.report("duplicate key `\(shortened(restore(keys.first ?? "")))`", at: at(context.mark))
        default:
            reader.report("not valid YAML: \(error)", at: Place(file: file, line: 1, column: 1))
        }
    }

    private func hint(for problem: String, at mark: Mark) -> String? {
        let found = text.rest(line: mark.line, column: mark.column).first
        switch problem {
        case "found character that cannot start any token":
            return found == "\t"
                ? "indent with blanks, not with tabs" : "quote a text that begins with `\(found ?? " ")`"
        case "mapping values are not allowed in this context":
            return "quote a text that has `: ` in it; or the line is indented too far"
        case "did not find expected key", "did not find expected '-' indicator", "could not find expected ':'":
            return "check the indentation of this line and of the ones above it"
        case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
            let line = String(String.UnicodeScalarView(text.rest(line: mark.line, column: 1).prefix(mark.column)))
            return line.contains("${") ? "quote a text that has `${…}` in it inside of braces or brackets" : nil
        default: return nil
        }
    }
}

/// What names of anchors and aliases are made of.
private func isAnchorByte(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
}

private func hexadecimal(_ value: UInt32, digits: Int = 4) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
