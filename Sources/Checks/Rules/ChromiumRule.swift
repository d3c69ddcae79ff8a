import RootfsModel

/// Chromium's own files, and its sandbox.
public struct ChromiumRule: Rule {
    public static let name = "chromium"
    public static let reason =
        "Chromium without its data or a sandbox dies of SIGTRAP in the first second, and its wrapper prints nothing"
    public static let specification =
        "Chromium's docs/linux/sandboxing.md, base/i18n/icu_util.cc, gin/v8_initializer.cc; user_namespaces(7)"

    public init() {}

    private static let programs: Set<String> = [
        "chromium", "chrome", "google-chrome", "google-chrome-stable", "chromium-browser", "headless_shell",
        "chrome-headless-shell", "chromium-headless-shell",
    ]

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        try subject.serviceStarts().flatMap { start in
            let own = try start.service.commands.flatMap { try findings(of: $0, start.service, in: subject) }
            return try own + start.launchesOfScripts.flatMap { try findings(of: $0, start.service, in: subject) }
        }
    }

    private func findings(of command: Service.Command, _ service: Service, in subject: CheckSubject) throws
        -> [Finding]
    {
        guard let folder = try programFolder(of: command, in: subject) else { return [] }
        return try dataFindings(folder, service, command, in: subject)
            + sandboxFindings(folder, service, command, in: subject)
    }

    /// Of one that a script starts, as its user and with its environment.
    private func findings(of launch: Launch, _ service: Service, in subject: CheckSubject) throws -> [Finding] {
        guard launch.names.contains(where: Self.programs.contains) else { return [] }
        var service = service
        service.user = launch.identity?.name ?? service.user
        service.environment = launch.environment
        // Before a wrapper's own name stands its shell.
        let words = Array(launch.words.drop { !Self.programs.contains(baseName($0)) })
        // What the service names itself was looked at.
        let isOwn = service.commands.contains { own in
            own.words.first.map { Self.programs.contains(baseName($0)) } ?? false
                && own.words.dropFirst() == words.dropFirst()
        }
        if isOwn { return [] }
        let command = Service.Command(role: launch.role, words: words, location: launch.location)
        return try findings(of: command, service, in: subject).map { finding in
            var finding = finding
            finding.severity = min(finding.severity, launch.severity)
            finding.reasons = launch.reasons + finding.reasons
            return finding
        }
    }

    /// Where the program itself is: behind the wrapper script of the same name that distributions have.
    private func programFolder(of command: Service.Command, in subject: CheckSubject) throws -> TreePath? {
        guard let word = command.words.first, let name = word.split(separator: "/").last.map(String.init),
            Self.programs.contains(name)
        else { return nil }
        let folders = word.hasPrefix("/") ? [""] : ["/usr/local/bin/", "/usr/bin/", "/bin/"]
        guard
            let path = folders.lazy.compactMap({ TreePath(normalizing: $0 + word) })
                .compactMap({ subject.tree.resolve($0) }).first(where: { subject.tree[$0]?.blob != nil })
        else { return nil }
        if try subject.elfFile(at: path) != nil { return path.parent }
        let candidates = ["usr/lib/\(name)/\(name)", "usr/lib/chromium/chromium", "opt/google/chrome/chrome"]
        let found = candidates.lazy.compactMap { TreePath(normalizing: $0) }.first { subject.tree.resolve($0) != nil }
        return found?.parent
    }

    private func dataFindings(
        _ folder: TreePath, _ service: Service, _ command: Service.Command, in subject: CheckSubject
    ) throws -> [Finding] {
        let chain = ["\(command.role) starts \(command.words[0])", "the program is in \(folder)"]
        func node(_ name: String) -> FileNode? { subject.tree.resolvedNode(folder.appending(name.utf8)) }
        func missing(_ name: String, _ why: String, in folder: TreePath) -> Finding {
            Finding(
                "chromium/data-missing", .error, "Chromium does not start: \(folder)/\(name) is not there",
                service: service.name, path: folder, reasons: chain + [why], remedy: "install chromium anew",
                missing: folder.appending(name.utf8), location: command.location ?? service.location)
        }
        var findings = [Finding]()
        if let blob = node("icudtl.dat")?.blob {
            if try ICUData(blob, read: subject.read).defect != nil {
                findings.append(
                    Finding(
                        "chromium/data-invalid", .error, "Chromium does not start: its ICU data are damaged",
                        service: service.name, path: folder.appending("icudtl.dat".utf8),
                        reasons: chain + ["icudtl.dat is cut off or no ICU data file"],
                        remedy: "install chromium anew", location: command.location ?? service.location))
            }
        } else {
            findings.append(
                missing("icudtl.dat", "without it: Invalid file descriptor to ICU data received, SIGTRAP", in: folder))
        }
        let isHeadless = folder.text.contains("headless")
        if !isHeadless, node("resources.pak")?.blob == nil {
            findings.append(missing("resources.pak", "its pages, scripts and texts are in it", in: folder))
        }
        if node("v8_context_snapshot.bin")?.blob == nil, node("snapshot_blob.bin")?.blob == nil, !isHeadless {
            findings.append(missing("v8_context_snapshot.bin", "V8 starts from it", in: folder))
        }
        let locales = folder.appending("locales".utf8)
        if !isHeadless,
            !subject.tree.nodes[subject.tree.indices(below: locales)].contains(
                where: { $0.path.name.suffix(4).elementsEqual(".pak".utf8) })
        {
            findings.append(missing("en-US.pak", "it has the texts of no language", in: locales))
        }
        return findings
    }

    private func sandboxFindings(
        _ folder: TreePath, _ service: Service, _ command: Service.Command, in subject: CheckSubject
    ) throws -> [Finding] {
        guard try !isWithoutSandbox(service, command, in: subject) else { return [] }
        let location = command.location ?? service.location
        let start = "\(command.role) starts \(command.words[0]) without --no-sandbox"
        if service.user == "root" || service.user == "0" {
            return [
                Finding(
                    "chromium/root", .error, "Chromium does not run as root with its sandbox", service: service.name,
                    path: folder, reasons: [start, "the service runs as \(service.user)"],
                    remedy: "give the service a user, or --no-sandbox", location: location)
            ]
        }
        let helpers = ["chrome-sandbox", "chrome_sandbox"].compactMap {
            subject.tree.resolvedNode(folder.appending($0.utf8))
        }
        if helpers.contains(where: { $0.blob != nil && $0.metadata.uid == 0 && $0.metadata.mode & 0o4001 == 0o4001 }) {
            return []
        }
        guard let drivers = subject.drivers else { return [] }
        var findings = [Finding]()
        let obstacle: String?
        if drivers.value(of: "USER_NS") == "" {
            obstacle = "the kernel has no user namespaces (CONFIG_USER_NS)"
        } else {
            obstacle = try namespaceSetting(in: subject)
        }
        if let obstacle {
            findings.append(
                Finding(
                    "chromium/sandbox", .error, "Chromium does not start: it has no usable sandbox",
                    service: service.name, path: folder,
                    reasons: [start, obstacle, "and there is no setuid chrome-sandbox beside it"],
                    remedy: "allow user namespaces, or install chromium-sandbox", location: location))
        }
        if drivers.value(of: "SECCOMP_FILTER") == "" {
            findings.append(
                Finding(
                    "chromium/seccomp", .warning, "Chromium's sandbox is weak: the kernel has no seccomp filters",
                    service: service.name, path: folder, reasons: [start, "CONFIG_SECCOMP_FILTER is not set"],
                    remedy: "take a kernel with CONFIG_SECCOMP_FILTER", location: location))
        }
        return findings
    }

    /// Said on the command line, in the environment, or in the files that Debian's wrapper reads.
    private func isWithoutSandbox(_ service: Service, _ command: Service.Command, in subject: CheckSubject) throws
        -> Bool
    {
        let option = "--no-sandbox"
        if command.words.contains(option) || service.environment.values.contains(where: { $0.contains(option) }) {
            return true
        }
        let folder: TreePath = "etc/chromium.d"
        return try subject.tree.nodes[subject.tree.indices(below: folder)].contains { node in
            try subject.settingLines(of: node.path).contains { $0.contains(option) }
        }
    }

    /// The line of sysctl.d that takes user namespaces away; the last file by name has the last word (sysctl.d(5)).
    private func namespaceSetting(in subject: CheckSubject) throws -> String? {
        var files = [String: TreePath]()
        for folder in ["usr/lib/sysctl.d", "run/sysctl.d", "etc/sysctl.d"] as [TreePath] {
            guard let folder = subject.tree.resolve(folder) else { continue }
            for node in subject.tree.nodes[subject.tree.indices(below: folder)]
            where node.path.name.suffix(5).elementsEqual(".conf".utf8) {
                files[String(decoding: node.path.name, as: UTF8.self)] = node.path
            }
        }
        var denied = ["user.max_user_namespaces": "0"]
        // Debian's kernels have this one besides.
        if subject.kernel?.release?.hasSuffix("-" + subject.architecture) == true {
            denied["kernel.unprivileged_userns_clone"] = "0"
        }
        var said = [String: (value: String, path: TreePath)]()
        for (_, path) in files.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            for line in try subject.settingLines(of: path) {
                let parts = line.split(separator: "=", maxSplits: 1).map { part in
                    String(part.drop { " \t-".contains($0) }.reversed().drop { " \t".contains($0) }.reversed())
                }
                guard parts.count == 2 else { continue }
                let name = String(parts[0].map { $0 == "/" ? "." : $0 })
                if denied[name] != nil { said[name] = (parts[1], path) }
            }
        }
        return said.sorted { $0.key < $1.key }.first { denied[$0.key] == $0.value.value }
            .map { "\($0.value.path) sets \($0.key) to \($0.value.value)" }
    }
}
