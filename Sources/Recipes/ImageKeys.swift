internal import RootfsModel

// The keys that say what lies in the image: overlays, users, small files.

extension ValueFormat where Value == String {
    /// A glob over paths below an overlay.
    static let pattern = text("a pattern") { text in
        text.isEmpty ? TextMistake("the pattern is empty", hint: "write for example `*.sh`") : nil
    }

    /// A glob over the image's paths.
    static let imagePattern = text("a pattern of paths", pattern: "^/") { text in
        if !text.hasPrefix("/") {
            return TextMistake(
                "a pattern of paths must be absolute, found `\(shortened(text))`",
                hint: text.isEmpty ? nil : "did you mean `/\(shortened(text))`?")
        }
        if text.split(separator: "/").contains("..") { return TextMistake("a pattern of paths cannot have `..` in it") }
        return text.contains { $0 != "/" } ? nil : TextMistake("a pattern of paths cannot be `/`")
    }

    /// An absolute path inside the image, brought into its one form.
    static let imagePathKey = ValueFormat<TreePath>.imagePath("a file").map(
        { $0.description }, back: { TreePath(normalizing: $0) })
}

extension ValueFormat where Value == Recipe.Overlay {
    static let overlay = Self.record(
        "an overlay",
        keys: [
            RecipeKey(
                "source", \.source, TextFormat.hostPath("an overlay").located(), required: true,
                "the folder, relative to the root folder"),
            RecipeKey(
                "target", \.target, PathFormat.imagePath("an overlay's target", allowingRoot: true).located(),
                "where it is laid in the image; default /"),
            RecipeKey(
                "owner", \.owner, ValueFormat<Recipe.Owner>.owner.located(),
                "user:group of everything in it; default root:root"),
            RecipeKey(
                "mode", \.modes,
                ValueFormat<UInt16>.mode.entries(
                    of: "patterns and modes", key: .pattern, join: { Recipe.ModeRule(pattern: $0, mode: $1) },
                    split: { ($0.pattern.value, $0.mode) }),
                "modes for the files that match; the last match holds"),
            RecipeKey(
                "template", \.templates, TextFormat.pattern.located().list(of: "patterns"),
                "the files whose variables are put in"),
        ],
        initial: { Recipe.Overlay() }
    ).orShort(
        ValueFormat<String>.hostPath("an overlay").located().map(
            { source in
                var overlay = Recipe.Overlay()
                overlay.source = source
                return overlay
            }, back: { $0.source }))
}

extension ValueFormat where Value == Recipe.User {
    static let user = Self.record(
        "a user",
        keys: [
            RecipeKey(
                "name", \.name, TextFormat.account("a user").located(), required: true,
                "the login name; a group of the same name comes with it"),
            RecipeKey("uid", \.uid, ValueFormat<UInt32>.uid.located(), "default: the next free one from 1000"),
            RecipeKey("home", \.home, PathFormat.imagePath("a home").located(), "default: /home/ and the name"),
            RecipeKey(
                "groups", \.groups, TextFormat.account("a group").located().list(of: "groups"), "supplementary groups"),
            RecipeKey("shell", \.shell, PathFormat.imagePath("a shell").located(), "default: /usr/sbin/nologin"),
        ],
        initial: { Recipe.User() },
        finish: { user, node, reader in
            if user.name.value == "root", let place = node.value("name")?.place {
                reader.report("`root` is a user of every image", at: place)
            }
            if user.home.location == nil, let home = TreePath(normalizing: "/home/" + user.name.value) {
                user.home = Located(home)
            }
        })
}

extension ValueFormat where Value == UInt32 {
    static let uid = ValueFormat<UInt32>(
        schema: ValueFormat<Int>.number(100...4_294_967_293).schema,
        read: { node, reader in
            guard let number = ValueFormat<Int>.number(0...4_294_967_295).read(node, &reader) else { return nil }
            guard let mistake = userNumberMistake(number) else { return UInt32(number) }
            reader.report(mistake.message, at: node.place, hint: mistake.hint)
            return nil
        },
        write: { .number(Int64($0)) })
}

/// Debian Policy 9.2.2: 100 … 59999 and from 65536 on; the others are given out by base-passwd, reserved, or no
/// user at all.
func userNumberMistake(_ number: Int) -> TextMistake? {
    switch number {
    case 100...59_999, 65_536...4_294_967_293: return nil
    default:
        let reason =
            number < 100 ? "given out by the distribution" : number < 65_534 ? "reserved by Debian" : "no user's"
        return TextMistake("uid \(number) is \(reason)", hint: "a user of one's own has 1000 to 59999")
    }
}

/// A small file before its path is known.
struct FileContent: Sendable {
    var content = ""
    var mode: UInt16 = 0o644
    var owner = Located(Recipe.Owner.root)
}

extension ValueFormat where Value == FileContent {
    static let fileContent = Self.record(
        "a file",
        keys: [
            RecipeKey("content", \.content, .text(), required: true, "the file's text"),
            RecipeKey("mode", \.mode, .mode, "default 0644"),
            RecipeKey("owner", \.owner, ValueFormat<Recipe.Owner>.owner.located(), "user:group; default root:root"),
        ],
        initial: { FileContent() }
    ).orShort(
        ValueFormat<String>.text("the file's text").map({ FileContent(content: $0) }, back: { $0.content }))
}

extension ValueFormat where Value == [Recipe.SmallFile] {
    static let smallFiles = ValueFormat<FileContent>.fileContent.entries(
        of: "paths and texts", sorted: true, key: .imagePathKey,
        join: { path, content in
            var file = Recipe.SmallFile(path: Located(TreePath(normalizing: path.value) ?? .root, at: path.location))
            file.content = content.content
            file.mode = content.mode
            file.owner = content.owner
            return file
        },
        split: { ($0.path.value.description, FileContent(content: $0.content, mode: $0.mode, owner: $0.owner)) })
}
