import Foundation

/// A JSON value.
public indirect enum JSON: Codable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try value == value.rounded() ? container.encode(Int(value)) : container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    public init(text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    public var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
    }

    public subscript(_ key: String) -> JSON? {
        if case .object(let members) = self { members[key] } else { nil }
    }
}

/// The part of JSON Schema 2020-12 that our schemas use; any other keyword is an error.
public struct SchemaValidator {
    public struct UnknownKeyword: Error { public var name: String }

    public var root: JSON
    private var expressions: [String: NSRegularExpression] = [:]

    public init(root: JSON) { self.root = root }

    public mutating func accepts(_ value: JSON) throws -> Bool { try accepts(value, root) }

    private mutating func accepts(_ value: JSON, _ schema: JSON) throws -> Bool {
        if case .bool(let verdict) = schema { return verdict }
        guard case .object(let keywords) = schema else { throw UnknownKeyword(name: "\(schema)") }
        for (name, argument) in keywords {
            guard try holds(name, argument, value, schema) else { return false }
        }
        return true
    }

    private mutating func holds(_ name: String, _ argument: JSON, _ value: JSON, _ schema: JSON) throws -> Bool {
        switch (name, argument) {
        case ("$schema", _), ("title", _), ("description", _), ("$defs", _), ("then", _), ("else", _): return true
        case ("$ref", .string(let path)):
            let target = path.dropFirst(2).split(separator: "/").reduce(root) { $0[String($1)] ?? .bool(false) }
            return try accepts(value, target)
        case ("type", .string(let type)): return Self.types(value).contains(type)
        case ("type", .array(let types)):
            return types.contains { type in Self.types(value).contains { .string($0) == type } }
        case ("const", let expected): return value == expected
        case ("enum", .array(let values)): return values.contains(value)
        case ("pattern", .string(let pattern)):
            guard case .string(let text) = value else { return true }
            let expression = try expressions[pattern] ?? NSRegularExpression(pattern: pattern)
            expressions[pattern] = expression
            return expression.firstMatch(in: text, range: NSRange(location: 0, length: text.utf16.count)) != nil
        case ("minimum", .number(let bound)):
            if case .number(let number) = value { return number >= bound } else { return true }
        case ("maximum", .number(let bound)):
            if case .number(let number) = value { return number <= bound } else { return true }
        case ("items", let items):
            guard case .array(let values) = value else { return true }
            for item in values where try !accepts(item, items) { return false }
            return true
        case ("properties", .object(let properties)):
            guard case .object(let members) = value else { return true }
            for (key, schema) in properties {
                if let member = members[key], try !accepts(member, schema) { return false }
            }
            return true
        case ("additionalProperties", let rest):
            guard case .object(let members) = value else { return true }
            for (key, member) in members where schema["properties"]?[key] == nil {
                if try !accepts(member, rest) { return false }
            }
            return true
        case ("propertyNames", let names):
            guard case .object(let members) = value else { return true }
            for key in members.keys where try !accepts(.string(key), names) { return false }
            return true
        case ("required", .array(let names)):
            guard case .object(let members) = value else { return true }
            return names.allSatisfy { name in members.keys.contains { .string($0) == name } }
        case ("anyOf", .array(let choices)):
            for choice in choices where try accepts(value, choice) { return true }
            return false
        case ("allOf", .array(let rules)):
            for rule in rules where try !accepts(value, rule) { return false }
            return true
        case ("not", let other): return try !accepts(value, other)
        case ("if", let condition):
            let branch = try accepts(value, condition) ? "then" : "else"
            return try schema[branch].map { try accepts(value, $0) } ?? true
        default: throw UnknownKeyword(name: name)
        }
    }

    private static func types(_ value: JSON) -> [String] {
        switch value {
        case .null: ["null"]
        case .bool: ["boolean"]
        case .number(let number): number == number.rounded() ? ["number", "integer"] : ["number"]
        case .string: ["string"]
        case .array: ["array"]
        case .object: ["object"]
        }
    }
}
