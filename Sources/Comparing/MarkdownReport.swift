import RootfsModel

extension Comparison {
    /// The comparison as Markdown, for a comment on a pull request: the most important first. What does not fit into
    /// `limit` bytes is left out, part by part from the end, and the text says what that is.
    public func markdown(limit: Int = 60_000) -> String {
        var report = MarkdownReport(comparison: self)
        return report.make(limit: limit)
    }
}

private struct MarkdownReport {
    let comparison: Comparison
    /// What was made, with its title; the first has none.
    private var parts: [(title: String, text: String)] = []

    init(comparison: Comparison) { self.comparison = comparison }

    mutating func make(limit: Int) -> String {
        addHead()
        if !comparison.isIdentical {
            addSecurity()
            addPackages()
            addKernel()
            addServices()
            addAccounts()
            addNotExplained()
            addPatches("Configuration", comparison.configuration)
            addFolders()
            addSizes()
            addMetadata()
            addObstacles()
            addChangelogs()
            addPatches("Other texts", comparison.patches)
        }
        return joined(limit: limit)
    }

    /// The parts that fit, in order; one that does not is cut at a line's end if much of it fits, or left out.
    private func joined(limit: Int) -> String {
        // Room for the sentence that says what is missing.
        let room = limit - 1_000
        var text = ""
        var left = [String]()
        for part in parts {
            if text.utf8.count + part.text.utf8.count <= room {
                text += part.text
                continue
            }
            let rest = room - text.utf8.count
            var cut = ""
            for line in part.text.split(separator: "\n", omittingEmptySubsequences: false) {
                if cut.utf8.count + line.utf8.count + 200 > rest { break }
                cut += line + "\n"
            }
            if cut.utf8.count > 400 {
                if cut.components(of: "```") % 2 != 0 { cut += "```\n" }
                if cut.components(of: "<details>") > cut.components(of: "</details>") { cut += "\n</details>\n" }
                text += cut
                left.append("the rest of \(part.title)")
            } else {
                left.append(part.title)
            }
        }
        if !left.isEmpty {
            let names =
                left.prefix(12).joined(separator: ", ") + (left.count > 12 ? " and \(left.count - 12) more" : "")
            text += "\n_Left out, for a comment holds no more: \(names). `rootfs-build diff` shows all of it._\n"
        }
        return text
    }

