import RootfsModel

/// How a Node was built, read from the program or from its libnode: both carry their `config.gypi` as JSON text, the
/// one that `process.config` shows.
struct NodeBuild: Hashable {
    /// Where its internationalisation data are (configure's --with-intl).
    enum ICU: Hashable {
        case none
        /// English alone inside; all other data in a file.
        case small
        case full
        /// The system's libicu.
        case shared
    }

    /// The file that it was read from.
    var path: TreePath
    var version: SemanticVersion?
    /// NODE_MODULE_VERSION: 108 for Node 18.
    var modules: Int?
    var icu: ICU
    /// `72`.
    var icuVersion: String?
    /// `l` or `b`, as in `icudt72l.dat`.
    var icuEndianness: String
    /// What can be required by name, without `node:`; empty where it does not say.
    var builtins: Set<String>
    /// Files of built-in modules that are not inside (Debian's acorn, undici …).
    var externalFiles: [TreePath]
    /// Where modules are looked for besides node_modules folders.
    var moduleFolders: [TreePath]

    /// nil where the file has no such text: it is no Node, or one of another make.
    init?(_ path: TreePath, blob: Blob, read: (Blob, Range<UInt64>) throws -> [UInt8]) throws {
        var found: String?
        try ByteSearch("\"node_module_version\"").eachPlace(in: blob, read: read) { place in
            found = try Self.configuration(around: place, in: blob, read: read)
            return found != nil
        }
        guard let text = found else { return nil }
        self.path = path
        let settings = ConfigurationText(text)
        modules = settings.number("node_module_version")
        icuVersion = settings.number("icu_ver_major").map(String.init)
        icuEndianness = settings.value("icu_endianness") == "b" ? "b" : "l"
        if settings.value("v8_enable_i18n_support") == "0" {
            icu = .none
        } else if settings.value("icu_gyp_path")?.contains("system") == true {
            icu = .shared
        } else {
            icu = settings.value("icu_small") == "true" ? .small : .full
        }
        builtins = Set(
            settings.list("node_library_files").compactMap { file in
                guard file.hasPrefix("lib/"), file.hasSuffix(".js"), !file.hasPrefix("lib/internal/") else {
                    return nil
                }
                return String(file.dropFirst(4).dropLast(3))
            })
        externalFiles = settings.definitions(prefix: "NODE_SHARED_BUILTIN_", suffix: "_PATH").compactMap {
            TreePath(normalizing: $0)
        }
        let prefix = settings.value("node_prefix") ?? "/usr"
        let relative = settings.value("node_relative_path").map { $0.split(separator: ":").map(String.init) } ?? []
        moduleFolders = (relative + ["lib/node"]).compactMap { TreePath(normalizing: prefix + "/" + $0) }
        version = try Self.version(in: blob, read: read)
    }

    private static func configuration(
        around place: UInt64, in blob: Blob, read: (Blob, Range<UInt64>) throws -> [UInt8]
    ) throws -> String? {
        let start = place - min(place, 96 << 10)
        let bytes = try read(blob, start..<min(blob.size, place + (64 << 10)))
        let middle = Int(place - start)
        guard middle < bytes.count else { return nil }
        let begin = bytes[..<middle].lastIndex(of: 0).map { $0 + 1 } ?? 0
        let end = bytes[middle...].firstIndex(of: 0) ?? bytes.count
        let text = String(decoding: bytes[begin..<end], as: UTF8.self)
        // Snapshots hold the name alone.
        return text.contains("\"variables\"") && text.contains("\"v8_enable_i18n_support\"") ? text : nil
    }

    /// From the address of its own headers or the names of its archive: `node-v18.20.4`.
    private static func version(in blob: Blob, read: (Blob, Range<UInt64>) throws -> [UInt8]) throws -> SemanticVersion?
    {
        var version: SemanticVersion?
        try ByteSearch("node-v").eachPlace(in: blob, read: read) { place in
            let bytes = try read(blob, (place + 6)..<min(blob.size, place + 30))
            let digits = bytes.prefix { (0x30...0x39).contains($0) || $0 == 0x2E }
            var text = String(decoding: digits, as: UTF8.self)
            while text.hasSuffix(".") { text.removeLast() }
            version = SemanticVersion(text)
            return version != nil
        }
        return version
    }
}

/// Settings in the text of a config.gypi, by name. Not parsed as a whole: what stands around it in the program may be
/// other text.
private struct ConfigurationText {
    let text: [UInt8]

    init(_ text: String) { self.text = Array(text.utf8) }

    private func start(of name: String) -> Int? {
        let key = "\"\(name)\""
        guard let place = ByteSearch(key).first(in: text) else { return nil }
        var index = place + key.utf8.count
        while index < text.count, text[index] == 0x20 || text[index] == 0x3A { index += 1 }
        return index < text.count ? index : nil
    }

    /// A number, a word or a string without its quotes.
    func value(_ name: String) -> String? {
        guard let start = start(of: name) else { return nil }
        if text[start] == UInt8(ascii: "\"") {
            return String(decoding: text[(start + 1)...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
        }
        let ends = Array(",} \n]".utf8)
        return String(decoding: text[start...].prefix { !ends.contains($0) }, as: UTF8.self)
    }

    func number(_ name: String) -> Int? { value(name).flatMap { Int($0) } }

    /// The strings of an array.
    func list(_ name: String) -> [String] {
        guard let start = start(of: name), text[start] == UInt8(ascii: "[") else { return [] }
        let body = text[start...].prefix { $0 != UInt8(ascii: "]") }
        let parts = body.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false)
        return parts.enumerated().compactMap { $0.offset % 2 == 1 ? String(decoding: $0.element, as: UTF8.self) : nil }
    }

    /// The values of macros `PREFIX…SUFFIX=value`.
    func definitions(prefix: String, suffix: String) -> [String] {
        let search = ByteSearch("\"" + prefix)
        var values = [String]()
        var from = 0
        while let place = search.first(in: text, from: from) {
            let body = text[(place + 1)...].prefix { $0 != UInt8(ascii: "\"") }
            let parts = body.split(separator: UInt8(ascii: "="), maxSplits: 1)
            if parts.count == 2, String(decoding: parts[0], as: UTF8.self).hasSuffix(suffix) {
                values.append(String(decoding: parts[1], as: UTF8.self))
            }
            from = place + 1
        }
        return values
    }
}
