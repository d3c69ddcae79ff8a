internal import RootfsModel

/// Whether anybody outside of the machine hears of a service's death: where its descriptors 1 and 2 lead, and who tells
/// its end.
struct LogRule: Rule {
    static let name = "log"
    static let reason = "a service whose death leaves no byte outside of the machine is debugged by guessing"
    static let specification =
        "systemd.exec(5), journald.conf(5), Linux Documentation/admin-guide/serial-console, Firecracker's default boot arguments"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        if subject.services.isEmpty { return [] }
        let journal = try Journal(subject)
        var findings = consoleFindings(in: subject)
        var silentPackaged = [Service]()
        for start in try subject.serviceStarts() where !isJournal(start.service) && !isPrompt(start.service) {
            let service = start.service
            let own = sinks(of: service, journal, in: subject)
            if !own.isHeard {
                if isPackaged(service) {
                    silentPackaged.append(service)
                } else {
                    findings.append(silent(service, reasons: own.reasons))
                }
            } else if !own.wordsLeave, !isPackaged(service) {
                findings.append(
                    Finding(
                        "log/words-lost", .warning, "its death is told, but not what it says itself",
                        service: service.name,
                        reasons: own.reasons,
                        remedy:
                            "let StandardOutput and StandardError lead to the journal, at a SyslogLevel that it forwards",
                        location: service.location))
            }
            for launch in start.launches where launch.depth > 0 && launch.role != "ExecStopPost" {
                findings += finding(of: launch, service, own)
            }
        }
        if !silentPackaged.isEmpty { findings.append(kept(silentPackaged, journal)) }
        return findings
    }

    /// One finding for all units of packages that speak to the journal only: a system has many. It is an error where a
    /// death among them matters.
    private func kept(_ services: [Service], _ journal: Journal) -> Finding {
        let mortal = services.filter { $0.isLongRunning && !isManagers($0) }
        let others = services.filter { !mortal.contains($0) }
        func names(_ services: [Service]) -> String { services.map(\.name).joined(separator: ", ") }
        let count = "\(mortal.count) service\(mortal.count == 1 ? "" : "s") of packages"
        return Finding(
            "log/journal-only", mortal.isEmpty ? .warning : .error,
            mortal.isEmpty
                ? "what \(others.count) units of packages say stays in the machine"
                : "the death of \(count) leaves no byte outside of the machine: \(names(mortal))",
            path: "/etc/systemd/journald.conf",
            reasons: ["systemd tells their end to the journal"] + journal.reasons
                + (others.isEmpty ? [] : ["what these do at boot stays there too: \(names(others))"]),
            remedy: "add overlays/supervisor, or ForwardToConsole=yes to a file of /etc/systemd/journald.conf.d")
    }

    /// Whether a unit is the service manager's own plumbing: systemd's programs, and the prompts at its terminals.
    private func isManagers(_ service: Service) -> Bool {
        let programs = service.commands.filter { $0.role == "ExecStart" }.compactMap { $0.words.first }
        return !programs.isEmpty
            && programs.allSatisfy { program in
                program.hasPrefix("/usr/lib/systemd/") || program.hasPrefix("/lib/systemd/")
                    || baseName(program).hasPrefix("systemd-")
                    || ["agetty", "getty", "sulogin"].contains(baseName(program))
            }
    }

    /// What is known of a service's own descriptors.
    private struct Sinks {
        /// Whether a byte of its death gets out.
        var isHeard: Bool
        /// Whether its own words do.
        var wordsLeave: Bool
        /// Whether its manager tells its end where it is seen.
        var isReported: Bool
        var reasons: [String]
    }

    private func sinks(of service: Service, _ journal: Journal, in subject: CheckSubject) -> Sinks {
        switch service.origin {
        case .recipe, .systemd:
            let passes = journal.leavesMachine && service.logLevel <= journal.highestLevel
            func leaves(_ output: Service.Output) -> Bool { output == .journal && passes || isOutside(output) }
            let words = leaves(service.output) || leaves(service.errors)
            return Sinks(
                isHeard: words || journal.leavesMachine, wordsLeave: words, isReported: journal.leavesMachine,
                reasons: [
                    "its standard output leads to \(text(service.output)), its errors to \(text(service.errors))",
                    "the journal takes its lines at level \(service.logLevel) of 7 (SyslogLevel)",
                    "systemd tells its end to the journal",
                ] + journal.reasons)
        case .inittab, .runFolder, .script:
            // The first process has the console; what it starts inherits it, unless told otherwise.
            func leaves(_ output: Service.Output) -> Bool {
                output == .inherited || output == .journal && journal.leavesMachine || isOutside(output)
            }
            let words = leaves(service.output) || leaves(service.errors)
            // supervisord prints the end of what it starts, where it stays in the foreground.
            let isReported = service.managerOutput.map(leaves) ?? false
            return Sinks(
                isHeard: words || isReported, wordsLeave: words, isReported: isReported,
                reasons: [
                    "its standard output leads to \(text(service.output)), its errors to \(text(service.errors))",
                    isReported
                        ? "supervisord tells its end"
                        : service.managerOutput == .null
                            ? "supervisord tells its end to nobody: it is in the background, or silent"
                            : "who starts it does not tell its end",
                ])
        }
    }

    private func silent(_ service: Service, reasons: [String]) -> Finding {
        Finding(
            "log/unseen", .error, "its death leaves no byte outside of the machine", service: service.name,
            reasons: reasons,
            remedy: "add overlays/supervisor, or let its output lead to the journal with ForwardToConsole=yes",
            location: service.location)
    }

    /// What a script does to the output of a program that it starts and leaves running.
    private func finding(of launch: Launch, _ service: Service, _ own: Sinks) -> [Finding] {
        guard case .file(let output) = launch.output, case .file(let errors) = launch.errors,
            !isOutside(terminal: output), !isOutside(terminal: errors), !isProcess(output), !isProcess(errors)
        else { return [] }
        let name = launch.words.first ?? service.name
        let reasons = launch.reasons + ["its output leads to \(output), its errors to \(errors)"]
        if launch.isBackground || launch.isRepeated {
            // In a loop it may be a question that is asked again and again; packages know what they hide.
            let isOwn = launch.script.map { !isPackages($0) } ?? true
            return [
                Finding(
                    "log/swallowed", min(launch.severity, launch.isBackground && isOwn ? .error : .warning),
                    "the death of \(name) leaves no byte outside of the machine",
                    service: service.name, reasons: reasons + ["the script that starts it is not ended by its death"],
                    remedy: "leave the redirection out, or make it a service of its own", location: launch.location)
            ]
        }
        if !launch.replacesScript { return [] }
        if own.isReported {
            return [
                Finding(
                    "log/words-lost", .warning, "the death of \(name) is told, but not what it says itself",
                    service: service.name, reasons: reasons, remedy: "leave the redirection out",
                    location: launch.location)
            ]
        }
        var finding = silent(service, reasons: reasons + own.reasons)
        finding.severity = min(finding.severity, launch.severity)
        return [finding]
    }

    /// The console by the kernel's arguments.
    private func consoleFindings(in subject: CheckSubject) -> [Finding] {
        guard let kernel = subject.kernel else { return [] }
        let arguments = kernel.arguments
        let consoles = arguments.filter { $0.hasPrefix("console=") }.map { String($0.dropFirst("console=".count)) }
        let listed = "the kernel's arguments: \(arguments.joined(separator: " "))"
        if consoles.isEmpty || consoles == [""] || consoles == ["null"] {
            let isFirecracker = subject.machine.monitor == .firecracker
            return [
                Finding(
                    "log/no-console", arguments.isEmpty ? .warning : .error,
                    "the kernel is given no console: nothing that is printed is seen outside of the machine",
                    reasons: [arguments.isEmpty ? "no arguments of the kernel are known" : listed]
                        + (isFirecracker && arguments.isEmpty
                            ? ["Firecracker's own arguments have 8250.nr_uarts=0, which turns its serial line off"]
                            : []),
                    remedy: "add console=ttyS0 to the kernel's arguments")
            ]
        }
        guard let last = consoles.last else { return [] }
        if last.hasPrefix("ttyS"), arguments.last(where: { $0.hasPrefix("8250.nr_uarts=") }) == "8250.nr_uarts=0" {
            return [
                Finding(
                    "log/serial-off", .error, "the serial line that the console is on is turned off", reasons: [listed],
                    remedy: "take 8250.nr_uarts=0 out of the kernel's arguments")
            ]
        }
        if !isOutside(terminal: "/dev/" + last.prefix { $0 != "," }) {
            return [
                Finding(
                    "log/no-console", .error,
                    "the console that services write to is \(last), a screen that the machine does not have",
                    reasons: [listed, "/dev/console is the last console= of them"],
                    remedy: "name console=ttyS0 last")
            ]
        }
        return []
    }

    private func isJournal(_ service: Service) -> Bool {
        service.commands.contains { command in
            command.words.first.map { baseName($0).hasPrefix("systemd-journald") } ?? false
        }
    }

    /// A login or a shell on a terminal of its own, where somebody sits who sees it.
    private func isPrompt(_ service: Service) -> Bool {
        guard case .terminal = service.output, let words = service.commands.first?.words, let program = words.first
        else { return false }
        let name = baseName(program)
        return ["agetty", "getty", "login", "sulogin"].contains(name) || words.count == 1 && shellNames.contains(name)
    }

    /// A unit as its package brings it: whoever builds the image did not choose where its words go.
    private func isPackaged(_ service: Service) -> Bool {
        guard case .systemd(let path) = service.origin else { return false }
        return isPackages(path)
    }

    /// A path that is a process's own descriptor.
    private func isProcess(_ path: String) -> Bool {
        path.hasPrefix("/proc/") || path.hasPrefix("/dev/fd/") || path.hasPrefix("/dev/std")
    }

    private func text(_ output: Service.Output) -> String {
        switch output {
        case .inherited: "what its manager has"
        case .journal: "the journal"
        case .journalAndConsole: "the journal and the console"
        case .null: "/dev/null"
        case .terminal(let path), .file(let path): path.description
        case .socket: "a socket"
        }
    }
}
