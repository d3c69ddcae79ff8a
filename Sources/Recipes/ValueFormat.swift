internal import RootfsModel

/// How one kind of value is written in a recipe: its reading, its canonical form, its schema and what becomes of a
/// base recipe's value when another recipe writes one too.
struct ValueFormat<Value: Sendable>: Sendable {
    var schema: JSONText
    /// The schema in a recipe that has a base: what is not written here may stand there.
    var partialSchema: JSONText
    /// nil after the mistake was reported.
    var read: @Sendable (RecipeNode, inout RecipeReader) -> Value?
    /// nil for what is not written out.
    var write: @Sendable (Value) -> JSONText?
    var merge: @Sendable (_ base: RecipeNode, _ over: RecipeNode) -> RecipeNode

    init(
        schema: JSONText, partialSchema: JSONText? = nil,
        read: @escaping @Sendable (RecipeNode, inout RecipeReader) -> Value?,
        write: @escaping @Sendable (Value) -> JSONText?,
        merge: @escaping @Sendable (_ base: RecipeNode, _ over: RecipeNode) -> RecipeNode = { $1 }
    ) {
        self.schema = schema
        self.partialSchema = partialSchema ?? schema
        self.read = read
        self.write = write
        self.merge = merge
    }
}

extension JSONText {
    static func anyOf(_ choices: [JSONText]) -> JSONText { .object([.init("anyOf", .array(choices))]) }

    /// YAML that is read by other programs may make a number or a truth value of a text.
    static let anyText = JSONText.object([
        .init("type", .array([.string("string"), .string("number"), .string("boolean")]))
    ])
    /// A text with variables to be put in: nothing more can be said of it.
    static let textWithVariables = JSONText.object([
        .init("type", .string("string")), .init("pattern", .string("\\$\\{")),
    ])
}

extension RecipeReader {
    /// Reports a value of the wrong kind.
    mutating func report(expected: String, found node: RecipeNode, hint: String? = nil) {
        report("expected \(expected), found \(node.kindName)", at: node.place, hint: hint)
    }

    /// The scalar a node is, for something that is described by `expected`.
    mutating func scalar(_ node: RecipeNode, expected: String) -> RecipeNode.Scalar? {
        guard case .scalar(let scalar) = node.content, !node.isNull else {
            report(expected: expected, found: node)
            return nil
        }
        if scalar.text.unicodeScalars.contains("\0") {
            report("a NUL character cannot stand here", at: node.place)
            return nil
        }
        return scalar
    }
}

/// What a check of a text finds wrong with it.
struct TextMistake: Sendable {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}

extension ValueFormat where Value == String {
    /// Any text. Numbers and truth values that are not quoted are texts as they are written.
    static func text(_ expected: String = "text") -> Self {
        Self(
            schema: .anyText, read: { node, reader in reader.scalar(node, expected: expected)?.text },
            write: { .string(escapingVariables($0)) })
    }

    /// A text with a rule; `pattern` is what the schema can say of it.
    static func text(
        _ expected: String, pattern: String? = nil, _ check: @escaping @Sendable (String) -> TextMistake?
    ) -> Self {
        .parsed(
            expected, pattern: pattern, write: { $0 },
            parse: { text, reader, place in
                if let mistake = check(text) {
                    reader.report(mistake.message, at: place, hint: mistake.hint)
                    return nil
                }
                return text
            })
    }
}

