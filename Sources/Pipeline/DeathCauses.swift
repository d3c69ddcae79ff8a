internal import Booting
internal import RootfsModel

/// What explains a death: findings of the check about its service whose rule leads to such an end, or whose file it
/// named; and changed files that it ran or named.
struct DeathCauses {
    private let findings: [CheckReport.Entry]
    /// Changed paths by themselves and, for libraries, by their names.
    private let changes: Set<String>
    private let libraries: [String: String]

    init(findings: [CheckReport.Entry], changes: [String]) {
        self.findings = findings
        self.changes = Set(changes)
        libraries = Dictionary(
            changes.filter { $0.contains(".so") }.map { (Self.name(of: $0), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    private static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    /// The indices of the findings that explain it, the likeliest first; where none does, the errors of its service.
    ///
    /// - Parameter service: as the recipe names it.
    func findings(for death: RecordedDeath, of service: String) -> [Int] {
        let words = Self.words(of: death)
        let rules = Self.rules(for: death)
        var found = [(index: Int, weight: Int)]()
        var errors = [Int]()
        for (index, finding) in findings.enumerated() {
            let isNamed = finding.concerns(service: service)
            let fits = rules.contains { finding.id.hasPrefix($0) }
            let paths = [finding.path, finding.missing].compactMap { $0 }
            let isMentioned = paths.contains {
                words.contains($0) || $0.contains(".so") && words.contains(Self.name(of: $0))
            }
            // A service dies neither of where its words go, nor of what it may do otherwise.
            if finding.id.hasPrefix("log/") { continue }
            if finding.severity == "note" {
                if isNamed && death.signal == "ILL" && finding.id.hasPrefix("cpu/") { found.append((index, 1)) }
                continue
            }
            if isNamed && finding.severity == "error" { errors.append(index) }
            guard isNamed ? fits || isMentioned : finding.service == nil && fits && isMentioned else { continue }
            let isChanged = paths.contains { changes.contains($0) }
            let reasons = [(isMentioned, 8), (isChanged, 4), (fits, 2), (finding.severity == "error", 1)]
            found.append((index, reasons.reduce(0) { $0 + ($1.0 ? $1.1 : 0) }))
        }
        if found.isEmpty { return errors }
        return found.sorted { ($1.weight, $0.index) < ($0.weight, $1.index) }.map(\.index)
    }

    /// The changed files that it ran or named, or that a finding is about, sorted.
    ///
    /// - Parameter first: the index of the likeliest finding.
    func changes(for death: RecordedDeath, first: Int?) -> [String] {
        var words = Self.words(of: death)
        if let first { words.formUnion([findings[first].path, findings[first].missing].compactMap { $0 }) }
        return Set(words.filter { changes.contains($0) } + words.compactMap { libraries[$0] }).sorted()
    }

    /// Paths and names of files among its arguments and in what it wrote.
    private static func words(of death: RecordedDeath) -> Set<String> {
        let texts = death.arguments + [death.reason] + death.lastLines(.max)
        var words = Set<String>()
        for text in texts {
            for word in text.split(whereSeparator: { " \t'\"`()[]<>,;=".contains($0) }) {
                // `/opt/app.js:12:3`, `libx.so.1:`.
                let path = word.prefix { $0 != ":" }
                if path.contains("/") || path.contains(".so") { words.insert(String(path)) }
            }
        }
        return words
    }

    /// What the ids of findings begin with that lead to such an end.
    private static func rules(for death: RecordedDeath) -> [String] {
        switch death.step {
        case "EXEC": return ["exec/", "libraries/"]
        case "USER": return ["exec/user", "state/accounts"]
        case "GROUP": return ["exec/group", "state/accounts"]
        case "CHDIR": return ["exec/working-directory"]
        case "NAMESPACE": return ["write/"]
        default: break
        }
        switch death.result {
        case "oom-kill": return ["memory/"]
        case "resources": return ["exec/environment-file", "exec/refused"]
        case "watchdog", "timeout": return ["entropy/", "clock/", "kernel/network"]
        default: break
        }
        switch death.signal {
        case "ILL": return ["cpu/"]
        case "TRAP": return ["chromium/", "icu/", "cpu/"]
        case "ABRT": return ["node/", "icu/", "chromium/", "modules/"]
        case "BUS", "SEGV": return ["libraries/", "icu/", "symbols/", "node/addon", "cpu/"]
        case "KILL": return ["memory/"]
        case nil: break
        default: return []
        }
        switch death.ending {
        case .exited(126): return ["exec/"]
        case .exited(127): return ["exec/", "libraries/", "symbols/"]
        case .exited(200): return ["exec/working-directory"]
        case .exited(203): return ["exec/", "libraries/"]
        case .exited(216), .exited(217): return ["exec/user", "exec/group", "state/accounts"]
        case .exited(226): return ["write/"]
        case .none: return ["exec/"]
        default:
            return [
                "node/", "icu/", "chromium/", "modules/", "libraries/", "symbols/", "write/", "exec/script-missing",
                "exec/missing", "state/",
            ]
        }
    }
}
