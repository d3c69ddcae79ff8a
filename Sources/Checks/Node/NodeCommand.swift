/// What a command line of Node asks for (Node's documentation, "Command-line API").
struct NodeCommand {
    /// The script, as it is written; nil for `-e` and the like.
    var script: String?
    /// What is loaded before it: `-r`, `--import`.
    var preloads: [(specifier: String, form: ModuleReference.Form)] = []
    /// `--icu-data-dir`, which wins over NODE_ICU_DATA.
    var icuDataDirectory: String?
    /// All options, without their values.
    var options: [String] = []
    /// Whether loaders or conditions may find modules in other ways.
    var changesResolution = false
    /// Whether a word may have been an option's value, not the script.
    var isAmbiguous = false

    /// Options whose value is the next word, where no `=` is in theirs.
    private static let withValue: Set<String> = [
        "-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--icu-data-dir",
        "--title", "--env-file", "--env-file-if-exists", "--inspect-port", "--openssl-config", "--redirect-warnings",
        "--diagnostic-dir", "--report-dir", "--report-directory", "--report-filename", "--report-signal",
        "--trace-event-categories", "--trace-event-file-pattern", "--dns-result-order", "--unhandled-rejections",
        "--max-http-header-size", "--stack-trace-limit", "--cpu-prof-dir", "--cpu-prof-name", "--cpu-prof-interval",
        "--heap-prof-dir", "--heap-prof-name", "--heap-prof-interval", "--heapsnapshot-signal",
        "--heapsnapshot-near-heap-limit", "--input-type", "--experimental-default-type", "--tls-cipher-list",
        "--tls-keylog", "--tls-min-v1.2", "--secure-heap", "--secure-heap-min", "--v8-pool-size", "--watch-path",
        "--disable-warning", "--disable-proto", "--use-largepages", "--localstorage-file", "--build-snapshot-config",
    ]

    /// - Parameters:
    ///   - words: what stands behind `node`.
    ///   - options: NODE_OPTIONS, which come first.
    init(words: [String], options nodeOptions: String? = nil) {
        var isEvaluated = false
        var index = 0
        let fromEnvironment = (nodeOptions ?? "").split(separator: " ").map(String.init)
        let all = fromEnvironment + words
        while index < all.count {
            let word = all[index]
            index += 1
            if word == "--" {
                if index < all.count, !isEvaluated { script = all[index] }
                break
            }
            guard word.hasPrefix("-"), word != "-" else {
                if index <= fromEnvironment.count { continue }
                if !isEvaluated { script = word == "-" ? nil : word }
                break
            }
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            let option = parts.first ?? word
            options.append(option)
            var value = parts.count == 2 ? parts[1] : nil
            if Self.withValue.contains(option), value == nil, index < all.count {
                value = all[index]
                index += 1
            } else if value == nil, option.hasPrefix("--"), index < all.count, !all[index].hasPrefix("-") {
                isAmbiguous = !Self.plain.contains(option) && !option.hasPrefix("--no-")
            }
            switch option {
            case "-e", "--eval", "-p", "--print", "-pe", "-i", "--interactive", "-v", "--version", "-h", "--help",
                "--test", "--run":
                isEvaluated = true
            case "-r", "--require": value.map { preloads.append(($0, .require)) }
            case "--import": value.map { preloads.append(($0, .staticImport)) }
            case "--icu-data-dir": icuDataDirectory = value
            default: break
            }
            if [
                "--loader", "--experimental-loader", "-C", "--conditions", "--preserve-symlinks",
                "--preserve-symlinks-main", "--experimental-specifier-resolution", "--require", "-r", "--import",
            ].contains(option) {
                changesResolution = true
            }
        }
        if isEvaluated { script = nil }
    }

    /// Options that people use and that take no value.
    private static let plain: Set<String> = [
        "--enable-source-maps", "--expose-gc", "--inspect", "--inspect-brk", "--trace-warnings", "--no-warnings",
        "--trace-uncaught", "--trace-deprecation", "--throw-deprecation", "--abort-on-uncaught-exception", "--watch",
        "--experimental-modules", "--experimental-vm-modules", "--experimental-fetch", "--experimental-require-module",
        "--experimental-detect-module", "--experimental-strip-types", "--experimental-sqlite", "--use-openssl-ca",
        "--use-bundled-ca", "--use-system-ca", "--force-fips", "--enable-fips", "--frozen-intrinsics", "--jitless",
        "--prof", "--cpu-prof", "--heap-prof", "--pending-deprecation", "--report-on-fatalerror",
        "--report-uncaught-exception", "--single-threaded", "--zero-fill-buffers", "--insecure-http-parser",
    ]
}
