internal import RootfsModel

// The keys that say what is installed: archive, layers, node, kernel.

extension ValueFormat where Value == Recipe.Archive {
    static let archive = Self.record(
        "the archive",
        keys: [
            RecipeKey(
                "distribution", \.distribution, .choice("distribution"),
                "debian or ubuntu: which keyring, which pockets"),
            RecipeKey(
                "suite", \.suite, TextFormat.suite.located(), required: true,
                "the release to build from, such as bookworm"),
            RecipeKey(
                "pockets", \.pockets, ValueFormat<Recipe.Pocket>.choice("pocket").located().list(of: "pockets"),
                "what is taken beside the suite; default updates, security"),
            RecipeKey(
                "components", \.components,
                TextFormat.component.located().list(of: "components").notEmpty("components"), "default main"),
            RecipeKey("architecture", \.architecture, TextFormat.architecture.located(), "default: the host's"),
            RecipeKey(
                "mirror", \.mirror, TextFormat.mirror.located(),
                "a URL or a directory; default: --mirror, else the host's APT sources"),
            RecipeKey(
                "snapshot", \.snapshot, ValueFormat<Timestamp>.moment.located(),
                "every pocket as a snapshot archive had it at this moment"),
            RecipeKey(
                "keyring", \.keyring, TextFormat.hostPath("a keyring").located(),
                "a keyring file; default: the distribution's"),
            RecipeKey(
                "extra", \.extra,
                ValueFormat<Recipe.ExtraArchive>.extraArchive.list(of: "archives").unique("archive", key: "name"),
                "more signed archives"),
            RecipeKey(
                "pins", \.pins,
                TextFormat.versionPattern.entries(
                    of: "packages and versions", sorted: true, key: .packageName,
                    join: { Recipe.Pin(package: $0, version: $1) }, split: { ($0.package.value, $0.version) }),
                "versions that packages are held to, as patterns"),
            RecipeKey(
                "exclude", \.exclude, TextFormat.packageName.located().list(of: "packages"),
                "packages that are never taken"),
        ],
        initial: { Recipe.Archive() },
        finish: { archive, node, reader in checkExtras(archive, node, &reader) })
}

/// What extra archives must not be called, and that each says what it is beside a snapshot.
private func checkExtras(_ archive: Recipe.Archive, _ node: RecipeNode, _ reader: inout RecipeReader) {
    let suite = archive.suite.value
    let taken = [suite] + Recipe.Pocket.allCases.map { "\(suite)-\($0.rawValue)" }
    let hasSnapshot = node.value("snapshot").map { !$0.isNull } ?? false
    for item in node.items("extra") {
        guard let written = item.value("name"), let name = written.text else { continue }
        if taken.contains(name) {
            reader.report(
                "an extra archive cannot be named `\(shortened(name))`: so is the distribution's own suite",
                at: written.place)
        }
        let own = item.value("snapshot").flatMap { $0.isNull ? nil : $0 }
        if hasSnapshot && own == nil {
            reader.report(
                "the extra archive `\(shortened(name))` cannot come from archive.snapshot", at: written.place,
                hint: "write `snapshot: live` to take it as it is today, "
                    + "`snapshot: fixed` where its url is of one moment")
        } else if let own, !hasSnapshot {
            reader.report(
                "`snapshot` of an extra archive is for a recipe with archive.snapshot", at: own.place)
        }
    }
}

