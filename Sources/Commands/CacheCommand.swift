internal import ArgumentParser
internal import Glibc
internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import Storage

struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "See, check and clean up the store.",
        discussion: """
            The store keeps downloads, unpacked packages and layers. Nothing in it is lost for good: a build makes again \
            what it lacks.

            \(exitStatusText)
            """,
        subcommands: [List.self, Verify.self, Collect.self, Clear.self])

    /// What every look at the store takes.
    struct Target: ParsableArguments {
        @OptionGroup var output: OutputOptions
        @OptionGroup var store: StoreOptions
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what the store keeps, by kind.",
            discussion: """
                How many entries, what they take on the disk, and when they were used; with --json each by itself.

                \(exitStatusText)
                """)

        @OptionGroup var target: Target

        func run() async throws {
            enterUserNamespaceIfNeeded()
            let command = self
            try await target.output.perform { _ in
                let entries = try command.target.store.open().entries()
                print(command.target.output.json ? jsonText(EntryText.all(entries)) : table(entries))
                return .done
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read all that the store keeps and take out what is damaged.",
            discussion: """
                Prints what was taken out; the exit status is 1 then. Layers that were made of damaged packages go too. \
                The next build makes again what it needs of it.

                \(exitStatusText)
                """)

        @OptionGroup var target: Target

        @Option(
            name: .shortAndLong,
            help: ArgumentHelp("How many things to do at once (default: the processors).", valueName: "n"))
        var jobs: Int?

        func validate() throws {
            if let jobs, jobs < 1 || jobs > 1024 { throw ValidationError("--jobs takes a number from 1 to 1024.") }
        }

        func run() async throws {
            enterUserNamespaceIfNeeded()
            let command = self
            try await target.output.perform { progress in
                let report = try await verifyStore(
                    try command.target.store.open(), jobs: command.jobs ?? processorCount(), progress: progress)
                if command.target.output.json {
                    print(jsonText(report))
                } else {
                    for damage in report.damaged { print("\(damage.kind)  \(damage.name)  \(damage.because)") }
                    if report.damaged.isEmpty { print("\(report.entries) entries are what they were") }
                }
                return report.damaged.isEmpty ? .done : .negative
            }
        }
    }

    struct Collect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gc",
            abstract: "Remove what was used longest ago.",
            usage: "rootfs-build cache gc [--max-size <size>] [--max-age <age>] [--dry-run] [<options>]",
            discussion: """
                Every build counts as a use of all that its lock names. What a build in progress uses stays.

                \(exitStatusText)
                """)

        @OptionGroup var target: Target

        @Option(
            name: .long,
            help: ArgumentHelp("Remove until the store takes at most this: 10GB, 500MiB.", valueName: "size"),
            transform: { text in
                guard let size = ByteCount(text) else { throw ValidationError("\(text) is no size such as 10GB") }
                return size.bytes
            })
        var maxSize: UInt64?

        @Option(
            name: .long, help: ArgumentHelp("Remove what was not used for so long: 30d, 12h.", valueName: "age"),
            transform: { text in
                guard let age = seconds(text) else { throw ValidationError("\(text) is no age such as 30d") }
                return age
            })
        var maxAge: Int64?

        @Flag(name: .long, help: "Only say what would be removed.")
        var dryRun = false

        func validate() throws {
            if maxSize == nil && maxAge == nil {
                throw ValidationError("Say how much is to stay: --max-size or --max-age.")
            }
        }

        func run() async throws {
            enterUserNamespaceIfNeeded()
            let command = self
            try await target.output.perform { progress in
                try remove(
                    from: command.target, limit: command.maxSize, oldest: command.maxAge.map { Int64(time(nil)) - $0 },
                    dryRun: command.dryRun, progress)
                return .done
            }
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove all that no build in progress uses.", discussion: exitStatusText)

        @OptionGroup var target: Target

        @Flag(name: .long, help: "Only say what would be removed.")
        var dryRun = false

        func run() async throws {
            enterUserNamespaceIfNeeded()
            let command = self
            try await target.output.perform { progress in
                try remove(from: command.target, limit: nil, oldest: .max, dryRun: command.dryRun, progress)
                return .done
            }
        }
    }
}

/// Removes and prints what came of it.
private func remove(
    from target: CacheCommand.Target, limit: UInt64?, oldest: Int64?, dryRun: Bool, _ progress: ProgressSink
) throws {
    let result = try target.store.open().removeUnused(
        limit: limit, oldest: oldest, dryRun: dryRun,
        waiting: { progress(.note("waiting for another process that looks into the store")) })
    if target.output.json {
        struct Removal: Encodable {
            var removed: [EntryText]
            var left: UInt64
            var inUse: Int
            var dryRun: Bool
        }
        print(
            jsonText(
                Removal(
                    removed: EntryText.all(result.removed), left: result.left, inUse: result.inUse, dryRun: dryRun)))
        return
    }
    for kind in StoreEntry.Kind.allCases {
        let removed = result.removed.filter { $0.kind == kind }
        if !removed.isEmpty { print("\(dryRun ? "would remove" : "removed") \(count(removed)) of \(kind.rawValue)") }
    }
    print("\(byteText(result.left)) \(dryRun ? "would be" : "are") left")
    if result.inUse > 0 { progress(.note("\(result.inUse) entries stay: a build in progress uses them")) }
}

/// `12 (1.2 GB)`.
private func count(_ entries: [StoreEntry]) -> String {
    "\(entries.count) (\(byteText(entries.reduce(0) { $0 + $1.bytes })))"
}

/// An entry for JSON.
private struct EntryText: Encodable {
    var kind: String
    var name: String
    var bytes: UInt64
    var lastUse: String

    static func all(_ entries: [StoreEntry]) -> [EntryText] {
        entries.map {
            EntryText(kind: $0.kind.rawValue, name: $0.name, bytes: $0.bytes, lastUse: utcText($0.lastUse))
        }
    }
}

/// A line for each kind: `payloads      456  1.2 GB  used 2026-11-20T12:00:00Z to 2026-11-23T07:00:00Z`.
private func table(_ entries: [StoreEntry]) -> String {
    let groups = StoreEntry.Kind.allCases.map { kind in (kind.rawValue, entries.filter { $0.kind == kind }) }
    let rows = (groups + [("all", entries)]).map { name, entries in
        (name, "\(entries.count)", byteText(entries.reduce(0) { $0 + $1.bytes }), entries.map(\.lastUse))
    }
    let widths = (
        rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0, rows.map(\.2.count).max() ?? 0
    )
    func padding(_ text: String, _ width: Int) -> String { String(repeating: " ", count: width - text.count) }
    return rows.map { name, count, bytes, uses in
        var line = "\(name)\(padding(name, widths.0))  \(padding(count, widths.1))\(count)"
        line += "  \(padding(bytes, widths.2))\(bytes)"
        if let first = uses.min(), let last = uses.max() { line += "  used \(utcText(first)) to \(utcText(last))" }
        return line
    }.joined(separator: "\n")
}

/// An age in seconds: days, or what a recipe's durations are written in.
private func seconds(_ text: String) -> Int64? {
    if text.hasSuffix("d") {
        guard let days = Int64(text.dropLast()), (0...100_000).contains(days) else { return nil }
        return days * 86_400
    }
    return Duration(recipeText: text).map { $0.wholeMilliseconds / 1000 }
}
