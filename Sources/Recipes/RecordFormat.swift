internal import RootfsModel

/// One key of a record: its name, what it is for, and the format of its value. Everything that knows the key follows
/// from this one declaration.
struct RecipeKey<Owner: Sendable>: Sendable {
    let name: String
    let summary: String
    let isRequired: Bool
    let schema: JSONText
    let partialSchema: JSONText
    let read: @Sendable (RecipeNode, inout RecipeReader, inout Owner) -> Void
    let write: @Sendable (Owner) -> JSONText?
    let merge: @Sendable (RecipeNode, RecipeNode) -> RecipeNode

    init<Value: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Owner, Value> & Sendable, _ format: ValueFormat<Value>,
        required: Bool = false, _ summary: String
    ) {
        self.name = name
        self.summary = summary
        isRequired = required
        schema = format.schema
        partialSchema = format.partialSchema
        read = { node, reader, owner in
            if let value = format.read(node, &reader) { owner[keyPath: path] = value }
        }
        write = { format.write($0[keyPath: path]) }
        merge = format.merge
    }

    init<Value: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Owner, Value?> & Sendable, _ format: ValueFormat<Value>,
        required: Bool = false, _ summary: String
    ) {
        self.name = name
        self.summary = summary
        isRequired = required
        schema = format.schema
        partialSchema = format.partialSchema
        read = { node, reader, owner in
            if let value = format.read(node, &reader) { owner[keyPath: path] = value }
        }
        write = { $0[keyPath: path].flatMap(format.write) }
        merge = format.merge
    }
}

/// Keys of which at most one, or exactly one, is written.
struct KeyGroup: Sendable {
    var names: [String]
    var isRequired: Bool
}

extension ValueFormat {
    /// A map with known keys. `noun` names it in messages: `a layer`. `finish` checks the whole; it sees the place of
    /// the record and its values, which keep their defaults where they could not be read.
    static func record(
        _ noun: String, keys: [RecipeKey<Value>], oneOf groups: [KeyGroup] = [],
        initial: @escaping @Sendable () -> Value,
        finish: @escaping @Sendable (inout Value, RecipeNode, inout RecipeReader) -> Void = { _, _, _ in }
    ) -> Self {
        Self(
            schema: recordSchema(keys: keys, groups: groups, isPartial: false),
            partialSchema: recordSchema(keys: keys, groups: groups, isPartial: true),
            read: { node, reader in
                guard let entries = node.entries else {
                    reader.report(expected: "\(noun) with its keys", found: node)
                    return nil
                }
                var value = initial()
                checkKeys(entries, of: noun, keys: keys, groups: groups, at: node.place, into: &reader)
                // In the table's order, so that a key that others build on comes first.
                for key in keys {
                    guard let entry = entries.first(where: { $0.key == key.name }), !entry.value.isNull else {
                        continue
                    }
                    // A map's place is its first key; a mistake about all of it belongs to its name.
                    var written = entry.value
                    if written.entries != nil { written.place = entry.keyPlace }
                    key.read(written, &reader, &value)
                }
                finish(&value, node, &reader)
                return value
            },
            write: { value in
                let members = keys.compactMap { key in key.write(value).map { JSONText.Member(key.name, $0) } }
                return .object(members.sorted { $0.name < $1.name })
            },
            merge: { base, over in
                // Where one of a group is written, a base's choice falls.
                var base = base
                if let entries = base.entries, let new = over.entries {
                    let fallen = groups.flatMap { group in
                        new.contains { group.names.contains($0.key) && !$0.value.isNull } ? group.names : []
                    }
                    let left = entries.filter { entry in
                        !fallen.contains(entry.key) || new.contains { $0.key == entry.key }
                    }
                    base = RecipeNode(.map(left), at: base.place)
                }
                return mergeMaps(base, over) { name, first, second in
                    keys.first { $0.name == name }.map { $0.merge(first, second) } ?? second
                }
            })
    }

    private static func checkKeys(
        _ entries: [RecipeNode.Entry], of noun: String, keys: [RecipeKey<Value>], groups: [KeyGroup], at place: Place,
        into reader: inout RecipeReader
    ) {
        let names = keys.map(\.name)
        let nameSet = Set(names)
        for entry in entries where !nameSet.contains(entry.key) {
            let nearest = reader.nearest(to: entry.key, among: names)
            reader.report(
                "unknown key `\(shortened(entry.key))` in \(noun)", at: entry.keyPlace,
                hint: nearest.map { "did you mean `\($0)`?" } ?? "known here: \(names.joined(separator: ", "))")
        }
        for key in keys where key.isRequired {
            if let entry = entries.first(where: { $0.key == key.name }) {
                if entry.value.isNull { reader.report("`\(key.name)` is empty", at: entry.keyPlace) }
            } else {
                reader.report("\(noun) needs `\(key.name)`", at: place, hint: "`\(key.name)`: \(key.summary)")
            }
        }
        for group in groups {
            let written = entries.filter { group.names.contains($0.key) && !$0.value.isNull }
            let choices = group.names.map { "`\($0)`" }.joined(separator: ", ")
            if written.isEmpty && group.isRequired {
                reader.report("\(noun) needs one of \(choices)", at: place)
            }
            for extra in written.dropFirst() {
                reader.report(
                    "`\(extra.key)` and `\(written[0].key)` exclude each other", at: extra.keyPlace,
                    hint: "\(noun) has one of \(choices)")
            }
        }
    }

