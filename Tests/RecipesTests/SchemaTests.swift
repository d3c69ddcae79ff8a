import Foundation
import Recipes
import RootfsModel
import TestSupport
import Testing

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
