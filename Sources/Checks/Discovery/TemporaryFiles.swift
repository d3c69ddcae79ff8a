internal import RootfsModel

/// What systemd-tmpfiles makes at boot, before services start (tmpfiles.d(5)).
struct TemporaryFiles: Sendable {
    struct Entry: Hashable, Sendable {
        var isDirectory: Bool
        var mode: UInt16?
        var user: String
        var group: String
    }

    private(set) var entries: [TreePath: Entry] = [:]

    init(_ subject: CheckSubject) throws {
        guard try initSystem(of: subject, arguments: subject.kernel?.arguments ?? []) == .systemd else { return }
        for file in configurationFiles("tmpfiles.d", in: subject.tree) {
            guard let bytes = try subject.content(of: file, limit: 1 << 20) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
                guard !line.hasPrefix("#"), let words = unitWords(String(line)), words.count >= 2,
                    let letter = words[0].first, "dDvqQefFpLcbC".contains(letter), !words[1].contains("%"),
                    let path = TreePath(normalizing: words[1])
                else { continue }
                let mode = words.count > 2 ? UInt16(words[2].drop { "~:".contains($0) }, radix: 8) : nil
                func name(_ index: Int) -> String {
                    words.count > index && words[index] != "-" ? String(words[index].drop { $0 == ":" }) : "root"
                }
                // The first line of a path counts.
                if entries[path] == nil, letter != "e" || subject.tree[path] != nil {
                    entries[path] = Entry(
                        isDirectory: "dDvqQe".contains(letter), mode: mode, user: name(3), group: name(4))
                }
            }
        }
    }

    /// Whether the path, or a directory above it that something may be put into, is made at boot.
    func makes(_ path: TreePath) -> Bool {
        entries[path] != nil || entries.keys.contains { $0.isWithin(path) }
    }
}
