internal import RootfsModel

// The keys of a recipe itself, and of its image, machine, check and boot.

extension Recipe.Image {
    var free: Located<ByteCount>? {
        get { if case .free(let bytes) = size.value { Located(bytes, at: size.location) } else { nil } }
        set { if let newValue { size = Located(.free(newValue.value), at: newValue.location) } }
    }

    var total: Located<ByteCount>? {
        get { if case .total(let bytes) = size.value { Located(bytes, at: size.location) } else { nil } }
        set { if let newValue { size = Located(.total(newValue.value), at: newValue.location) } }
    }
}

extension ValueFormat where Value == Recipe.Image {
    static let image = Self.record(
        "the image",
        keys: [
            RecipeKey(
                "label", \.label, TextFormat.label.located(),
                "the file system's label, at most 16 bytes; default: the recipe's name"),
            RecipeKey(
                "free", \.free, ValueFormat<ByteCount>.size.located(), "room beyond what the files need; default 128MiB"
            ),
            RecipeKey("size", \.total, ValueFormat<ByteCount>.size.located(), "the size of the image in all"),
            RecipeKey("budget", \.budget, ValueFormat<ByteCount>.size.located(), "an image over it is a mistake"),
            RecipeKey("journal", \.journal, .truth, "whether the file system has a journal; default false"),
            RecipeKey(
                "verity", \.verity, ValueFormat<Bool>.truth.located(),
                "whether a dm-verity hash tree is put behind the file system, which is read-only then; default false"),
            RecipeKey(
                "compress", \.compress, ValueFormat<Recipe.Compression>.choice("compression").located(),
                "zstd: writes a compressed image too; default none"),
        ],
        oneOf: [KeyGroup(names: ["free", "size"], isRequired: false)],
        initial: { Recipe.Image() },
        finish: { image, node, reader in
            let mebibyte: UInt64 = 1 << 20
            let largest: UInt64 = 16 << 40
            if let place = node.value("size")?.place, let total = image.total, total.location != nil {
                if total.value.bytes < mebibyte {
                    reader.report("an image of \(total.value) holds nothing", at: place)
                } else if total.value.bytes > largest {
                    reader.report("\(total.value) is larger than ext4 allows: 16TiB", at: place)
                } else if let budget = image.budget, budget.value < total.value, let place = node.value("budget")?.place
                {
                    reader.report("the budget of \(budget.value) is below the size of \(total.value)", at: place)
                }
            }
            if let total = image.total {
                let blocks = ByteCount(bytes: total.value.bytes / 4096 * 4096)
                image.size = Located(.total(blocks), at: total.location)
            }
            if let place = node.value("free")?.place, let free = image.free, free.value.bytes > largest {
                reader.report("\(free.value) is larger than ext4 allows: 16TiB", at: place)
            }
        })
}

extension ValueFormat where Value == String {
    /// ext4 keeps 16 bytes.
    static let label = text("a label") { text in
        if text.utf8.count > 16 { return TextMistake("the label has \(text.utf8.count) bytes; ext4 keeps 16") }
        return text.unicodeScalars.contains { $0.properties.generalCategory == .control }
            ? TextMistake("the label has a control character") : nil
    }
}

extension ValueFormat where Value == Recipe.Machine {
    static let machine = Self.record(
        "the machine",
        keys: [
            RecipeKey("vcpus", \.vcpus, .number(1...32), "default 1"),
            RecipeKey("memory", \.memory, .size, "whole MiB; default 1GiB"),
        ],
        initial: { Recipe.Machine() },
        finish: { machine, node, reader in
            guard let place = node.value("memory")?.place else { return }
            if machine.memory.bytes % (1 << 20) != 0 {
                reader.report("\(machine.memory) is not a whole number of MiB", at: place)
            } else if !(32 << 20...16 << 40).contains(machine.memory.bytes) {
                reader.report("\(machine.memory) of memory are out of range: 32MiB to 16TiB", at: place)
            }
        })
}

extension ValueFormat where Value == Recipe.Suppression {
    static let suppression = Self.record(
        "a suppression",
        keys: [
            RecipeKey("id", \.id, TextFormat.findingID.located(), required: true, "the finding's id"),
            RecipeKey(
                "path", \.path, PathFormat.imagePath("a finding").located(), "where it is found; default: everywhere"),
            RecipeKey("because", \.because, .text("a reason"), required: true, "why it is accepted"),
        ],
        initial: { Recipe.Suppression() })
}

extension ValueFormat where Value == Recipe.Check {
    static let check = Self.record(
        "check",
        keys: [
            RecipeKey(
                "suppress", \.suppress, ValueFormat<Recipe.Suppression>.suppression.list(of: "suppressions"),
                "findings that are accepted")
        ],
        initial: { Recipe.Check() })
}

