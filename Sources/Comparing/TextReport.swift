import RootfsModel

extension Comparison {
    /// How much of it a text tells.
    public enum Detail: Sendable {
        /// Short changelogs and short patches of the configuration.
        case normal
        /// Counts, no patches.
        case stat
        /// All patches and changelogs, whole.
        case patch
    }

    /// The comparison for people: what concerns security first, what nothing explains last.
    public func text(_ detail: Detail = .normal) -> String {
        var report = TextReport(comparison: self, detail: detail)
        report.make()
        return report.lines.map { printable($0) }.joined(separator: "\n") + "\n"
    }
}

private struct TextReport {
    let comparison: Comparison
    let detail: Comparison.Detail
    private(set) var lines: [String] = []

    private static let mostItems = 6
    private static let mostOfKind = 8
    private static let mostPatchLines = 30
    private static let mostPaths = 10
    private static let mostSizes = 8
    private static let mostOptions = 30

    init(comparison: Comparison, detail: Comparison.Detail) {
        self.comparison = comparison
        self.detail = detail
    }

    mutating func make() {
        lines.append("--- \(comparison.old.name)  (\(comparison.old.summary))")
        lines.append("+++ \(comparison.new.name)  (\(comparison.new.summary))")
        if comparison.isIdentical {
            lines.append(identicalText)
            addObstacles()
            return
        }
        addSecurity()
        addPackages()
        addKernel()
        addServices()
        addAccounts()
        addPatches("Configuration", comparison.configuration)
        addPatches("Other texts", comparison.patches)
        addFolders()
        addSizes()
        addMetadata()
        addObstacles()
        addDamage()
        addRest()
    }

    private var identicalText: String {
        let hashes = [comparison.old, comparison.new].compactMap(\.imageHash)
        if hashes.count == 2, hashes[0] == hashes[1] { return "identical: \(hashes[0])" }
        let isLock = comparison.old.kind == .lock || comparison.new.kind == .lock
        return isLock ? "the same packages" : "nothing differs"
    }

    private mutating func heading(_ text: String) {
        lines.append("")
        lines.append(text)
    }

