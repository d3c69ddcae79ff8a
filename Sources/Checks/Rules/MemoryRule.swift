import RootfsModel

/// A machine that is too small for what it is to run.
public struct MemoryRule: Rule {
    public static let name = "memory"
    public static let reason =
        "the kernel kills the largest program when memory runs out, and nothing but its signal tells why"
    public static let specification =
        "proc_pid_oom_score(5); measured: Chromium with one small page takes 293 MiB, systemd at the prompt 121 MiB"

    public init() {}

    private static let mebibyte: UInt64 = 1 << 20
    /// Chromium with its helpers and one small page, and a system below it.
    private static let leastForChromium = 384 * mebibyte
    private static let easyForChromium = 768 * mebibyte

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        sumFindings(subject)
            + subject.services.flatMap { service in
                chromiumFindings(service, in: subject) + heapFindings(service, in: subject)
            }
    }

    private func sumFindings(_ subject: CheckSubject) -> [Finding] {
        let stated = subject.services.compactMap { service in service.memory.map { (service.name, $0) } }
        let sum = stated.reduce(UInt64(0)) { sum, need in
            let (total, overflow) = sum.addingReportingOverflow(need.1)
            return overflow ? .max : total
        }
        guard sum > subject.machine.memory else { return [] }
        return [
            Finding(
                "memory/sum", .error,
                "the services need \(Self.text(sum)), and the machine has \(Self.text(subject.machine.memory))",
                reasons: stated.map { "\($0.0) says it needs \(Self.text($0.1))" },
                remedy: "give the machine more memory, or the services less")
        ]
    }

    private func chromiumFindings(_ service: Service, in subject: CheckSubject) -> [Finding] {
        guard let command = service.commands.first(where: isChromium), subject.machine.memory < Self.easyForChromium
        else { return [] }
        let isTooSmall = subject.machine.memory < Self.leastForChromium
        return [
            Finding(
                "memory/chromium", isTooSmall ? .error : .warning,
                "Chromium \(isTooSmall ? "does not run" : "has little room") in \(Self.text(subject.machine.memory))",
                service: service.name,
                reasons: [
                    "\(command.role) starts \(command.words[0])",
                    "with one small page it takes some 300 MiB, and the system below it 120 MiB",
                ], remedy: "give the machine 1 GiB or more: machine.memory", location: service.location)
        ]
    }

    private func isChromium(_ command: Service.Command) -> Bool {
        let names = [
            "chromium", "chrome", "google-chrome", "chromium-browser", "headless_shell", "chrome-headless-shell",
        ]
        return command.words.first?.split(separator: "/").last.map { names.contains(String($0)) } ?? false
    }

    /// A heap that a program was given and the machine does not have: V8's and the Java machine's.
    private func heapFindings(_ service: Service, in subject: CheckSubject) -> [Finding] {
        var words = service.commands.flatMap(\.words)
        for name in ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "JAVA_OPTS"] {
            words += (service.environment[name] ?? "").split(separator: " ").map(String.init)
        }
        return words.compactMap { word in
            guard let size = Self.heapSize(word), size > subject.machine.memory else { return nil }
            return Finding(
                "memory/heap", .warning, "\(word) allows a heap larger than the machine's memory",
                service: service.name,
                reasons: ["the machine has \(Self.text(subject.machine.memory))", "\(word) is \(Self.text(size))"],
                remedy: "lower it, or give the machine more memory", location: service.location)
        }
    }

    /// Bytes of `--max-old-space-size=4096` (MiB), `-Xms2g`, `-Xmx512m`.
    static func heapSize(_ word: String) -> UInt64? {
        for option in ["--max-old-space-size=", "--max_old_space_size="] where word.hasPrefix(option) {
            return UInt64(word.dropFirst(option.count)).flatMap { scaled($0, by: mebibyte) }
        }
        guard word.hasPrefix("-Xms") || word.hasPrefix("-Xmx") else { return nil }
        let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        let size = word.dropFirst(4).lowercased()
        guard let last = size.last, let unit = units[last] else { return UInt64(size) }
        return UInt64(size.dropLast()).flatMap { scaled($0, by: unit) }
    }

    private static func scaled(_ number: UInt64, by unit: UInt64) -> UInt64 {
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? .max : product
    }

    private static func text(_ bytes: UInt64) -> String {
        bytes < mebibyte ? "\(bytes) bytes" : "\((bytes + mebibyte - 1) / mebibyte) MiB"
    }
}