extension ValueFormat where Value == String {
    /// A URL without blanks, or a directory's path with a slash in it: a bare name is more likely a server's.
    static let mirror = text("a mirror", pattern: "^(https?://[^/]|file:///|/|[^:]*/)") { text in
        let rest = ["http://", "https://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
        let isURL = rest.map { !$0.isEmpty && !$0.hasPrefix("/") } ?? text.hasPrefix("file:///")
        if isURL && !text.contains(where: \.isWhitespace) { return nil }
        if text.hasPrefix("/") || text.contains("/") && !text.prefix(while: { $0 != "/" }).contains(":") { return nil }
        return TextMistake(
            "`\(shortened(text))` is not a mirror",
            hint: "write a URL (http, https, file) or the path of a directory: /srv/debian, ./debian")
    }

    static let kernelModule = text("the name of a kernel module", pattern: "^[A-Za-z0-9_-]+$") { text in
        if !text.isEmpty, text.utf8.allSatisfy({ isLetter($0) || isDigit($0) || "_-".utf8.contains($0) }) { return nil }
        let bare = text.split(separator: "/").last.flatMap { $0.split(separator: ".").first }.map(String.init)
        return TextMistake(
            "`\(shortened(text))` is not the name of a kernel module",
            hint: text.contains(".ko") ? bare.map { "did you mean `\($0)`?" } : nil)
    }

    static let kernelArgument = text("an argument for the kernel") { text in
        if text.isEmpty { return TextMistake("an argument for the kernel is empty") }
        // The kernel knows one quote and no way to escape it; around a value it lets blanks in (lib/cmdline.c).
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
        let isQuoted = parts.count == 3 && parts[0].hasSuffix("=") && parts[2].isEmpty
        if parts.count > 1 && !isQuoted {
            return TextMistake(
                "`\(shortened(text))` has a quote that the kernel does not take",
                hint: "quote a whole value and nothing else, as in `dyndbg=\"file a.c +p\"`")
        }
        if text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return TextMistake("`\(shortened(text))` has a control character")
        }
        if parts[0].contains(where: \.isWhitespace) {
            return TextMistake(
                "`\(shortened(text))` is more than one argument", hint: "write each argument as an item of its own")
        }
        return nil
    }
}

extension ValueFormat where Value == Recipe.ExtraArchive {
    static let extraArchive = Self.record(
        "an extra archive",
        keys: [
            RecipeKey(
                "name", \.name, TextFormat.name(of: "an archive").located(), required: true, "names it in messages"),
            RecipeKey("url", \.url, TextFormat.mirror.located(), required: true, "where it is"),
            RecipeKey("suite", \.suite, TextFormat.suite.located(), required: true, "its suite"),
            RecipeKey(
                "components", \.components,
                TextFormat.component.located().list(of: "components").notEmpty("components"), "default main"),
            RecipeKey(
                "keyring", \.keyring, TextFormat.hostPath("a keyring").located(), required: true,
                "the keys it is signed with"),
            RecipeKey("pin", \.pin, .number(-32768...32767), "its priority, as in apt preferences; default 500"),
            RecipeKey(
                "snapshot", \.snapshot,
                ValueFormat<Recipe.ExtraSnapshot>.choice("snapshot of an extra archive").located(),
                "needed with archive.snapshot; live: as it is today, fixed: its url is of one moment itself"),
        ],
        initial: { Recipe.ExtraArchive() })
}

extension ValueFormat where Value == Recipe.Layer {
    static let layer = Self.record(
        "a layer",
        keys: [
            RecipeKey(
                "name", \.name, TextFormat.name(of: "a layer").located(), required: true,
                "names it in messages and reports"),
            RecipeKey(
                "packages", \.packages, PackageFormat.package.located().list(of: "packages"),
                "what is installed, each with what it needs: name, name=version, name/suite, name:architecture"),
            RecipeKey(
                "recommends", \.recommends, ValueFormat<Bool>.truth.located(),
                "whether recommended packages are taken too; default false"),
            RecipeKey(
                "run", \.run, TextFormat.script.located().list(of: "scripts"),
                "scripts run in the sandbox after the layer's packages"),
        ],
        initial: { Recipe.Layer() },
        finish: { layer, node, reader in
            if node.items("packages").isEmpty
                && (node.value("packages").map { $0.isNull || $0.isList } ?? true)
            {
                reader.report("a layer without packages", at: node.value("packages")?.place ?? node.place)
            }
        })
}

/// A `{script: path}`.
private struct Script: Sendable {
    var path = ""
}

extension ValueFormat where Value == String {
    static let script = ValueFormat<Script>.record(
        "a step",
        keys: [
            RecipeKey(
                "script", \Script.path, .hostPath("a script"), required: true, "a script, relative to the root folder")
        ],
        initial: { Script() }
    ).map({ $0.path }, back: { Script(path: $0) })
}

