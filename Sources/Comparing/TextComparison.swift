import RootfsModel

/// Which texts are configuration, and which nobody is shown.
enum ConfigurationPaths {
    private static let folders: [TreePath] = [
        "etc", "usr/lib/sysctl.d", "usr/lib/tmpfiles.d", "usr/lib/sysusers.d", "usr/lib/udev/rules.d",
        "usr/lib/modprobe.d", "usr/lib/modules-load.d", "usr/local/etc",
    ]
    private static let endings = [
        ".conf", ".cfg", ".ini", ".toml", ".yaml", ".yml", ".env", ".service", ".socket", ".timer", ".mount", ".target",
        ".rules",
    ]
    /// Tables that the accounts are told of, made files, and databases of what is installed.
    private static let elsewhere: [[UInt8]] = [
        "etc/passwd*", "etc/group*", "etc/shadow*", "etc/gshadow*", "etc/subuid*", "etc/subgid*", "etc/ld.so.cache",
        "etc/ssl/certs/*", "etc/alternatives/*", "*/fontconfig/*.cache*",
    ].map { Array($0.utf8) }
    private static let secrets: [[UInt8]] = [
        "etc/shadow*", "etc/gshadow*", "etc/ssh/ssh_host_*_key", "*/private/*", "*.key", "*id_rsa", "*id_ed25519",
        "*id_ecdsa", "*.p12", "*.pfx", "*.jks", "*/.netrc", "*/.pgpass",
    ].map { Array($0.utf8) }

    /// Whether it is told as configuration: below /etc, and elsewhere where no package has it and its name says so.
    static func has(_ change: PathChange) -> Bool {
        let path = change.treePath
        guard change.type == "file", !elsewhere.contains(where: { path.bytes.matches(wildcards: $0) }) else {
            return false
        }
        if folders.contains(where: { path.isWithin($0) }) { return true }
        let name = String(decoding: path.name, as: UTF8.self)
        if path.isWithin("usr/lib/systemd") { return endings.contains { name.hasSuffix($0) } }
        return ![.package, .script].contains(change.cause.kind) && endings.contains { name.hasSuffix($0) }
    }

    static func isSecret(_ path: TreePath) -> Bool { secrets.contains { path.bytes.matches(wildcards: $0) } }
}

extension ComparisonEngine {
    /// Larger texts, and texts with more lines, have no patch: nobody reads it, and it would take long.
    private static let largestText: UInt64 = 1 << 20
    /// In bytes: a longer line is nothing that a person wrote, and drowns the rest.
    private static let longestLine = 8000

    /// Patches of the configuration and, where they are asked for, of all other texts.
    mutating func addTexts() throws {
        if !options.wants(.files) { return }
        for change in result.paths where change.type == "file" && !change.isMetadataOnly {
            let isConfiguration = ConfigurationPaths.has(change)
            guard isConfiguration || options.patchesAll else { continue }
            let patch = patch(of: change)
            if isConfiguration {
                result.configuration.append(patch)
            } else if patch.patch != nil {
                result.patches.append(patch)
            }
        }
    }

    private func patch(of change: PathChange) -> FilePatch {
        let blobs = [old, new].map { $0.tree?[change.treePath]?.blob }
        var patch = FilePatch(
            path: change.path, change: change.change, cause: change.cause, patch: nil, linesAdded: 0, linesRemoved: 0,
            omitted: nil, oldSize: blobs[0]?.size, newSize: blobs[1]?.size)
        func omitting(_ reason: String) -> FilePatch {
            patch.omitted = reason
            return patch
        }
        if ConfigurationPaths.isSecret(change.treePath) { return omitting("secret") }
        if blobs.contains(where: { $0.map { $0.size > Self.largestText } ?? false }) { return omitting("too large") }
        var texts = [[UInt8]]()
        for (image, blob) in zip([old, new], blobs) {
            guard let blob else {
                texts.append([])
                continue
            }
            guard let read = image.read else { return omitting("not at hand") }
            guard let bytes = try? read(blob) else { return omitting("damaged") }
            texts.append(bytes)
        }
        for text in texts {
            if text.contains(0) || String(validating: text, as: UTF8.self) == nil { return omitting("binary") }
            if text.contains(Array("PRIVATE KEY-----".utf8)) { return omitting("secret") }
            if text.split(separator: UInt8(ascii: "\n")).contains(where: { $0.count > Self.longestLine }) {
                return omitting("too large")
            }
        }
        guard let made = unifiedPatch(texts[0], texts[1]) else { return patch }
        patch.patch = made.text
        patch.linesAdded = made.added
        patch.linesRemoved = made.removed
        return patch
    }
}

extension [UInt8] {
    /// Whether some bytes stand in these.
    func contains(_ part: [UInt8]) -> Bool {
        guard let first = part.first, count >= part.count else { return false }
        var start = startIndex
        while let index = self[start...].firstIndex(of: first) {
            if self[index...].starts(with: part) { return true }
            start = index + 1
        }
        return false
    }
}
