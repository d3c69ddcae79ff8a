public import RootfsModel

// What only the whole recipe can tell: defaults that follow from other values, names that lead to others.

extension Recipe {
    /// Fills in what follows from the recipe's name.
    mutating func setDefaults() {
        if hostname.location == nil {
            let letters = name.value.map { $0 == "_" ? "-" : $0 }
            let trimmed = letters.drop { $0 == "-" || $0 == "." }.reversed().drop { $0 == "-" || $0 == "." }
            let candidate = String(trimmed.reversed())
            hostname = Located(isHostname(candidate) ? candidate : "localhost")
        }
        if image.label.location == nil {
            // Names are ASCII: sixteen characters are sixteen bytes.
            image.label = Located(String(name.value.prefix(16)))
        }
        if image.verity.value, image.size.location == nil { image.size = Located(.free(ByteCount(bytes: 0))) }
    }

    /// A mistake for each thing that the format knows and this version does not do yet.
    public func unsupported() -> [Failure] {
        var found = [Failure]()
        func refuse(_ name: String, at location: SourceLocation?) {
            found.append(Failure("\(name) is not supported yet", at: location))
        }
        for layer in layers {
            if layer.recommends.value { refuse("layers.recommends: true", at: layer.recommends.location) }
        }
        if let kernel, kernel.format.value != .vmlinux {
            refuse("kernel.format: \(kernel.format.value.rawValue)", at: kernel.format.location)
        }
        if let budget = image.budget { refuse("image.budget", at: budget.location) }
        if image.compress.value != .none {
            refuse("image.compress: \(image.compress.value.rawValue)", at: image.compress.location)
        }
        return found
    }
}

/// Checks across the recipe's parts. Names are taken from the nodes: a service with a mistake in it is still known.
func checkWhole(_ recipe: Recipe, _ node: RecipeNode, _ reader: inout RecipeReader) {
    checkServices(recipe, node, &reader)
    if recipe.image.verity.value { checkReadOnly(recipe.image, node, &reader) }
    if case .package? = recipe.kernel?.source, let digest = node.value("kernel")?.value("sha256") {
        reader.report(
            "`sha256` is the digest of a kernel's file", at: digest.place,
            hint: "take it out: the lock pins the package")
    }
    var files: [TreePath: Place] = [:]
    for entry in node.value("files")?.entries ?? [] {
        // Only other spellings of one path get here: the same key twice is a duplicate key.
        guard let path = TreePath(normalizing: entry.key) else { continue }
        if let first = files[path] {
            reader.report(
                "duplicate file `\(shortened(path.description))`", at: entry.keyPlace,
                notes: ["first in \(reader.describe(first, from: entry.keyPlace))"])
        } else {
            files[path] = entry.keyPlace
        }
    }
}

/// What has no place beside `image.verity: true`: the image is never written to, and the verified device is the root.
private func checkReadOnly(_ image: Recipe.Image, _ node: RecipeNode, _ reader: inout RecipeReader) {
    let readOnly = "image.verity: the image is read-only"
    let keys = node.value("image")
    if image.journal, let place = keys?.value("journal")?.place {
        reader.report("a journal has no use in an image with verity", at: place, hint: readOnly)
    }
    if let size = keys?.value("size") {
        reader.report(
            "an image with verity has the size of its files and their hash tree", at: size.place,
            hint: "leave image.size out")
    }
    for argument in node.value("kernel")?.items("arguments") ?? [] {
        guard let text = argument.text, let name = text.split(separator: "=").first else { continue }
        if text == "rw" || ["root", "dm-mod.create"].contains(name) {
            reader.report(
                "the argument `\(shortened(text))` cannot stand beside image.verity", at: argument.place,
                hint: "the build adds what the kernel needs to mount the verified device read-only")
        }
    }
}

private func checkServices(_ recipe: Recipe, _ node: RecipeNode, _ reader: inout RecipeReader) {
    let entries = node.value("services")?.entries ?? []
    let names = entries.map(\.key)
    let known = Set(names)
    var after: [String: [String]] = [:]
    for entry in entries {
        for item in entry.value.items("after") {
            guard let name = item.text else { continue }
            if name == entry.key {
                reader.report("service `\(shortened(name))` cannot come after itself", at: item.place)
            } else if known.contains(name) {
                after[entry.key, default: []].append(name)
            } else if name.hasSuffix(".service"), known.contains(String(name.dropLast(".service".count))) {
                reader.report(
                    "a service of the recipe is named without an ending, found `\(shortened(name))`", at: item.place,
                    hint: "write `\(name.dropLast(".service".count))`")
            } else if serviceNameMistake(name) == nil {
                let nearest = reader.nearest(to: name, among: names.lazy.filter { $0 != entry.key })
                reader.report(
                    "unknown service `\(shortened(name))`", at: item.place,
                    hint: nearest.map { "did you mean `\($0)`?" }
                        ?? "a unit of systemd's own is named with its ending, such as `network.target`")
            }
        }
    }
    guard let circle = firstCircle(names: names, after: after) else { return }
    if let entry = entries.first(where: { $0.key == circle[0] }) {
        reader.report(
            "services that wait for each other: \(circle.map { shortened($0) }.joined(separator: " → "))",
            at: entry.value.value("after")?.place ?? entry.keyPlace)
    }
}

/// Names that wait for each other, the first one again at the end; nil where there is an order.
private func firstCircle(names: [String], after: [String: [String]]) -> [String]? {
    var finished = Set<String>()
    for start in names where !finished.contains(start) {
        // The way from the start, each with the next of its names to go to.
        var way = [(name: start, next: 0)]
        var position = [start: 0]
        while let last = way.last {
            let targets = after[last.name, default: []]
            guard last.next < targets.count else {
                way.removeLast()
                position[last.name] = nil
                finished.insert(last.name)
                continue
            }
            way[way.count - 1].next += 1
            let target = targets[last.next]
            if let index = position[target] { return way[index...].map(\.name) + [target] }
            if finished.contains(target) { continue }
            position[target] = way.count
            way.append((target, 0))
        }
    }
    return nil
}
