internal import RootfsModel

/// What `${name}` means in a recipe and in the templates of its overlays.
///
/// `${name}` is replaced by the variable's value, `$${` is a literal `${`, every other `$` stands for itself. Values
/// come from the recipe's `variables:` (a base's first) and `--set`; predefined is `name`, the recipe's name.
public struct Variables: Hashable, Sendable {
    private var values: [String: String]

    public struct Variable: Hashable, Sendable {
        public var name: String
        public var value: String
    }

    /// The last of several values for a name holds.
    public init(_ values: [(name: String, value: String)] = []) {
        self.values = Dictionary(values.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// Sorted by name.
    public var all: [Variable] {
        values.map { Variable(name: $0.key, value: $0.value) }.sorted { $0.name < $1.name }
    }

    public subscript(name: String) -> String? { values[name] }

    public var names: [String] { all.map(\.name) }

    /// The text with its variables put in. Throws the first mistake; `offset` counts the UTF-8 bytes before it.
    public func expand(_ text: String) throws(Mistake) -> String {
        try expandVariables(in: text) { self[$0] }
    }

    /// What is wrong with a `${…}`.
    public struct Mistake: Error, Hashable, Sendable {
        public enum Reason: Hashable, Sendable {
            case unclosed
            case badName(String)
            case undefined(String)
            /// Its value leads back to itself: the names on the way.
            case circular([String])
            case tooLong
            /// Variables that need variables, more than fifty in a row.
            case tooDeep
        }

        public var reason: Reason
        /// Where the `${` stands, in UTF-8 bytes.
        public var offset: Int
        /// The `${…}` as written.
        public var text: String

        /// What went wrong, as a Failure's message says it.
        public var message: String {
            switch reason {
            case .unclosed: "`${` without a closing brace"
            case .badName(let name): name.isEmpty ? "`${}` names no variable" : "`\(name)` is not a variable's name"
            case .undefined(let name): "undefined variable `\(name)`"
            case .circular(let names): "variables that need each other: \(names.joined(separator: " → "))"
            case .tooDeep: "variables that need variables, more than \(deepestExpansion) in a row"
            case .tooLong: "longer than \(longestExpansion / 1024) KiB with its variables put in"
            }
        }

        /// What to do about it, for variables of these names.
        public func hint(names: [String]) -> String? {
            switch reason {
            case .undefined(let name):
                nearestName(to: name, among: names).map { "did you mean `${\($0)}`?" }
                    ?? "define it under `variables:`, or write `$${` for a literal `${`"
            case .unclosed, .badName: "write `$${` for a literal `${`"
            case .circular, .tooLong, .tooDeep: nil
            }
        }
    }
}

/// No text grows beyond this by its variables: a few lines of variables could otherwise ask for gigabytes.
let longestExpansion = 1 << 20
let deepestExpansion = 50

/// Whether this can be a variable's name: letters, digits, `_`, `-` and `.`, beginning with a letter or `_`.
func isVariableName(_ name: some StringProtocol) -> Bool {
    guard let first = name.utf8.first, isLetter(first) || first == UInt8(ascii: "_") else { return false }
    return name.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_-.".utf8.contains($0) }
}

/// Puts variables into a text; `value` gives nil for an undefined one.
func expandVariables(
    in text: String, value: (String) throws(Variables.Mistake) -> String?
) throws(Variables.Mistake) -> String {
    let bytes = Array(text.utf8)
    let dollar = UInt8(ascii: "$")
    let open = UInt8(ascii: "{")
    let close = UInt8(ascii: "}")
    var result = [UInt8]()
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
        guard bytes[index] == dollar, index + 1 < bytes.count else {
            result.append(bytes[index])
            index += 1
            continue
        }
        if bytes[index + 1] == dollar, index + 2 < bytes.count, bytes[index + 2] == open {
            result += [dollar, open]
            index += 3
        } else if bytes[index + 1] == open {
            guard let end = bytes[index...].firstIndex(of: close) else {
                throw Variables.Mistake(reason: .unclosed, offset: index, text: "${")
            }
            let name = String(decoding: bytes[(index + 2)..<end], as: UTF8.self)
            let written = "${" + name + "}"
            guard isVariableName(name) else {
                throw Variables.Mistake(reason: .badName(name), offset: index, text: written)
            }
            guard let value = try value(name) else {
                throw Variables.Mistake(reason: .undefined(name), offset: index, text: written)
            }
            result += Array(value.utf8)
            if result.count > longestExpansion {
                throw Variables.Mistake(reason: .tooLong, offset: index, text: written)
            }
            index = end + 1
        } else {
            result.append(dollar)
            index += 1
        }
    }
    return String(decoding: result, as: UTF8.self)
}

/// The text that expands to this one.
func escapingVariables(_ text: String) -> String {
    var result = ""
    var rest = Substring(text)
    while let range = rest.firstRange(of: "${") {
        result += rest[..<range.lowerBound]
        result += "$${"
        rest = rest[range.upperBound...]
    }
    return result + rest
}

func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
}

func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
