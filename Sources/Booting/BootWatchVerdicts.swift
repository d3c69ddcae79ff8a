// What a boot came to, from what was seen of it.

extension BootWatch {
    /// A verdict about a service whose process ended.
    func verdict(on service: ServiceState, _ death: Death?, _ kind: Verdict.Kind, at time: Duration) -> Verdict {
        let ending = death?.ending ?? "it does not come up"
        var summary = "\(service.unit): \(ending)"
        if kind == .died, let ready = service.readyAt, let death {
            summary += ", \(brief(death.time - ready)) after it was ready"
        } else if service.deaths.count > 1 {
            summary += ", \(service.deaths.count) times"
        }
        if let meaning = death?.meaning { summary += " -- \(meaning)" }
        return Verdict(
            kind, service: service.name, summary, time: death?.time ?? time, ending: death?.ending,
            meaning: death?.meaning)
    }

    func notReady(_ service: ServiceState, at time: Duration) -> Verdict {
        let probe = service.probe.map { " (\($0))" } ?? ""
        return Verdict(
            .notReady, service: service.name,
            "\(service.unit) was not ready in its time\(probe): \(service.answered ?? "nothing is known of it")",
            time: time, answered: service.answered)
    }

    /// A verdict with all that came after it: the supervisor's words for a service, whose process the kernel may have
    /// killed.
    func finished(_ verdict: Verdict) -> Verdict {
        guard let service = services.first(where: { $0.name == verdict.service }) else { return named(verdict) }
        var result = verdict
        if let death = service.deaths.last, verdict.kind == .died || verdict.kind == .unitFailed {
            let isMemory = death.result == "oom-kill"
            result = self.verdict(on: service, death, isMemory ? .outOfMemory : verdict.kind, at: verdict.time)
            result.time = verdict.time
        }
        result.evidence = verdict.evidence + service.lastLines.filter { !verdict.evidence.contains($0) }
        if result.kind == .outOfMemory, result.ending == nil { result.ending = service.deaths.last?.ending }
        return result
    }

    /// A kill for memory of no known service becomes that of the service that died with it.
    private func named(_ verdict: Verdict) -> Verdict {
        guard verdict.kind == .outOfMemory,
            let service = services.first(where: { service in
                service.deaths.contains { $0.result == "oom-kill" && $0.time + .seconds(5) >= verdict.time }
            })
        else { return verdict }
        var verdict = verdict
        verdict.service = service.name
        verdict.summary = "\(service.unit): \(verdict.summary)"
        verdict.ending = service.deaths.last?.ending
        return verdict
    }

    func verdictAtDeadline(_ time: Duration) -> Verdict {
        let limit = brief(request.deadline)
        if firstByte == nil { return noConsole(at: time) }
        if let service = services.first(where: { $0.readyAt == nil && $0.notReady > 0 }) {
            return finished(notReady(service, at: time))
        }
        if let service = services.first(where: { $0.readyAt == nil && !$0.deaths.isEmpty }) {
            return finished(verdict(on: service, service.deaths.last, .unitFailed, at: time))
        }
        let silence = time - lastByte
        if initStart == nil, silence >= patience.idle {
            return Verdict(
                .hung, "the kernel was heard of, and nothing more for \(brief(silence)): \(loadWords)",
                evidence: console.lines.suffix(12), time: time)
        }
        let waiting = services.filter { $0.readyAt == nil }
        var reasons = waiting.map { service in
            let host = service.lastAnswer.map { "; to the host: \($0.words)" } ?? ""
            return "\(service.unit) \(service.wasHeardOf ? "is running and" : "was not heard of and") did not say that "
                + "it is ready\(host)"
        }
        reasons += console.missing.map { "'\($0)' did not appear" }
        return Verdict(
            .notReady, service: waiting.first?.name, "after \(limit) \(reasons.joined(separator: "; "))",
            evidence: waiting.first?.lastLines ?? console.lines.suffix(12), time: time,
            answered: waiting.first?.lastAnswer?.words)
    }

    func noConsole(at time: Duration) -> Verdict {
        var words = "the serial line was silent for \(brief(time)), while \(loadWords)"
        let consoles = request.arguments.filter { $0.hasPrefix("console=") }
        if consoles.isEmpty {
            words += "; the kernel's arguments have no console="
        } else if !consoles.contains(where: { $0.hasPrefix("console=ttyS0") }) {
            words += "; the kernel's arguments say \(consoles.joined(separator: " ")), and the machine has ttyS0"
        } else if request.arguments.contains("8250.nr_uarts=0") {
            words += "; 8250.nr_uarts=0 takes the serial line away"
        }
        return Verdict(.noConsole, words, time: time)
    }

    var loadWords: String {
        guard let load else { return "nobody knows what the processor does" }
        return load < 0.15 ? "the processor idles" : "the processor works (\(Int((load * 100).rounded())) %)"
    }

    // MARK: - The machine

    mutating func look(at machine: MachineState, time: Duration) {
        let before = self.machine
        self.machine = machine
        if let last = lastSample {
            let passed = time - last.time
            if passed >= .seconds(2) {
                load = (machine.cpu - last.cpu) / passed
                lastSample = (time, machine.cpu)
                idleSince = load! < 0.15 ? idleSince ?? last.time : nil
            }
        } else {
            lastSample = (time, machine.cpu)
        }
        if let status = machine.status, !["running", "prelaunch", "shutdown"].contains(status) {
            var words = "the VMM paused the machine (\(status))"
            if status == "io-error" { words += ": the host cannot keep what the guest writes, is its disk full?" }
            decide(
                Verdict(.hung, words, evidence: console.lines.suffix(12), time: time), at: time, gathering: .zero)
        }
        let isStuck = machine.processors.map { now in
            !now.isEmpty && now.allSatisfy { !$0.takesInterrupts }
                && (now.allSatisfy(\.isHalted)
                    || before?.processors?.map(\.instruction.page) == now.map(\.instruction.page))
        }
        switch isStuck {
        case true?: stuckSince = stuckSince ?? time
        case false?: stuckSince = nil
        case nil: break
        }
        if let stuckSince, time - stuckSince >= patience.stuck, time - lastByte >= patience.stuck {
            let words = machine.processors?.allSatisfy(\.isHalted) == true ? "is halted" : "runs in a circle"
            decide(
                Verdict(
                    .hung,
                    "nothing came for \(brief(time - lastByte)), and the processor \(words) with its interrupts off",
                    evidence: console.lines.suffix(12), time: time), at: time, gathering: .zero)
        }
        guard firstByte == nil else { return }
        let idles = idleSince.map { time - $0 >= patience.idle } ?? false
        if idles || time >= patience.console { decide(noConsole(at: time), at: time, gathering: .zero) }
    }
}

extension UInt64 {
    fileprivate var page: UInt64 { self >> 12 }
}