extension ValueFormat {
    /// A value written as text. With `neverNumber` what other programs read as a number cannot be meant.
    static func parsed(
        _ expected: String, pattern: String? = nil, neverNumber: Bool = false,
        write: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String, inout RecipeReader, Place) -> Value?
    ) -> Self {
        var schema = JSONText.anyText
        if case .object(let members) = schema, let pattern {
            let type = neverNumber ? [.init("type", .string("string"))] : members
            schema = .object(type + [.init("pattern", .string("\(pattern)|\\$\\{"))])
        }
        return Self(
            schema: schema,
            read: { node, reader in
                guard let scalar = reader.scalar(node, expected: expected) else { return nil }
                return parse(scalar.text, &reader, node.place)
            },
            write: { .string(escapingVariables(write($0))) })
    }

    /// The same, with its place.
    func located() -> ValueFormat<Located<Value>> where Value: Hashable {
        ValueFormat<Located<Value>>(
            schema: schema, partialSchema: partialSchema,
            read: { node, reader in
                read(node, &reader).map { Located($0, at: reader.location(node.place)) }
            },
            write: { write($0.value) }, merge: merge)
    }

    /// The same as another type.
    func map<Other: Sendable>(
        _ make: @escaping @Sendable (Value) -> Other, back: @escaping @Sendable (Other) -> Value?
    ) -> ValueFormat<Other> {
        ValueFormat<Other>(
            schema: schema, partialSchema: partialSchema,
            read: { node, reader in read(node, &reader).map(make) },
            write: { back($0).flatMap(write) }, merge: merge)
    }

    /// A list of it. A single value in its place is a mistake that is easily put right.
    func list(of noun: String) -> ValueFormat<[Value]> {
        ValueFormat<[Value]>(
            schema: .object([.init("type", .string("array")), .init("items", schema)]),
            read: { node, reader in
                guard case .list(let items) = node.content else {
                    reader.report(expected: "a list of \(noun)", found: node, hint: listHint(node, reader))
                    return nil
                }
                var values = [Value]()
                for item in items {
                    if let value = read(item, &reader) { values.append(value) }
                }
                return values
            },
            write: { .array($0.compactMap(write)) })
    }

    /// The list that a text in its place was meant to be, if its words or the whole of it can be items.
    private func listHint(_ node: RecipeNode, _ reader: RecipeReader) -> String? {
        guard case .scalar(let scalar) = node.content, !node.isNull, scalar.text.utf8.count <= 60 else { return nil }
        let words = scalar.text.split(separator: " ").map(String.init)
        for items in [words, [scalar.text]] {
            var scratch = reader
            let areItems = items.allSatisfy { item in
                read(RecipeNode(.scalar(.init(text: item, isPlain: scalar.isPlain)), at: node.place), &scratch) != nil
            }
            if areItems && scratch.mistakes.count == reader.mistakes.count {
                return "write `[\(items.joined(separator: ", "))]`"
            }
        }
        return nil
    }

    /// The same list, a base recipe's items first.
    func appending<Item>() -> Self where Value == [Item] {
        var format = self
        format.merge = { base, over in
            guard case .list(let first) = base.content, case .list(let second) = over.content else { return over }
            return RecipeNode(.list(first + second), at: over.place)
        }
        return format
    }

    /// A map with keys of one's own: each entry becomes an element. With `sorted` the order of the
    /// recipe has no meaning, and elements come by their keys' bytes.
    func entries<Element: Sendable>(
        of noun: String, sorted: Bool = false, key: ValueFormat<String>,
        join: @escaping @Sendable (Located<String>, Value) -> Element,
        split: @escaping @Sendable (Element) -> (String, Value)
    ) -> ValueFormat<[Element]> {
        func schema(of value: JSONText) -> JSONText {
            .object([
                .init("type", .string("object")), .init("propertyNames", key.schema),
                .init("additionalProperties", value),
            ])
        }
        let null = JSONText.object([.init("type", .string("null"))])
        return ValueFormat<[Element]>(
            schema: schema(of: self.schema), partialSchema: schema(of: .anyOf([partialSchema, null])),
            read: { node, reader in
                guard var entries = node.entries else {
                    reader.report(expected: "a map of \(noun)", found: node)
                    return nil
                }
                if sorted { entries.sort { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) } }
                var elements = [Element]()
                for entry in entries {
                    let keyNode = RecipeNode(.scalar(.init(text: entry.key, isPlain: false)), at: entry.keyPlace)
                    let name = key.read(keyNode, &reader)
                    // A map's place is its first key; a mistake about all of it belongs to its name.
                    var value = entry.value
                    if value.entries != nil || value.isNull { value.place = entry.keyPlace }
                    guard let read = read(value, &reader), let name else { continue }
                    elements.append(join(Located(name, at: reader.location(entry.keyPlace)), read))
                }
                return elements
            },
            write: { elements in
                .object(
                    elements.map(split).compactMap { name, value in
                        write(value).map { .init(escapingVariables(name), $0) }
                    })
            },
            merge: { base, over in mergeMaps(base, over) { _, first, second in merge(first, second) } })
    }

    /// One of two forms: a short one that is a scalar or a list, or the long one, a map.
    func orShort(
        _ short: ValueFormat<Value>, whenWriting isShort: @escaping @Sendable (Value) -> Bool = { _ in false }
    ) -> Self {
        Self(
            schema: .anyOf([short.schema, schema]), partialSchema: .anyOf([short.partialSchema, partialSchema]),
            read: { node, reader in
                node.entries == nil ? short.read(node, &reader) : read(node, &reader)
            },
            write: { isShort($0) ? short.write($0) : write($0) },
            merge: { base, over in base.entries != nil && over.entries != nil ? merge(base, over) : over })
    }
}

/// Puts the entries of one map over another's: `null` takes a base's entry away.
func mergeMaps(
    _ base: RecipeNode, _ over: RecipeNode,
    merge: (_ key: String, _ base: RecipeNode, _ over: RecipeNode) -> RecipeNode
) -> RecipeNode {
    guard var entries = base.entries, let new = over.entries else { return over }
    let indices = Dictionary(entries.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    var fallen = Set<String>()
    for entry in new {
        if let index = indices[entry.key] {
            if entry.value.isNull { fallen.insert(entry.key) }
            let merged = merge(entry.key, entries[index].value, entry.value)
            entries[index] = .init(key: entry.key, keyPlace: entry.keyPlace, value: merged)
        } else {
            entries.append(entry)
        }
    }
    entries.removeAll { fallen.contains($0.key) }
    return RecipeNode(.map(entries), at: over.place)
}

typealias TextFormat = ValueFormat<String>