    private mutating func add(_ title: String, _ lines: [String], isFolded: Bool = false) {
        if lines.isEmpty { return }
        let body = lines.joined(separator: "\n")
        parts.append(
            (
                title,
                isFolded
                    ? "\n<details><summary>\(title)</summary>\n\n\(body)\n\n</details>\n"
                    : "\n### \(title)\n\n\(body)\n"
            ))
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> [String] {
        if rows.isEmpty { return [] }
        func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
        return [row(head), row(head.map { _ in "---" })] + rows.map(row)
    }

    private mutating func addHead() {
        let comparison = comparison
        var lines = [
            "## `\(plain(comparison.old.name))` → `\(plain(comparison.new.name))`", "",
            "- old: \(escaped(comparison.old.summary))", "- new: \(escaped(comparison.new.summary))",
        ]
        if comparison.isIdentical {
            lines += ["", "**Nothing differs.**"]
        } else {
            var words = [String]()
            let security = comparison.security
            if !security.isEmpty {
                let high = security.count { $0.severity == .high }
                words.append("security: \(counted(security.count, "change"))" + (high > 0 ? ", **\(high) high**" : ""))
            }
            if !comparison.packages.isEmpty { words.append("packages: \(comparison.packages.summary)") }
            let closed = comparison.packages.vulnerabilities(.upgraded).count
            if closed > 0 { words.append(closed == 1 ? "1 vulnerability closed" : "\(closed) vulnerabilities closed") }
            if !comparison.services.isEmpty { words.append("services: \(comparison.services.summary)") }
            if let sizes = comparison.sizes {
                words.append("size \(deltaText(Int64(clamping: sizes.new) - Int64(clamping: sizes.old)))")
            }
            words.append(comparison.counts.summary)
            let count = comparison.notExplained.count
            words.append(count == 0 ? "every change is explained" : "**\(counted(count, "path")) not explained**")
            lines += ["", words.map { "- \($0)" }.joined(separator: "\n")]
        }
        parts.append(("", lines.joined(separator: "\n") + "\n"))
    }

    private mutating func addSecurity() {
        var rows = [[String]]()
        for (change, more) in comparison.security.shortened(8) {
            let values =
                change.old == nil && change.new == nil || change.kind == "capability"
                ? "" : " (\(change.old ?? "none") → \(change.new ?? "none"))"
            rows.append([
                change.severity == .high ? "**high**" : "\(change.severity)", change.kind,
                escaped(change.message + clipped(values, 80)), escaped(change.cause.text),
            ])
            if more > 0 { rows.append(["", change.kind, "… \(more) more", ""]) }
        }
        add("Security", Self.table(["", "kind", "change", "cause"], rows))
    }

    private mutating func addPackages() {
        let rows = comparison.packages.byKind.map { package in
            [
                escaped(package.name), package.change.rawValue, escaped(package.versions),
                package.sizeDelta.map(deltaText) ?? "", package.files.summary,
                package.vulnerabilities.prefix(6).joined(separator: " ")
                    + (package.vulnerabilities.count > 6 ? " and \(package.vulnerabilities.count - 6) more" : ""),
            ]
        }
        add("Packages", Self.table(["package", "", "version", "size", "paths", "CVEs"], rows))
    }

    private mutating func addChangelogs() {
        let groups = comparison.packages.bySource
        let lines = groups.flatMap { group in
            ["**\(group.packages.map(\.name).map(escaped).joined(separator: ", "))**", ""]
                + group.changelog.prefix(20).map { "- " + escaped(clipped(bare($0), 300)) }
                + (group.changelog.count > 20 ? ["- … \(group.changelog.count - 20) more"] : []) + [""]
        }
        add("Changelogs", lines, isFolded: true)
    }

    /// An item without the sign that it begins with.
    private func bare(_ item: String) -> String {
        ["* ", "- ", "+ "].contains { item.hasPrefix($0) } ? String(item.dropFirst(2)) : item
    }

    private mutating func addKernel() {
        guard let kernel = comparison.kernel else { return }
        var lines = [String]()
        if kernel.oldRelease != kernel.newRelease {
            lines.append("- release `\(kernel.oldRelease ?? "none")` → `\(kernel.newRelease ?? "none")`")
        }
        if kernel.oldPackage != kernel.newPackage {
            lines.append("- package \(escaped(kernel.oldPackage ?? "none")) → \(escaped(kernel.newPackage ?? "none"))")
        }
        if kernel.isOtherInitrd == true { lines.append("- another initrd") }
        if kernel.oldArguments != kernel.newArguments {
            lines.append(
                "- arguments `\(kernel.oldArguments.joined(separator: " "))` → `\(kernel.newArguments.joined(separator: " "))`"
            )
        }
        if !kernel.modulesAdded.isEmpty || !kernel.modulesRemoved.isEmpty || kernel.modulesChanged > 0 {
            lines.append(
                "- modules: \(kernel.modulesAdded.count) added, \(kernel.modulesRemoved.count) removed, \(kernel.modulesChanged) changed"
            )
        }
        let options = kernel.options ?? []
        lines += options.prefix(60).map { "- `\($0.name)` \($0.old ?? "not set") → \($0.new ?? "not set")" }
        if options.count > 60 { lines.append("- … \(options.count - 60) more options") }
        add("Kernel", lines)
    }

    private mutating func addServices() {
        let groups = comparison.services.grouped { service in
            let what = service.change == .enabled ? "runs " + (service.newCommand ?? []).joined(separator: " ") : ""
            return clipped([what, service.memberSummary].filter { !$0.isEmpty }.joined(separator: "; "), 300)
        }
        let rows = groups.map { group in
            [group.names.map { "`\(plain($0))`" }.joined(separator: " "), group.change.rawValue, escaped(group.words)]
        }
        add("Services", Self.table(["service", "", "what it needs that changed"], rows))
    }

    private mutating func addAccounts() {
        add(
            "Users and groups",
            comparison.accounts.map { account in
                let fields = account.fields.filter { !($0.new ?? "").isEmpty || $0.old != nil }.map {
                    account.change == .added
                        ? "\($0.name) \($0.new ?? "")" : "\($0.name) \($0.old ?? "") → \($0.new ?? "")"
                }
                return "- \(account.change.rawValue) \(account.kind.rawValue) **\(escaped(account.name))**"
                    + (fields.isEmpty ? "" : ": " + escaped(fields.joined(separator: ", ")))
            })
    }

    private mutating func addNotExplained() {
        let paths = comparison.notExplained
        add(
            "Not explained",
            paths.prefix(200).map { "- `\(plain($0))`" } + (paths.count > 200 ? ["- … \(paths.count - 200) more"] : []))
    }

    private mutating func addPatches(_ title: String, _ patches: [FilePatch]) {
        for patch in patches {
            let name = "\(patch.change.rawValue) `\(plain(patch.path))` (\(escaped(patch.cause.text)))"
            guard let text = patch.patch else {
                parts.append((patch.path, "\n- \(name): \(patch.omitted ?? "only its metadata")\n"))
                continue
            }
            // A fence is longer than any run of backticks in what it holds.
            let fence = String(repeating: "`", count: max(3, text.longestRun(of: "`") + 1))
            let summary = "\(patch.change.rawValue) \(html(patch.path)) (\(html(patch.cause.text)))"
            parts.append(
                (
                    patch.path,
                    "\n<details><summary>\(summary)</summary>\n\n\(fence)diff\n\(text)\(fence)\n\n</details>\n"
                ))
        }
    }

    private mutating func addFolders() {
        add(
            "Other files",
            comparison.folders.flatMap { folder in
                let files = PackageChange.Files(added: folder.added, removed: folder.removed, changed: folder.changed)
                return ["- `\(plain(folder.folder))`: \(files.summary), \(deltaText(folder.sizeDelta))"]
                    + folder.paths.prefix(5).map { "  - `\(plain($0))`" }
                    + (folder.paths.count > 5 ? ["  - … \(folder.paths.count - 5) more"] : [])
            })
    }

    private mutating func addSizes() {
        guard let sizes = comparison.sizes else { return }
        let parts = (sizes.packages ?? []).filter { $0.delta != 0 }
            .sorted { ($1.delta.magnitude, $0.name) < ($0.delta.magnitude, $1.name) }
        add(
            "Size by package",
            Self.table(
                ["package", "change", "now"],
                parts.prefix(10).map {
                    [$0.name.isEmpty ? "(in no package)" : escaped($0.name), deltaText($0.delta), byteText($0.new)]
                }))
    }

    private mutating func addMetadata() {
        add(
            "Metadata only",
            comparison.metadata.map { change in
                change.paths.count == 1
                    ? "- \(escaped(change.what)): `\(plain(change.paths[0]))`"
                    : "- \(escaped(change.what)): \(counted(change.paths.count, "path"))"
            })
    }

    private mutating func addObstacles() {
        add("Not compared", comparison.notCompared.map { "- \($0.what): \(escaped($0.because))" })
        add(
            "Damaged",
            comparison.damaged.prefix(50).map { "- \($0.side) `\(plain($0.path))`: \(escaped($0.problem))" })
    }
}

/// A text between backticks.
private func plain(_ text: String) -> String { text.replacing("`", with: "'").replacing("|", with: "\\|") }

/// A text as Markdown, so that nothing in it is a mark.
private func escaped(_ text: String) -> String {
    var result = ""
    for character in html(text) {
        if "\\`*_[]|~#".contains(character) { result.append("\\") }
        result.append(character)
    }
    return result
}

private func html(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
}

extension String {
    /// How often a text stands in it.
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }

    fileprivate func longestRun(of character: Character) -> Int {
        var (longest, run) = (0, 0)
        for next in self {
            run = next == character ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }
}