extension ValueFormat where Value == Recipe.Boot {
    static let boot = Self.record(
        "boot",
        keys: [
            RecipeKey("within", \.within, .positiveDuration, "how long it may take until all is ready; default 120s"),
            RecipeKey("soak", \.soak, .duration, "how long nothing may die after that; default 30s"),
            RecipeKey(
                "expect", \.expect,
                TextFormat.text("a text of the console", pattern: nil) { text in
                    text.isEmpty ? TextMistake("an empty text is always there") : nil
                }.located().list(of: "texts"), "texts that come on the console"),
        ],
        initial: { Recipe.Boot() })
}

extension RecipeKey where Owner == Recipe {
    /// A key that the loader reads before the others.
    init(
        _ name: String, schema: JSONText, required: Bool = false, _ summary: String,
        write: @escaping @Sendable (Recipe) -> JSONText? = { _ in nil }
    ) {
        self.name = name
        self.summary = summary
        isRequired = required
        self.schema = schema
        partialSchema = schema
        read = { _, _, _ in }
        self.write = write
        merge = { base, over in mergeMaps(base, over) { $2 } }
    }
}

extension ValueFormat where Value == Recipe {
    static let recipe = Self.record(
        "the recipe",
        keys: [
            RecipeKey(
                "recipe", schema: .object([.init("const", .number(1))]), required: true, "the version of the format: 1"
            ) { _ in .number(1) },
            RecipeKey(
                "name", \.name, TextFormat.name(of: "a recipe").located(), required: true,
                "names the outputs; also the variable `${name}`"),
            RecipeKey("description", \.description, .text(), "what the image is for"),
            RecipeKey("from", schema: .anyText, "another recipe that this one builds on"),
            RecipeKey("variables", schema: .variables, "what `${…}` means; --set changes it") { recipe in
                .object(
                    recipe.variables.all.filter { $0.name != "name" }.map {
                        .init($0.name, .string(escapingVariables($0.value)))
                    })
            },
            RecipeKey("archive", \.archive, .archive, required: true, "where packages come from"),
            RecipeKey(
                "layers", \.layers,
                ValueFormat<Recipe.Layer>.layer.list(of: "layers").notEmpty("layers").unique("layer", key: "name")
                    .appending(), required: true, "named groups of packages, in this order"),
            RecipeKey("node", \.node, .node, "Node.js"),
            RecipeKey(
                "kernel", \.kernel, ValueFormat<Recipe.Kernel>.orNone, "the kernel that boots the image; default none"),
            RecipeKey(
                "overlays", \.overlays, ValueFormat<Recipe.Overlay>.overlay.list(of: "overlays"),
                "folders laid over the packages, in this order"),
            RecipeKey(
                "users", \.users,
                ValueFormat<Recipe.User>.user.list(of: "users").unique("user", key: "name").unique("uid", key: "uid"),
                "users that are added"),
            RecipeKey("hostname", \.hostname, TextFormat.hostname.located(), "default: the recipe's name"),
            RecipeKey("timezone", \.timezone, TextFormat.timezone.located(), "default UTC"),
            RecipeKey("locale", \.locale, TextFormat.locale.located(), "default C.UTF-8"),
            RecipeKey(
                "files", \.files, .smallFiles, "small files in place: a path and a text, or {content, mode, owner}"),
            RecipeKey(
                "remove", \.remove, TextFormat.imagePattern.located().list(of: "patterns"),
                "what is taken out, as absolute patterns"),
            RecipeKey("services", \.services, .services, "programs that are started at boot and kept running"),
            RecipeKey(
                "supervisor", \.supervisor, .supervisor, "what watches the services, and what is left out around them"),
            RecipeKey("image", \.image, .image, "the file system"),
            RecipeKey("machine", \.machine, .machine, "the virtual machine"),
            RecipeKey("check", \.check, .check, "the checks of the tree"),
            RecipeKey("boot", \.boot, .boot, "what a first boot has to show"),
            RecipeKey("nightly", \.nightly, .nightly, "what `rootfs-build nightly` may put in place by itself"),
        ],
        initial: { Recipe() },
        finish: { recipe, node, reader in
            recipe.setDefaults()
            recipe.files.sort { $0.path.value < $1.path.value }
            checkWhole(recipe, node, &reader)
        })
}

extension JSONText {
    /// The variables: names and scalars.
    static let variables = JSONText.object([
        .init("type", .string("object")),
        .init("propertyNames", .object([.init("pattern", .string("^[A-Za-z_][A-Za-z0-9_.-]*$"))])),
        .init("additionalProperties", .anyText),
    ])
}