    /// Rows in columns, two blanks between them; the last column is as long as it is.
    private mutating func table(_ rows: [[String]], indent: String = "  ") {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        for row in rows {
            var line = indent
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1, widths[column] > 0 {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            while line.last == " " { line.removeLast() }
            lines.append(line)
        }
    }

    private mutating func addSecurity() {
        if comparison.security.isEmpty { return }
        heading("Security: \(counted(comparison.security.count, "change")) to look at")
        var rows = [[String]]()
        for (change, more) in comparison.security.shortened(detail == .patch ? .max : Self.mostOfKind) {
            let values =
                change.old == nil && change.new == nil ? "" : " \(change.old ?? "none") → \(change.new ?? "none")"
            let isLong = values.count > 60 || ["listening", "capability"].contains(change.kind)
            rows.append([
                "\(change.severity)", change.kind, change.message + (isLong ? "" : values) + " [\(change.cause.text)]",
            ])
            if more > 0 { rows.append(["", "", "… \(more) more (--patch)"]) }
        }
        table(rows)
    }

    private mutating func addPackages() {
        let packages = comparison.packages
        if packages.isEmpty { return }
        let delta = packages.compactMap(\.sizeDelta)
        heading("Packages: \(packages.summary)" + (delta.isEmpty ? "" : ", \(deltaText(delta.reduce(0, +)))"))
        addVulnerabilities("closes", packages.vulnerabilities(.upgraded))
        addVulnerabilities("opens again", packages.vulnerabilities(.downgraded))
        table(
            packages.byKind.map { package in
                [
                    package.change.rawValue, package.name, package.versions, package.sizeDelta.map(deltaText) ?? "",
                    package.files.summary, package.isFromSecurity ? "security" : "",
                ]
            })
        if detail == .stat { return }
        for group in packages.bySource { addChangelog(group.packages, group.changelog) }
    }

    private mutating func addVulnerabilities(_ verb: String, _ names: [String]) {
        if names.isEmpty { return }
        lines.append("  \(verb) \(names.count == 1 ? "1 vulnerability" : "\(names.count) vulnerabilities")")
        if detail != .stat { lines += wrapped(names, separator: " ", indent: "    ") }
    }

    /// Words in lines of about a hundred characters.
    private func wrapped(_ words: [String], separator: String, indent: String) -> [String] {
        var lines = [String]()
        var line = ""
        for (index, word) in words.enumerated() {
            let piece = word + (index < words.count - 1 ? separator : "")
            if !line.isEmpty, line.count + piece.count > 96 {
                lines.append(indent + line.trimmingTrailingBlanks)
                line = ""
            }
            line += piece
        }
        return line.isEmpty ? lines : lines + [indent + line.trimmingTrailingBlanks]
    }

    private mutating func addChangelog(_ packages: [PackageChange], _ items: [String]) {
        let names = packages.map(\.name)
        let shown = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
        let word = packages[0].change == .downgraded ? "takes back" : "says"
        lines.append("  the changelog of \(shown) \(word)")
        let most = detail == .patch ? items.count : Self.mostItems
        lines += items.prefix(most).map { "    " + (detail == .patch ? $0 : clipped($0, 110)) }
        if items.count > most { lines.append("    … \(items.count - most) more (--patch)") }
    }

    private mutating func addKernel() {
        guard let kernel = comparison.kernel else { return }
        let release =
            kernel.oldRelease == kernel.newRelease
            ? kernel.newRelease ?? "" : "\(kernel.oldRelease ?? "none") → \(kernel.newRelease ?? "none")"
        heading("Kernel: \(release)")
        if kernel.oldPackage != kernel.newPackage {
            lines.append("  package \(kernel.oldPackage ?? "none") → \(kernel.newPackage ?? "none")")
        } else if kernel.isOtherFile == true {
            lines.append("  other bytes of the same release")
        }
        if kernel.isOtherInitrd == true { lines.append("  another initrd") }
        if kernel.oldArguments != kernel.newArguments {
            lines.append("  arguments - \(kernel.oldArguments.joined(separator: " "))")
            lines.append("            + \(kernel.newArguments.joined(separator: " "))")
        }
        if let options = kernel.options, !options.isEmpty {
            lines.append("  \(counted(options.count, "configuration option"))")
            let most = detail == .normal ? Self.mostOptions : detail == .patch ? options.count : 0
            table(
                options.prefix(most).map { [$0.name, "\($0.old ?? "not set") → \($0.new ?? "not set")"] },
                indent: "    ")
            if options.count > most { lines.append("    … \(options.count - most) more") }
        }
        let modules = [
            (kernel.modulesAdded.count, "added"), (kernel.modulesRemoved.count, "removed"),
            (kernel.modulesChanged, "changed"),
        ].filter { $0.0 > 0 }
        if !modules.isEmpty { lines.append("  modules: " + modules.map { "\($0.0) \($0.1)" }.joined(separator: ", ")) }
    }

    private mutating func addServices() {
        let services = comparison.services
        if services.isEmpty { return }
        heading("Services: \(services.summary)")
        let groups = services.grouped { clipped(words(of: $0), detail == .patch ? .max : 160) }
        table(groups.filter { $0.names.count == 1 }.map { [$0.change.rawValue, $0.names[0], $0.words] })
        for group in groups where group.names.count > 1 {
            lines.append("  affected  \(group.names.count) services by \(group.words)")
            if detail != .stat { lines += wrapped(group.names, separator: ", ", indent: "    ") }
        }
    }

    private func words(of service: ServiceChange) -> String {
        var words = [String]()
        if service.change == .enabled { words.append("runs \((service.newCommand ?? []).joined(separator: " "))") }
        if service.change == .changed, service.oldUser != service.newUser {
            words.append("user \(service.oldUser ?? "") → \(service.newUser ?? "")")
        }
        if service.change != .disabled, !service.memberSummary.isEmpty { words.append(service.memberSummary) }
        return words.joined(separator: "; ")
    }

    private mutating func addAccounts() {
        if comparison.accounts.isEmpty { return }
        heading("Users and groups")
        table(
            comparison.accounts.map { account in
                let fields = account.fields.filter { !($0.new ?? "").isEmpty || $0.old != nil }.map { field in
                    account.change == .added
                        ? "\(field.name) \(field.new ?? "")" : "\(field.name) \(field.old ?? "") → \(field.new ?? "")"
                }
                return [account.change.rawValue, account.kind.rawValue, account.name, fields.joined(separator: ", ")]
            })
    }

    private mutating func addPatches(_ title: String, _ patches: [FilePatch]) {
        if patches.isEmpty { return }
        heading("\(title): \(counted(patches.count, "file"))")
        if detail == .stat {
            table(
                patches.map { patch in
                    let count = patch.omitted ?? "+\(patch.linesAdded) -\(patch.linesRemoved)"
                    return [patch.change.rawValue, patch.path, count, "[\(patch.cause.text)]"]
                })
            return
        }
        for patch in patches {
            lines.append("  \(patch.change.rawValue) \(patch.path) [\(patch.cause.text)]" + omission(patch))
            guard let text = patch.patch else { continue }
            let all = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            // A package's own default is known; what a person laid over it is news.
            let most =
                detail == .patch
                ? all.count : patch.cause.kind == .package ? Self.mostPatchLines / 3 : Self.mostPatchLines
            lines += all.prefix(most).map { "    " + $0 }
            if all.count > most { lines.append("    … \(all.count - most) more lines (--patch)") }
        }
    }

    private func omission(_ patch: FilePatch) -> String {
        guard let omitted = patch.omitted else { return "" }
        let sizes = [patch.oldSize, patch.newSize].map { $0.map { byteText($0) } ?? "none" }
        return
            ": \(omitted), \(patch.change == .changed ? "\(sizes[0]) → \(sizes[1])" : sizes[patch.change == .added ? 1 : 0])"
    }

    private mutating func addFolders() {
        if comparison.folders.isEmpty { return }
        heading("Other files")
        let signs = Dictionary(
            comparison.paths.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        for folder in comparison.folders {
            let files = PackageChange.Files(added: folder.added, removed: folder.removed, changed: folder.changed)
            lines.append("  \(folder.folder): \(files.summary), \(deltaText(folder.sizeDelta))")
            if detail == .stat { continue }
            let most = detail == .patch ? folder.paths.count : Self.mostPaths
            for path in folder.paths.prefix(most) {
                guard let change = signs[path] else { continue }
                lines.append("    " + line(of: change))
            }
            if folder.paths.count > most { lines.append("    … \(folder.paths.count - most) more (--patch)") }
        }
    }

    /// `+ name`, `- name`, `M name: mode 0644 → 0755`, with the cause.
    private func line(of change: PathChange) -> String {
        let name = shownText(change.treePath.name)
        let type = change.type == "file" ? "" : " (\(change.type))"
        switch change.change {
        case .added:
            let target = change.fields.first { $0.name == "target" }?.new.map { " → \($0)" } ?? ""
            return "+ \(name)\(target)\(type) [\(change.cause.text)]"
        case .removed: return "- \(name)\(type) [\(change.cause.text)]"
        case .changed:
            let fields = change.fields.filter { $0.name != "time" }.map { field in
                field.name == "content" ? "content" : "\(field.name) \(field.old ?? "none") → \(field.new ?? "none")"
            }
            return "M \(name)\(type): \(fields.joined(separator: ", ")) [\(change.cause.text)]"
        }
    }

    private mutating func addSizes() {
        guard let sizes = comparison.sizes else { return }
        heading(
            "Size: \(byteText(sizes.old)) → \(byteText(sizes.new)) (\(deltaText(Int64(clamping: sizes.new) - Int64(clamping: sizes.old))))"
        )
        for (title, parts) in [("by package", sizes.packages ?? []), ("by folder", sizes.folders)] {
            let moved = parts.filter { $0.delta != 0 }.sorted {
                ($1.delta.magnitude, $0.name) < ($0.delta.magnitude, $1.name)
            }
            if moved.isEmpty { continue }
            lines.append("  \(title)")
            table(
                moved.prefix(Self.mostSizes).map { part in
                    [
                        deltaText(part.delta), part.name.isEmpty ? "(in no package)" : part.name,
                        "\(byteText(part.old)) → \(byteText(part.new))",
                    ]
                }, indent: "    ")
            if moved.count > Self.mostSizes { lines.append("    … \(moved.count - Self.mostSizes) more") }
        }
    }

    private mutating func addMetadata() {
        if comparison.metadata.isEmpty { return }
        heading("Metadata only")
        for change in comparison.metadata {
            let isTime = change.what == "time"
            let most = detail == .patch ? change.paths.count : isTime || detail == .stat ? 0 : Self.mostPaths
            if change.paths.count == 1, most > 0 {
                lines.append("  \(change.what): \(change.paths[0])")
                continue
            }
            lines.append("  \(change.what): \(counted(change.paths.count, "path"))")
            lines += change.paths.prefix(most).map { "    " + $0 }
            if most > 0, change.paths.count > most { lines.append("    … \(change.paths.count - most) more (--patch)") }
        }
    }

    private mutating func addObstacles() {
        if comparison.notCompared.isEmpty { return }
        heading("Not compared")
        table(comparison.notCompared.map { [$0.what, $0.because] })
    }

    private mutating func addDamage() {
        if comparison.damaged.isEmpty { return }
        heading("Damaged: \(counted(comparison.damaged.count, "path"))")
        table(comparison.damaged.prefix(50).map { [$0.side, $0.path, $0.problem] })
        if comparison.damaged.count > 50 { lines.append("  … \(comparison.damaged.count - 50) more") }
    }

    private mutating func addRest() {
        if comparison.counts.paths == 0 { return }
        heading(
            "Not explained: "
                + (comparison.notExplained.isEmpty ? "nothing" : counted(comparison.notExplained.count, "path")))
        let most = detail == .patch ? comparison.notExplained.count : detail == .stat ? 0 : 30
        lines += comparison.notExplained.prefix(most).map { "  " + $0 }
        if most > 0, comparison.notExplained.count > most {
            lines.append("  … \(comparison.notExplained.count - most) more (--patch)")
        }
        lines.append("")
        lines.append("\(comparison.counts.summary) (\(comparison.counts.causeSummary))")
    }
}

extension String {
    fileprivate var trimmingTrailingBlanks: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}

/// A text that is cut off where it is longer.
func clipped(_ text: String, _ most: Int) -> String {
    text.count > most ? text.prefix(most - 1) + "…" : text
}

/// A line without what a terminal would take for a command.
private func printable(_ line: String) -> String {
    if line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) { return line }
    return String(
        line.unicodeScalars.map { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f ? "\u{FFFD}" : Character($0) })
}
