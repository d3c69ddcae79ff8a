internal import ArgumentParser
internal import CLinux
internal import Glibc
internal import Pipeline
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Where the store is.
struct StoreOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The store of downloads and layers (default: $XDG_CACHE_HOME/rootfs-build, else ~/.cache/rootfs-build).",
            valueName: "directory"))
    var cache: String?

    func open() throws -> Store {
        try Store(at: absolutePath(cache ?? Self.defaultPath()))
    }

    /// The store, if there is one: for what only looks.
    func openExisting() throws -> Store? {
        let path = try absolutePath(cache ?? Self.defaultPath())
        return isDirectory(path.appending("payloads")) ? try Store(at: path) : nil
    }

    private static func defaultPath() throws(Failure) -> String {
        if let cache = environmentValue("XDG_CACHE_HOME"), cache.hasPrefix("/") { return cache + "/rootfs-build" }
        if let home = environmentValue("HOME"), home.hasPrefix("/") { return home + "/.cache/rootfs-build" }
        throw Failure("no place for the store: HOME is not set", hint: "name one with --cache", status: .usage)
    }
}

/// What a build or a lock takes besides its recipes.
struct BuildOptions: ParsableArguments {
    @OptionGroup var sources: SourceOptions

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Switch a rule of normalising off (can be repeated): \(normalizationRules.joined(separator: ", ")).",
            valueName: "rule"))
    var keep: [String] = []

    func validate() throws {
        for rule in keep where !normalizationRules.contains(rule) {
            let near = nearestName(to: rule, among: normalizationRules)
            throw ValidationError(
                "There is no rule '\(rule)' of normalising; "
                    + (near.map { "did you mean '\($0)'?" } ?? "--help lists them."))
        }
    }

    /// The settings of a build, with all that is read from outside.
    func settings(progress: @escaping ProgressSink) throws -> BuildSettings {
        var settings = try sources.settings(progress: progress)
        settings.kept = Set(keep)
        return settings
    }
}

/// Where what a recipe asks for comes from, and how it is worked on.
struct SourceOptions: ParsableArguments {
    @OptionGroup var store: StoreOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The archive to take packages from: a URL or a directory (default: the recipe's, else the host's APT sources).",
            valueName: "url|directory"))
    var mirror: String?

    @Option(
        name: .customLong("package-dir"), parsing: .singleValue,
        help: ArgumentHelp(
            "A directory with .debs, under any names, before the mirrors (can be repeated).", valueName: "directory"))
    var packageDirectories: [String] = []

    @Flag(name: .long, help: "Download nothing; name what the store lacks.")
    var offline = false

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Give a variable of the recipe another value (can be repeated).", valueName: "name=value"))
    var assignments: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("How many things to do at once (default: the processors).", valueName: "n"))
    var jobs: Int?

    /// For `reproduce`, which gives its builds clocks of their own.
    @Option(name: .long, help: .hidden)
    var now: Int64?

    /// Likewise for a nightly build that is built twice: the lock, instead of the one beside the recipe.
    @Option(name: .long, help: .hidden)
    var lock: String?

    func validate() throws {
        if let jobs, jobs < 1 || jobs > 1024 { throw ValidationError("--jobs takes a number from 1 to 1024.") }
        for assignment in assignments where !assignment.dropFirst().contains("=") || assignment.hasPrefix("=") {
            throw ValidationError("--set takes name=value, not '\(assignment)'.")
        }
    }

    /// The settings of a build, with all that is read from outside.
    func settings(progress: @escaping ProgressSink) throws -> BuildSettings {
        var settings = BuildSettings(
            store: try store.open(),
            mirror: try mirror.map { isDirectoryPath($0) ? try absolutePath($0).string : $0 },
            offline: offline,
            variables: assignments.map { assignment in
                let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), String(parts[1]))
            },
            jobs: jobs ?? processorCount(),
            now: now ?? Int64(time(nil)),
            hostArchitecture: try hostArchitecture(),
            toolVersion: toolVersion,
            measure: measureNow,
            progress: progress)
        settings.lock = try lock.map { try absolutePath($0) }
        settings.packageDirectories = try packageDirectories.map { name in
            let path = try absolutePath(name)
            if isDirectory(path) { return path }
            throw Failure("--package-dir: there is no directory \(path)", status: .usage)
        }
        settings.program = "xxh3:\(try Blob(file: "/proc/self/exe").takeChecksum())"
        return settings
    }
}

/// Whether a mirror's name is a path: an address has a scheme.
private func isDirectoryPath(_ text: String) -> Bool {
    !text.prefix { $0 != "/" }.contains(":")
}

/// All variables of the environment, `NAME=value`.
func wholeEnvironment() -> [String] {
    guard let text = try? readFile(at: "/proc/self/environ") else { return [] }
    return text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}

/// The value of an environment variable; nil when it is unset or empty.
func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}

/// The processors that are online.
func processorCount() -> Int {
    max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// A path made absolute by the working directory.
func absolutePath(_ path: String) throws(Failure) -> FilePath {
    let path = FilePath(path)
    if path.isAbsolute { return path.lexicallyNormalized() }
    guard let directory = getcwd(nil, 0) else { throw systemFailure("find", "the working directory") }
    defer { free(directory) }
    return FilePath(platformString: directory).pushing(path).lexicallyNormalized()
}

/// Debian's name of the processor architecture that the program runs on.
func hostArchitecture() throws(Failure) -> String {
    var name = utsname()
    uname(&name)
    let machine = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    switch machine {
    case "x86_64": return "amd64"
    case "aarch64": return "arm64"
    default: throw Failure("this program does not know Debian's name of the architecture \(machine)")
    }
}

@Sendable private func measureNow() -> Measurement {
    Measurement(wall: monotonicNanoseconds(), cpu: clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID))
}