extension Recipe.NodeRuntime {
    var package: Located<Recipe.PackageRequest>? {
        get { if case .package(let package) = self { package } else { nil } }
        set { if let newValue { self = .package(newValue) } }
    }

    var archive: Recipe.NodeArchive? {
        get { if case .archive(let archive) = self { archive } else { nil } }
        set { if let newValue { self = .archive(newValue) } }
    }
}

extension ValueFormat where Value == Recipe.NodeRuntime {
    static let node = Self.record(
        "node",
        keys: [
            RecipeKey(
                "package", \.package, PackageFormat.package.located(), "the distribution's, or an extra archive's"),
            RecipeKey("archive", \.archive, .nodeArchive, "a tarball of Node's own"),
        ],
        oneOf: [KeyGroup(names: ["package", "archive"], isRequired: true)],
        initial: { .package(Located(Recipe.PackageRequest(name: "nodejs"))) })
}

extension ValueFormat where Value == Recipe.NodeArchive {
    static let nodeArchive = Self.record(
        "node's archive",
        keys: [
            RecipeKey(
                "file", \.file, TextFormat.hostPath("node's archive").located(), required: true,
                "the tarball, relative to the root folder"),
            RecipeKey("sha256", \.sha256, ValueFormat<Digest>.digest.located(), required: true, "its digest"),
            RecipeKey(
                "into", \.into, PathFormat.imagePath("node's directory").located(),
                "where it is unpacked; default /usr/local"),
        ],
        initial: { Recipe.NodeArchive() })
}

extension Recipe.Kernel {
    var package: Located<Recipe.PackageRequest>? {
        get { if case .package(let package) = source { package } else { nil } }
        set { if let newValue { source = .package(newValue) } }
    }

    var file: Located<String>? {
        get { if case .file(let file) = source { file } else { nil } }
        set { if let newValue { source = .file(newValue) } }
    }
}

extension ValueFormat where Value == Recipe.Kernel {
    private static let written = Self.record(
        "the kernel",
        keys: [
            RecipeKey(
                "package", \.package, PackageFormat.package.located(),
                "a kernel package, such as linux-image-cloud-amd64"),
            RecipeKey(
                "file", \.file, TextFormat.hostPath("a kernel").located(),
                "a kernel's file, relative to the root folder"),
            RecipeKey("sha256", \.sha256, ValueFormat<Digest>.digest.located(), "the file's digest"),
            RecipeKey(
                "format", \.format, ValueFormat<Recipe.KernelFormat>.choice("kernel format").located(),
                "vmlinux: the ELF kernel out of the bzImage"),
            RecipeKey(
                "initrd", \.initrd, .choice("initrd policy"),
                "auto: only if the root device or the file system is a module"),
            RecipeKey(
                "modules", \.modules, TextFormat.kernelModule.located().list(of: "kernel modules"),
                "default: what the machine's devices need"),
            RecipeKey(
                "arguments", \.arguments, TextFormat.kernelArgument.located().list(of: "arguments"),
                "the kernel's command line"),
        ],
        oneOf: [KeyGroup(names: ["package", "file"], isRequired: true)],
        initial: { Recipe.Kernel(source: .file(Located(""))) })

    /// The kernel, or `none`.
    static let orNone: ValueFormat<Recipe.Kernel?> = written.map({ Optional($0) }, back: { $0 }).orShort(
        ValueFormat<Recipe.Kernel?>(
            schema: .object([.init("const", .string("none"))]),
            read: { node, reader in
                guard let scalar = reader.scalar(node, expected: "the kernel with its keys, or none") else {
                    return nil
                }
                if scalar.text == "none" { return .some(nil) }
                reader.report(
                    expected: "the kernel with its keys, or none", found: node,
                    hint: isPackageName(scalar.text) ? "write `{package: \(scalar.text)}`" : nil)
                return nil
            },
            write: { _ in .string("none") }),
        whenWriting: { $0 == nil })
}
