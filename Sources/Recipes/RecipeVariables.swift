internal import RootfsModel

/// The variables of a recipe that is being read: gathers them, resolves what they mean, puts them into the recipe.
struct RecipeVariables {
    private struct Definition {
        var text: String
        /// nil for one from the command line, whose text is taken as it is.
        var place: Place?
    }

    private enum State {
        case resolving
        case resolved(String)
        /// Reported already: whoever needs it is not to blame.
        case failed
    }

    private var definitions: [String: Definition] = [:]
    /// In the order of the recipe.
    private var order: [String] = []
    private var states: [String: State] = [:]
    /// How much all texts together may grow to.
    private var bytesLeft = 16 << 20

    /// Gathers the variables of a merged recipe, the command line's values over them.
    init(of root: RecipeNode, set: [(String, String)], into reader: inout RecipeReader) {
        if let node = root.value("variables"), !node.isNull { gather(node, into: &reader) }
        let own = order
        for (name, value) in set {
            if name == "name" {
                reader.report(
                    usage: Failure("`--set name=…`: the variable `name` is the recipe's name", status: .usage))
            } else if definitions[name] == nil {
                let nearest = nearestName(to: name, among: own.prefix(1000))
                let hint =
                    nearest.map { "did you mean `--set \($0)=…`?" }
                    ?? (own.isEmpty
                        ? "the recipe has no variables" : "its variables: \(own.prefix(20).joined(separator: ", "))")
                reader.report(
                    usage: Failure(
                        "`--set \(shortened(name))=…`: the recipe has no such variable", hint: hint, status: .usage))
            } else {
                definitions[name] = Definition(text: value)
            }
        }
        if let name = root.value("name"), let text = name.text, !name.isNull {
            definitions["name"] = Definition(text: text, place: name.place)
            order.append("name")
        }
        for name in order { _ = value(of: name, way: [], into: &reader) }
    }

    private mutating func gather(_ node: RecipeNode, into reader: inout RecipeReader) {
        guard let entries = node.entries else {
            reader.report(expected: "a map of variables", found: node)
            return
        }
        for entry in entries {
            if !isVariableName(entry.key) {
                reader.report(
                    "`\(shortened(entry.key))` cannot name a variable", at: entry.keyPlace,
                    hint: "use letters, digits, `_`, `-` and `.`, beginning with a letter or `_`")
            } else if entry.key == "name" {
                reader.report("the variable `name` is the recipe's name", at: entry.keyPlace)
            } else if let scalar = reader.scalar(entry.value, expected: "a value for the variable") {
                definitions[entry.key] = Definition(text: scalar.text, place: entry.value.place)
                order.append(entry.key)
            }
        }
    }

    /// All that could be resolved.
    var resolved: Variables {
        Variables(
            states.compactMap { name, state in
                if case .resolved(let value) = state { (name: name, value: value) } else { nil }
            })
    }

    /// What a variable means; nil for one that nobody defines.
    private mutating func value(of name: String, way: [String], into reader: inout RecipeReader) -> String? {
        switch states[name] {
        case .resolved(let value): return value
        case .failed, .resolving: return ""
        case nil: break
        }
        guard let definition = definitions[name] else { return nil }
        guard let place = definition.place, definition.text.contains("${") else {
            states[name] = .resolved(definition.text)
            return definition.text
        }
        states[name] = .resolving
        let way = way + [name]
        do throws(Variables.Mistake) {
            let text = try expandVariables(in: definition.text) { other throws(Variables.Mistake) in
                if let index = way.firstIndex(of: other) {
                    throw Variables.Mistake(
                        reason: .circular(Array(way[index...]) + [other]), offset: 0, text: "${" + other + "}")
                }
                if way.count >= deepestExpansion {
                    throw Variables.Mistake(reason: .tooDeep, offset: 0, text: "${" + other + "}")
                }
                return value(of: other, way: way, into: &reader)
            }
            states[name] = .resolved(text)
            return text
        } catch {
            states[name] = .failed
            report(error, at: place, into: &reader)
            return ""
        }
    }

    private func report(_ mistake: Variables.Mistake, at place: Place, into reader: inout RecipeReader) {
        reader.report(
            mistake.message, at: reader.narrowed(place, to: mistake.text),
            hint: mistake.hint(names: (order + ["name"]).prefix(1000).sorted()))
    }

    // MARK: Putting them in

    /// The recipe with its variables put in, keys too; `from` and `variables` themselves stay.
    mutating func expand(root: RecipeNode, into reader: inout RecipeReader) -> RecipeNode {
        guard let entries = root.entries else { return root }
        let expanded = entries.map { entry in
            guard entry.key != "variables" && entry.key != "from" else { return entry }
            var entry = entry
            entry.value = expand(entry.value, into: &reader)
            return entry
        }
        return RecipeNode(.map(expanded), at: root.place)
    }

    private mutating func expand(_ node: RecipeNode, into reader: inout RecipeReader) -> RecipeNode {
        switch node.content {
        case .scalar(let scalar):
            guard scalar.text.contains("${") else { return node }
            let text = expand(scalar.text, at: node.place, into: &reader)
            // A number stays one where a variable gives it, but nothing turns into null.
            var result = RecipeNode(.scalar(.init(text: text, isPlain: true)), at: node.place)
            if result.isNull { result.content = .scalar(.init(text: text, isPlain: false)) }
            return result
        case .list(let items):
            return RecipeNode(.list(items.map { expand($0, into: &reader) }), at: node.place)
        case .map(let entries):
            var result = [RecipeNode.Entry]()
            var first: [String: Place] = [:]
            for entry in entries {
                var entry = entry
                entry.value = expand(entry.value, into: &reader)
                if entry.key.contains("${") { entry.key = expand(entry.key, at: entry.keyPlace, into: &reader) }
                if let earlier = first[entry.key] {
                    reader.report(
                        "duplicate key `\(shortened(entry.key))` with its variables put in", at: entry.keyPlace,
                        notes: ["first in \(reader.describe(earlier, from: entry.keyPlace))"])
                } else {
                    first[entry.key] = entry.keyPlace
                    result.append(entry)
                }
            }
            return RecipeNode(.map(result), at: node.place)
        }
    }

    private mutating func expand(_ text: String, at place: Place, into reader: inout RecipeReader) -> String {
        if bytesLeft <= 0 { return "" }
        do throws(Variables.Mistake) {
            let result = try expandVariables(in: text) { name throws(Variables.Mistake) in
                value(of: name, way: [], into: &reader)
            }
            bytesLeft -= result.utf8.count
            if bytesLeft <= 0 { reader.report("the recipe is longer than 16 MiB with its variables put in", at: place) }
            return result
        } catch {
            report(error, at: place, into: &reader)
            // What is left of it would only bring mistakes that nobody made; the variable's name is good for most.
            return "unknown"
        }
    }
}

extension RecipeReader {
    /// The place of a text inside a token, where the token's line shows it; else the token.
    func narrowed(_ place: Place, to part: String) -> Place {
        let rest = texts[place.file].rest(line: place.line, column: place.column).prefix(max(place.length, 1))
        let wanted = Array(part.unicodeScalars)
        guard !wanted.isEmpty, rest.count >= wanted.count else { return place }
        for start in rest.startIndex...(rest.endIndex - wanted.count) where rest[start...].starts(with: wanted) {
            let column = place.column + start - rest.startIndex
            return Place(file: place.file, line: place.line, column: column, length: wanted.count)
        }
        return place
    }
}
