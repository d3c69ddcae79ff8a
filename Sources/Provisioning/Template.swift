internal import Recipes
internal import RootfsModel

/// A template's text with every `${name}` replaced; `$${` gives `${`, any other dollar is itself. Throws every
/// mistake with its place in the file.
func filledIn(_ bytes: [UInt8], name: String, variables: Variables) throws(Failures) -> [UInt8] {
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
        throw Failures([Failure("\(name) is a template, but no text: it is not UTF-8, or holds a NUL")])
    }
    let source = SourceText(name: name, text: text)
    var mistakes = [Failure]()
    var result = ""
    var rest = text[...]
    var line = 1
    var column = 1
    func advance(_ taken: Substring) {
        for character in taken {
            if character.isNewline {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        rest = rest[taken.endIndex...]
    }
    while let dollar = rest.firstIndex(of: "$") {
        result += rest[..<dollar]
        advance(rest[..<dollar])
        if rest.hasPrefix("$${") {
            result += "${"
            advance(rest.prefix(3))
            continue
        }
        guard rest.hasPrefix("${") else {
            result += "$"
            advance(rest.prefix(1))
            continue
        }
        let lineEnd = rest.firstIndex(where: \.isNewline) ?? rest.endIndex
        guard let close = rest[..<lineEnd].firstIndex(of: "}") else {
            mistakes.append(
                Failure(
                    "'${' without its '}'", at: source.location(line: line, column: column, length: 2),
                    hint: "write $${ for the characters themselves"))
            advance(rest.prefix(2))
            continue
        }
        let variable = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<close])
        let whole = rest[...close]
        if let value = variables[variable] {
            result += value
        } else {
            let meant = nearestName(to: variable, among: variables.names)
            mistakes.append(
                Failure(
                    "no variable is named \(quoted(variable))",
                    at: source.location(line: line, column: column, length: whole.count),
                    hint: (meant.map { "did you mean \($0)? " } ?? "define it under variables:. ")
                        + "write $${ for the characters themselves"))
        }
        advance(whole)
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return Array((result + rest).utf8)
}
