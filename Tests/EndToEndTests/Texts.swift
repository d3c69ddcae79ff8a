import FoundationEssentials
import RootfsModel
import Testing

/// A log without what differs from run to run: times, durations, amounts of bytes.
func untimed(_ text: String) -> String {
    text.replacing(#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /#, with: "").replacing(#/ \(\d+\.\d+ s\)/#, with: "")
        .replacing(#/\d+(\.\d+)? [kMG]?B\b/#, with: "#")
}

/// A JSON value, to look into.
enum JSON: Equatable {
    case object([String: JSON])
    case array([JSON])
    case text(String)
    case number(Double)
    case boolean(Bool)
    case null

    init(_ text: String) throws {
        self = try JSONDecoder().decode(Decoded.self, from: Data(text.utf8)).value
    }

    subscript(key: String) -> JSON {
        if case .object(let members) = self { members[key] ?? .null } else { .null }
    }

    var list: [JSON] { if case .array(let values) = self { values } else { [] } }
    var string: String? { if case .text(let text) = self { text } else { nil } }
    /// The `name` of each value of a list.
    var names: [String?] { list.map { $0["name"].string } }

    private struct Decoded: Decodable {
        let value: JSON

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                value = .null
            } else if let boolean = try? container.decode(Bool.self) {
                value = .boolean(boolean)
            } else if let number = try? container.decode(Double.self) {
                value = .number(number)
            } else if let text = try? container.decode(String.self) {
                value = .text(text)
            } else if let values = try? container.decode([Decoded].self) {
                value = .array(values.map(\.value))
            } else {
                value = .object(try container.decode([String: Decoded].self).mapValues(\.value))
            }
        }
    }
}

/// Compares two texts whole; a failing test shows both.
func same(
    _ actual: String, _ expected: String, _ note: String = "", sourceLocation: Testing.SourceLocation = #_sourceLocation
) {
    #expect(actual == expected, "\(note)", sourceLocation: sourceLocation)
}
