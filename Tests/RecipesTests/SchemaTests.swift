import Foundation
import Recipes
import RootfsModel
import TestSupport
import Testing

/// A JSON value.
indirect enum JSON: Codable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
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

    func encode(to encoder: any Encoder) throws {
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

    init(text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
    }

    subscript(_ key: String) -> JSON? {
        if case .object(let members) = self { members[key] } else { nil }
    }
}

/// The part of JSON Schema 2020-12 that the recipe's schema uses; any other keyword is an error.
struct SchemaValidator {
    struct UnknownKeyword: Error { var name: String }

    var root: JSON
    private var expressions: [String: NSRegularExpression] = [:]

    init(root: JSON) { self.root = root }

    mutating func accepts(_ value: JSON) throws -> Bool { try accepts(value, root) }

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

/// One change somewhere in a JSON value.
func mutate(_ value: JSON, _ generator: inout SeededGenerator) -> JSON {
    let others: [JSON] = [
        .null, .bool(true), .number(7), .number(1.5), .string("x"), .string("1GiB"), .string("/x"), .string("${v}"),
        .string(""),
        .string("Ä b"), .array([]), .array([.string("x")]), .object([:]), .object(["x": .string("y")]), .string("none"),
        .string("yes"), .string("0755"),
    ]
    if Int.random(in: 0..<6, using: &generator) == 0 { return others.randomElement(using: &generator)! }
    switch value {
    case .object(var members):
        guard let key = members.keys.sorted().randomElement(using: &generator) else { return .object(["x": .null]) }
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: members[key] = nil
        case 1: members[key + "x"] = members[key]
        case 2: members[key.uppercased()] = members.removeValue(forKey: key)
        default: members[key] = mutate(members[key]!, &generator)
        }
        return .object(members)
    case .array(var items):
        guard let index = items.indices.randomElement(using: &generator) else { return .array([.null]) }
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: items.remove(at: index)
        case 1: items.append(items[index])
        default: items[index] = mutate(items[index], &generator)
        }
        return .array(items)
    default: return others.randomElement(using: &generator)!
    }
}

@Suite struct Schema {
    @Test func isPinned() throws {
        #expect(RecipeSchema.text == RecipeSchema.text)
        try expectGolden(RecipeSchema.text, "recipe.schema.json")
    }

    @Test func acceptsTheExampleAndRandomRecipes() throws {
        var validator = SchemaValidator(root: try JSON(text: RecipeSchema.text))
        #expect(try validator.accepts(try JSON(text: try load(example).canonicalForm)))
        for seed in UInt64(1)...60 {
            let recipe = try load(RandomRecipe(seed: seed).parts.joined(separator: "\n") + "\n")
            #expect(try validator.accepts(try JSON(text: recipe.canonicalForm)), "seed \(seed)")
        }
    }

    @Test func refusesWhatTheReadingRefusesOfForm() throws {
        var validator = SchemaValidator(root: try JSON(text: RecipeSchema.text))
        let start =
            #""recipe": 1, "name": "a", "archive": {"suite": "bookworm"}, "layers": [{"name": "a", "packages": ["dbus"]}]"#
        #expect(try validator.accepts(try JSON(text: "{\(start)}")))
        for rest in [
            #""machin": {}"#, #""image": {"free": "1GiB", "size": "2GiB"}"#, #""kernel": {}"#,
            #""kernel": "linux"# + "\"",
            #""kernel": {"package": "a1", "file": "b"}"#, #""machine": {"vcpus": 0}"#, #""machine": {"memory": 5}"#,
            #""image": {"journal": "yes"}"#,
            #""services": {"web": {"user": "a"}}"#, #""services": {"a b": {"command": ["/a"]}}"#, #""remove": "/a""#,
            #""node": {"package": "A"}"#,
        ] {
            let text = "{\(start), \(rest)}"
            #expect(try !validator.accepts(try JSON(text: text)), "\(rest)")
            #expect(mistakes(text) != "none", "\(rest)")
        }
        #expect(try !validator.accepts(try JSON(text: #"{"recipe": 1, "name": "a"}"#)))
        #expect(
            try validator.accepts(
                try JSON(text: #"{"recipe": 1, "from": "b", "services": {"a": null, "b": {"user": "x"}}}"#)))
    }

    /// What the reading accepts the schema accepts: it never marks a good recipe in an editor.
    @Test(arguments: [UInt64](1...12)) func acceptsEveryChangedRecipeThatTheReadingAccepts(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var validator = SchemaValidator(root: try JSON(text: RecipeSchema.text))
        var start = try JSON(text: try load(example).canonicalForm)
        if seed % 3 == 0 {
            start = try JSON(
                text: try load(RandomRecipe(seed: seed).parts.joined(separator: "\n") + "\n").canonicalForm)
        }
        if case .object(var members) = start {
            members["variables"] = .object(["v": .string("x")])
            start = .object(members)
        }
        var accepted = 0
        var refused = 0
        for _ in 0..<150 {
            let value = mutate(start, &generator)
            if mistakes(value.text) == "none" {
                accepted += 1
                #expect(try validator.accepts(value), "seed \(seed): \(value.text)")
            } else if try !validator.accepts(value) {
                refused += 1
            }
        }
        #expect(accepted > 0 && refused > 0, "seed \(seed)")
    }
}