    /// A partial record may leave to its base what it needs.
    private static func recordSchema(keys: [RecipeKey<Value>], groups: [KeyGroup], isPartial: Bool) -> JSONText {
        var members: [JSONText.Member] = [.init("type", .string("object"))]
        let properties = keys.map { key in
            var schema = isPartial ? key.partialSchema : key.schema
            // Nothing, or null, stands for the default where there is one.
            if isPartial || !key.isRequired { schema = .anyOf([schema, nullSchema]) }
            if case .object(let own) = schema {
                schema = .object([.init("description", .string(key.summary))] + own)
            }
            return JSONText.Member(key.name, schema)
        }
        members.append(.init("properties", .object(properties)))
        members.append(.init("additionalProperties", .bool(false)))
        let required = keys.filter { $0.isRequired && !isPartial }.map { JSONText.string($0.name) }
        if !required.isEmpty { members.append(.init("required", .array(required))) }
        var rules = [JSONText]()
        for group in groups {
            for (index, name) in group.names.enumerated() {
                for other in group.names[(index + 1)...] {
                    rules.append(.object([.init("not", writtenSchema([name, other]))]))
                }
            }
            if group.isRequired && !isPartial { rules.append(.anyOf(group.names.map { writtenSchema([$0]) })) }
        }
        if !rules.isEmpty { members.append(.init("allOf", .array(rules))) }
        return .object(members)
    }

    /// That these keys are there and say something.
    private static func writtenSchema(_ names: [String]) -> JSONText {
        .object([
            .init("required", .array(names.map { .string($0) })),
            .init("properties", .object(names.map { .init($0, .object([.init("not", nullSchema)])) })),
        ])
    }
}

private let nullSchema = JSONText.object([.init("type", .string("null"))])

extension RecipeNode {
    /// The value of a map's key.
    func value(_ key: String) -> RecipeNode? {
        entries?.first { $0.key == key }?.value
    }

    /// The items of the list that a map's key has; none where it has none.
    func items(_ key: String) -> [RecipeNode] {
        if case .list(let items) = value(key)?.content { items } else { [] }
    }

    var isList: Bool {
        if case .list = content { true } else { false }
    }

    /// A scalar's text.
    var text: String? {
        if case .scalar(let scalar) = content { scalar.text } else { nil }
    }
}

extension ValueFormat {
    /// One of an enumeration's words.
    static func choice(_ noun: String) -> Self
    where Value: CaseIterable & RawRepresentable & Hashable, Value.RawValue == String {
        let words = Value.allCases.map(\.rawValue)
        return parsed(
            "a \(noun): \(words.joined(separator: ", "))", pattern: wordPattern(words), write: \.rawValue
        ) { text, reader, place in
            if let value = Value(rawValue: text) { return value }
            let mistake = unknownWord(text, noun: noun, words: words)
            reader.report(mistake.message, at: place, hint: mistake.hint)
            return nil
        }
    }

    /// The same list with at least one item.
    func notEmpty<Item>(_ noun: String) -> Self where Value == [Item] {
        var format = self
        format.read = { node, reader in
            if case .list(let items) = node.content, items.isEmpty {
                reader.report("the list of \(noun) is empty", at: node.place)
            }
            return read(node, &reader)
        }
        return format
    }

    /// The same list; no two items have the same text under a key.
    func unique<Item>(_ noun: String, key: String) -> Self where Value == [Item] {
        var format = self
        format.read = { node, reader in
            if case .list(let items) = node.content {
                var first: [String: Place] = [:]
                for item in items {
                    guard let name = item.value(key), let text = name.text else { continue }
                    if let earlier = first[text] {
                        reader.report(
                            "duplicate \(noun) `\(shortened(text))`", at: name.place,
                            notes: ["first in \(reader.describe(earlier, from: name.place))"])
                    } else {
                        first[text] = name.place
                    }
                }
            }
            return read(node, &reader)
        }
        return format
    }
}

extension RecipeReader {
    /// `line 3`, with the file where it is another.
    func describe(_ place: Place, from other: Place) -> String {
        place.file == other.file ? "line \(place.line)" : "\(texts[place.file].path), line \(place.line)"
    }
}
