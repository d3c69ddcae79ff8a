import RootfsModel

extension ImageSummary {
    /// What it is, for people: one screen.
    public func text() -> String {
        var lines = ["\(side.name): \(side.summary)"]
        func add(_ name: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            lines.append("  \(name)\(String(repeating: " ", count: max(1, 14 - name.count)))\(value)")
        }
        add("image hash", side.imageHash)
        add("content hash", side.contentHash)
        if let whole = side.imageSize {
            add("image file", "\(byteText(whole)), \(side.imageFree.map { byteText($0) } ?? "?") free")
        }
        add("file system", fileSystem.map { "\($0.uuid) \($0.label)" })
        add(
            "kernel",
            [kernel?.package ?? kernel?.release, kernel?.arguments.joined(separator: " ")]
                .compactMap { $0 }.joined(separator: ", "))
        add("content", "\(byteText(size)) in \(counted(files, "file"))")
        if !privileged.isEmpty {
            let kinds = Dictionary(grouping: privileged) { $0.what.split(separator: " ").first.map(String.init) ?? "" }
            let counts = kinds.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.count)" }
            add("rights", counts.joined(separator: ", "))
        }
        add("damaged", damaged.isEmpty ? nil : counted(damaged.count, "path"))
        if let services {
            let names = services.map { $0.name.hasSuffix(".service") ? String($0.name.dropLast(8)) : $0.name }
            let shown = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
            add("services", "\(services.count): \(shown)")
        }
        let sized = (packageSizes ?? folders).sorted { ($1.size, $0.name) < ($0.size, $1.name) }
        if !sized.isEmpty { lines.append(packageSizes == nil ? "Largest folders" : "Largest packages") }
        let versions = Dictionary(
            (packages ?? []).map { ($0.name, $0.version) }, uniquingKeysWith: { first, _ in first })
        for part in sized.prefix(20) {
            let size = byteText(part.size)
            let name = part.name.isEmpty ? "(in no package)" : part.name
            let margin = String(repeating: " ", count: max(0, 9 - size.count))
            lines.append("  \(margin)\(size)  \(name) \(versions[part.name] ?? "")")
        }
        return lines.map { $0.hasSuffix(" ") ? String($0.dropLast()) : $0 }.joined(separator: "\n") + "\n"
    }
}
