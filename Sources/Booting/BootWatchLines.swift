// What a boot's lines mean: the kernel's, the initrd's, PID 1's and the supervisor's.

extension BootWatch {
    mutating func take(_ line: ConsoleLine) {
        let guest = GuestLine(line.text)
        if let stamp = guest.stamp { kernelStart = min(kernelStart ?? line.time, max(.zero, line.time - stamp)) }
        if pending?.verdict.kind == .kernelPanic || pending?.verdict.service == nil, pending != nil {
            if pending!.verdict.evidence.count < 60 { pending!.verdict.evidence.append(line) }
            if line.text.has("---[ end Kernel panic") { pending!.until = line.time }
        }
        if takeInitrd(guest, line) || takeKernel(guest, line) { return }
        guard let source = guest.source else {
            if !line.text.isEmpty, guest.stamp == nil, !line.text.hasPrefix("initr") { noteInit(line.time) }
            return
        }
        noteInit(line.time)
        if source == "microvm" {
            takeSupervisor(guest, line)
        } else if let index = services.firstIndex(where: { $0.unit == source }) {
            takeService(index, guest, line)
        } else if let index = services.firstIndex(where: { guest.text.has("\($0.unit).service") }) {
            takeSystemd(of: index, guest, line)
        } else if source == "systemd" {
            takeSystemd(guest, line)
        }
    }

    private mutating func noteInit(_ time: Duration) {
        if initStart == nil { initStart = time }
    }

    private mutating func remark(_ line: ConsoleLine) {
        if remarks.count < 20 { remarks.append(line) }
    }

    // MARK: - Before init

    private mutating func takeInitrd(_ guest: GuestLine, _ line: ConsoleLine) -> Bool {
        guard guest.source == nil, let mark = ["initrd: ", "initramfs: "].first(where: { guest.text.hasPrefix($0) })
        else { return false }
        let words = guest.text.dropFirst(mark.count)
        guard let reason = words.between("FATAL: ") else { return true }
        let isInit = reason.contains("no init in") || reason.hasPrefix("init=")
        // The lines after it name what there was instead; then it restarts the machine.
        decide(
            Verdict(isInit ? .noInit : .noRootDevice, "the initrd says: \(reason)", evidence: [line], time: line.time),
            at: line.time, gathering: patience.gathering + .seconds(2))
        return true
    }

    private mutating func takeKernel(_ guest: GuestLine, _ line: ConsoleLine) -> Bool {
        let text = line.text
        if text.has("Kernel panic - not syncing: "), let reason = text.between("Kernel panic - not syncing: ") {
            takePanic(String(reason), line)
            return true
        }
        if text.has("Failed to execute ") && guest.source == nil || text.has("can't execute '") {
            initMistake = line
            return true
        }
        if text.has("Out of memory: Killed process") || text.has("emory cgroup out of memory: Killed process") {
            let victim = text.between("Killed process ").map { String($0.prefix { $0 != "," }) } ?? ""
            decide(
                Verdict(
                    .outOfMemory, "the kernel killed process \(victim.prefix(60)) for memory",
                    evidence: Array(console.lines.suffix(4)) + [line], time: line.time), at: line.time)
            return true
        }
        if text.has("No space left on device") || text.has("EXT4-fs error")
            || text.has("I/O error, dev ")
            || text.has("soft lockup") || text.has("detected stalls on CPUs")
            || text.has("blocked for more than")
        {
            if remarks.last?.text.suffix(60) != text.suffix(60) { remark(line) }
            return false
        }
        if text.has("reboot: Restarting system") || text.has("reboot: System halted")
            || text.has("reboot: Power down")
        {
            goodbye = line
            return true
        }
        return false
    }

    private mutating func takePanic(_ reason: String, _ line: ConsoleLine) {
        var kind = Verdict.Kind.kernelPanic
        if reason.contains("Unable to mount root fs") {
            kind = .noRootDevice
        } else if reason.contains("No working init found") || reason.hasPrefix("Requested init ") {
            kind = .noInit
        } else if reason.contains("Attempted to kill init"), initMistake != nil, initStart == nil {
            kind = .noInit
        } else if reason.contains("Out of memory") || reason.contains("deadlocked on memory") {
            kind = .outOfMemory
        }
        var words = reason
        if kind == .noInit, let mistake = initMistake { words += " (\(mistake.text))" }
        let before = console.lines.suffix(3).filter { $0.time + .seconds(1) >= line.time && $0 != line }
        // What was certain before may be no more than the way there, but it says the cause: it stays.
        decide(
            Verdict(
                kind, "the kernel panicked: \(words)",
                evidence: (initMistake.map { [$0] } ?? []) + before.filter { $0 != initMistake } + [line],
                time: line.time), at: line.time)
    }

    // MARK: - Services

    private mutating func takeService(_ index: Int, _ guest: GuestLine, _ line: ConsoleLine) {
        services[index].keep(line)
        let text = guest.text
        if text.hasPrefix("ready after ") {
            if services[index].readyAt == nil {
                services[index].readyAt = line.time
                services[index].readyWords = String(text.dropFirst("ready after ".count))
            }
        } else if text.hasPrefix("NOT READY within ") {
            takeNotReady(index, text, line)
        } else if text.hasPrefix("DIED \(services[index].unit).service: ") {
            if let death = Death(died: text, at: line.time, wasReady: services[index].readyAt != nil) {
                takeDeath(index, death, line)
            }
        } else if text.hasPrefix("ENDED \(services[index].unit).service: "), services[index].runsForEver,
            services[index].readyAt != nil, text.hasSuffix("exit status 0")
        {
            let death = Death(endedAt: line.time, meaning: "it ended by itself, which a service does not")
            takeDeath(index, death, line)
        }
    }

    /// `NOT READY within 30.0s: tcp 127.0.0.1:80: no connection to 127.0.0.1:80`.
    private mutating func takeNotReady(_ index: Int, _ text: String, _ line: ConsoleLine) {
        let words = text.between("s: ") ?? text[...]
        let probe = services[index].probe?.description ?? ""
        let answer = words.hasPrefix(probe + ": ") ? String(words.dropFirst(probe.count + 2)) : String(words)
        services[index].notReady += 1
        services[index].answered = answer
        // Once may be a slow host; it is started again and has the same time anew.
        guard services[index].notReady > 1, services[index].readyAt == nil else { return }
        decide(notReady(services[index], at: line.time), at: line.time)
    }

    private mutating func takeDeath(_ index: Int, _ death: Death, _ line: ConsoleLine) {
        guard services[index].add(death) else { return }
        let service = services[index]
        if death.wasReady {
            decide(verdict(on: service, death, .died, at: line.time), at: line.time)
        } else if death.isHopeless {
            decide(verdict(on: service, death, .unitFailed, at: line.time), at: line.time)
        }
    }

    private mutating func takeSystemd(of index: Int, _ guest: GuestLine, _ line: ConsoleLine) {
        services[index].keep(line)
        if guest.text.has("killed by the OOM killer") {
            decide(
                Verdict(
                    .outOfMemory, service: services[index].name,
                    "a process of \(services[index].unit) was killed for memory", evidence: [line], time: line.time),
                at: line.time)
        } else if let death = Death(systemd: guest.text, at: line.time, wasReady: services[index].readyAt != nil) {
            takeDeath(index, death, line)
        }
    }

    private mutating func takeSystemd(_ guest: GuestLine, _ line: ConsoleLine) {
        if guest.text.has("Freezing execution") {
            decide(Verdict(.hung, "PID 1 froze: \(guest.text)", evidence: [line], time: line.time), at: line.time)
        } else if guest.text.has("emergency mode") || guest.text.has("Emergency Mode") {
            decide(
                Verdict(.unitFailed, "systemd went into emergency mode", evidence: [line], time: line.time),
                at: line.time)
        }
    }

    // MARK: - The supervisor as a whole

    private mutating func takeSupervisor(_ guest: GuestLine, _ line: ConsoleLine) {
        if let unit = guest.text.between("GAVE UP on ", and: ".service"),
            let index = services.firstIndex(where: { $0.unit == unit })
        {
            giveUp = index
            services[index].isGivenUp = true
            services[index].keep(line)
            if services[index].notReady > 0, services[index].deaths.last?.wasStopped ?? true {
                decide(notReady(services[index], at: line.time), at: line.time)
            } else {
                decide(
                    verdict(on: services[index], services[index].deaths.last, .unitFailed, at: line.time),
                    at: line.time)
            }
        } else if guest.text.hasPrefix("  | "), let giveUp {
            services[giveUp].keep(line)
        } else if guest.text.hasPrefix("BOOTED after ") {
            memory = Memory(guest.text)
        }
    }
}

extension Death {
    /// The end of a service, with status 0, that was to run for ever.
    fileprivate init(endedAt time: Duration, meaning: String) {
        self.time = time
        ending = "exit status 0"
        result = "success"
        self.meaning = meaning
        wasReady = true
        isReported = true
    }
}

extension BootWatch.Memory {
    /// `BOOTED after 12.3s: memory 121 MiB of 973 MiB used, app-web 88 MiB, app-display 82 MiB`.
    init?(_ text: String) {
        func mebibytes(_ words: Substring?) -> Int? { words.flatMap { Int($0.prefix { $0 != " " && $0 != "." }) } }
        guard let used = mebibytes(text.between("memory ")), let total = mebibytes(text.between(" of ")) else {
            return nil
        }
        self.used = used
        self.total = total
        services = text.split(separator: ", ").dropFirst().compactMap { part in
            let words = part.split(separator: " ")
            guard words.count == 3, words[0].hasPrefix("app-"), let used = mebibytes(words[1]) else { return nil }
            return (String(words[0].dropFirst(4)), used)
        }
    }
}
