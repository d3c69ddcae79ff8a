import RootfsModel
import Testing

@testable import Booting

/// Verdicts from the texts of real consoles, fed as bytes with made-up times.
@Suite struct BootWatchTests {
    private static let service = BootRequest.Service("web", probe: .http("http://127.0.0.1:8080/healthz"))

    private func watch(
        _ services: [BootRequest.Service] = [service], expect: [String] = [], arguments: [String] = ["console=ttyS0"],
        isSupervised: Bool = true, soak: Duration = .seconds(30)
    ) -> BootWatch {
        BootWatch(
            BootRequest(
                kernel: "k", initrd: nil, image: "i", arguments: arguments, memory: 512, vcpus: 1, services: services,
                expect: expect, isSupervised: isSupervised, deadline: .seconds(120), soak: soak))
    }

    /// Feeds a text whose lines begin with the host's seconds and a bar; lets time pass to the end.
    private func run(_ text: String, until end: Double, _ watch: BootWatch) -> BootWatch {
        var watch = watch
        var now = 0.0
        func pass(to time: Double) {
            while now + 1 < time {
                now += 1
                watch.tick(at: .milliseconds(Int64(now * 1000)))
            }
            now = time
        }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "|", maxSplits: 1)
            let time = Double(parts[0].trimming(" "))!
            pass(to: time)
            _ = watch.append(Array("\(parts[1])\r\n".utf8), at: .milliseconds(Int64(time * 1000)))
        }
        pass(to: end)
        watch.tick(at: .milliseconds(Int64(end * 1000)))
        return watch
    }

    private static let good = """
        12.0|[   11.388000] microvm-net[119]: eth0 10.0.2.15/255.255.255.0 via 10.0.2.2
        14.5|[   13.879616] app-web[126]: listening
        15.0|[   14.300000] app-web[127]: ready after 1.2s: http http://127.0.0.1:8080/healthz
        15.5|[   14.800000] microvm[130]: BOOTED after 14.8s: memory 121 MiB of 473 MiB used, app-web 88 MiB
        16.0|minimal login:
        """

    @Test func aServiceThatBecomesReadyAndLivesIsProven() throws {
        var watch = run(Self.good, until: 45.9, watch(expect: ["login:"]))
        #expect(watch.verdict == nil)
        #expect(!watch.isSoaked(at: .milliseconds(45_900)) && watch.isSoaked(at: .seconds(46)))
        watch.conclude(at: .seconds(46))
        let verdict = try #require(watch.verdict)
        #expect(verdict.kind == .proven)
        #expect(verdict.summary == "all was ready after 16.0 s, and nothing died for 30.0 s")
        #expect(watch.services[0].readyAt == .seconds(15))
        #expect(watch.services[0].readyWords == "1.2s: http http://127.0.0.1:8080/healthz")
        #expect(watch.kernelStart == .milliseconds(612) && watch.initStart == .seconds(12))
        #expect(watch.memory?.used == 121 && watch.memory?.total == 473)
        #expect(watch.memory?.services.map(\.name) == ["web"] && watch.memory?.services.map(\.used) == [88])
        #expect(watch.warnings == [])
    }

    @Test func aDeathBeforeReadinessThatRecoversIsAWarning() {
        let text = """
            12.0|[   11.0] app-web[126]: EADDRINUSE
            12.1|[   11.1] systemd[1]: app-web.service: Main process exited, code=exited, status=1/FAILURE
            12.9|[   11.9] app-web[128]: DIED app-web.service: exit status 1, result=exit-code, restart #0, uptime 0s -- its own words are above
            15.0|[   14.0] app-web[131]: ready after 0.2s: http http://127.0.0.1:8080/healthz
            """
        var watch = run(text, until: 45, watch())
        watch.conclude(at: .seconds(45))
        #expect(watch.verdict?.kind == .proven)
        #expect(watch.services[0].deaths.count == 1)
        #expect(watch.warnings == ["app-web died once before it was ready after 15.0 s: exit status 1"])
    }

    @Test func whatSystemdCannotStartFailsAtOnceWithItsReason() throws {
        let text = """
            12.804|[   12.804] (node)[153]: app-web.service: Failed at step EXEC spawning /usr/local/bin/node: No such file or directory
            12.878|[   12.878] systemd[1]: app-web.service: Main process exited, code=exited, status=203/EXEC
            13.862|[   13.862] app-web[155]: DIED app-web.service: exit status 203, result=exit-code, restart #0, uptime 0s -- systemd could not execute it
            """
        let verdict = try #require(run(text, until: 16, watch()).verdict)
        #expect(verdict.kind == .unitFailed && verdict.service == "web")
        #expect(verdict.summary == "app-web: exit status 203 -- systemd could not execute it")
        #expect(verdict.time == .milliseconds(12_878))
        #expect(verdict.evidence.count == 3)
        #expect(verdict.evidence.first?.text.contains("/usr/local/bin/node: No such file") == true)
    }

    /// For these systemd cannot run ExecStopPost= either, so nobody prints a DIED line.
    @Test(arguments: [
        ("code=exited, status=217/USER", "exit status 217 -- its User= does not exist in the image"),
        ("code=exited, status=200/CHDIR", "exit status 200 -- its WorkingDirectory= does not exist"),
        (
            "code=exited, status=226/NAMESPACE",
            "exit status 226 -- a path in its sandbox settings (ReadWritePaths= and the like) does not exist"
        ),
    ])
    func whatOnlyPID1SaysIsEnough(_ words: String, _ summary: String) {
        let text = "12.8|[   12.8] systemd[1]: app-web.service: Main process exited, \(words)"
        let verdict = run(text, until: 16, watch()).verdict
        #expect(verdict?.kind == .unitFailed)
        #expect(verdict?.summary == "app-web: \(summary)")
    }

    @Test func aMissingEnvironmentFileIsAUnitThatFailed() {
        let text =
            "12.8|[   12.8] systemd[1]: app-web.service: Failed to load environment files: No such file or directory"
        let verdict = run(text, until: 16, watch()).verdict
        #expect(verdict?.kind == .unitFailed && verdict?.ending == "no process was started")
    }

    @Test func givingUpIsTheVerdictWithTheLastLines() throws {
        let text = """
            12.1|[   11.1] systemd[1]: app-web.service: Main process exited, code=killed, status=4/ILL
            12.9|[   11.9] app-web[128]: DIED app-web.service: signal SIGILL, result=signal, restart #4, uptime 0s -- illegal instruction
            18.2|[   18.2] microvm[174]: GAVE UP on app-web.service (no more restarts). Last lines:
            18.3|[   18.3] microvm[174]:   | the last word
            """
        let verdict = try #require(run(text, until: 22, watch()).verdict)
        #expect(verdict.kind == .unitFailed && verdict.ending == "signal SIGILL")
        #expect(verdict.meaning == "illegal instruction")
        #expect(verdict.evidence.last?.text.hasSuffix("| the last word") == true)
    }

    @Test func aDeathDuringTheSoakIsNoMatterWhetherItRecovers() throws {
        let text =
            Self.good + """

                20.0|[   19.0] systemd[1]: app-web.service: Main process exited, code=killed, status=9/KILL
                20.4|[   19.4] app-web[140]: DIED app-web.service: signal SIGKILL, result=signal, restart #0, uptime 5s -- killed from outside
                22.0|[   21.0] app-web[142]: ready after 0.1s: http http://127.0.0.1:8080/healthz
                """
        let verdict = try #require(run(text, until: 24, watch(expect: ["login:"])).verdict)
        #expect(verdict.kind == .died && verdict.service == "web")
        #expect(verdict.summary == "app-web: signal SIGKILL, 5.0 s after it was ready -- killed from outside")
    }

    @Test func anEndWithStatus0IsADeathOnlyOfWhatIsToRunForEver() {
        let text = Self.good + "\n20.0|[   19.0] app-web[140]: ENDED app-web.service: exit status 0"
        #expect(run(text, until: 24, watch()).verdict?.kind == .died)
        let once = BootRequest.Service("web", runsForEver: false)
        #expect(run(text, until: 24, watch([once])).verdict == nil)
    }

    @Test func whatDidAnswerIsSaidWhereReadinessIsNotReached() throws {
        let line = "NOT READY within 30.0s: http http://127.0.0.1:8080/healthz: HTTP/1.1 503 Service Unavailable"
        let one = "42.0|[   41.0] app-web[127]: \(line)"
        #expect(run(one, until: 60, watch()).verdict == nil)
        for text in [one + "\n75.0|[   74.0] app-web[150]: \(line)", one] {
            let verdict = try #require(run(text, until: 121, watch()).verdict)
            #expect(verdict.kind == .notReady && verdict.service == "web")
            #expect(verdict.answered == "HTTP/1.1 503 Service Unavailable")
        }
    }

    @Test func whatIsGivenUpBecauseItWasNotReadyIsNotReady() throws {
        func verdict(_ ending: String) -> Verdict? {
            let text = """
                42.0|[   41.0] app-web[127]: NOT READY within 30.0s: http http://127.0.0.1:8080/healthz: no connection
                42.5|[   41.5] app-web[128]: DIED app-web.service: \(ending), result=exit-code, restart #0, uptime 30s -- why
                43.0|[   42.0] microvm[129]: GAVE UP on app-web.service (no more restarts). Last lines:
                """
            return run(text, until: 46, watch()).verdict
        }
        #expect(verdict("signal SIGTERM")?.kind == .notReady)
        #expect(verdict("signal SIGTERM")?.answered == "no connection")
        #expect(verdict("exit status 1")?.kind == .unitFailed)
    }

    @Test func whatIsNeverHeardOfIsNotReadyAtTheDeadline() throws {
        let verdict = try #require(
            run("12.0|[   11.0] systemd[1]: up", until: 121, watch(expect: ["login:"])).verdict)
        #expect(verdict.kind == .notReady)
        #expect(
            verdict.summary
                == "after 120.0 s app-web was not heard of and did not say that it is ready; 'login:' did not appear")
    }

    @Test func memoryIsNamedWhateverSaysIt() throws {
        let group = """
            20.0|[   19.000000] Memory cgroup out of memory: Killed process 153 (node) total-vm:1000kB, anon-rss:900kB
            20.1|[   19.1] systemd[1]: app-web.service: A process of this unit has been killed by the OOM killer.
            20.2|[   19.2] systemd[1]: app-web.service: Main process exited, code=killed, status=9/KILL
            20.9|[   19.9] app-web[140]: DIED app-web.service: signal SIGKILL, result=oom-kill, restart #0, uptime 5s -- killed for memory
            """
        let verdict = try #require(run(Self.good + "\n" + group, until: 25, watch()).verdict)
        #expect(verdict.kind == .outOfMemory && verdict.service == "web" && verdict.ending == "signal SIGKILL")
        let lines = group.split(separator: "\n")
        for index in [1, 3] {
            let one = run(String(lines[index]), until: 25, watch()).verdict
            #expect(one == nil || one?.kind == .outOfMemory, "\(lines[index])")
        }
        let kernel = "20.0|[   19.0] Out of memory: Killed process 153 (node) total-vm:1000kB"
        #expect(run(kernel, until: 25, watch()).verdict?.kind == .outOfMemory)
    }

    @Test(arguments: [
        (
            "VFS: Unable to mount root fs on unknown-block(0,0)", Verdict.Kind.noRootDevice
        ), ("No working init found.  Try passing init= option to kernel.", .noInit),
        ("Requested init /sbin/none failed (error -2).", .noInit),
        ("Attempted to kill init! exitcode=0x0000000b", .kernelPanic),
        ("Fatal exception in interrupt", .kernelPanic),
        ("Out of memory and no killable processes...", .outOfMemory),
        ("System is deadlocked on memory", .outOfMemory),
    ])
    func aPanicIsNamedByItsWords(_ words: String, _ kind: Verdict.Kind) throws {
        let text = """
            2.0|[    1.900000] Kernel panic - not syncing: \(words)
            2.1|[    1.950000] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0
            2.2|[    1.980000] ---[ end Kernel panic - not syncing: \(words) ]---
            """
        let verdict = try #require(run(text, until: 2.3, watch()).verdict)
        #expect(verdict.kind == kind)
        #expect(verdict.summary == "the kernel panicked: \(words)")
        #expect(verdict.evidence.count == 3)
    }

    @Test func anInitThatCannotBeExecutedIsToldFromOneThatDies() {
        let text = """
            2.0|switch_root: can't execute '/sbin/init': No such file or directory
            2.1|[    1.900000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00
            """
        let verdict = run(text, until: 6, watch()).verdict
        #expect(verdict?.kind == .noInit)
        #expect(verdict?.summary.contains("switch_root: can't execute '/sbin/init'") == true)
    }

    @Test func theInitrdsLastWordsAreTheVerdictThoughTheMachineRestarts() throws {
        let text = """
            15.0|initramfs: FATAL: root device /dev/vdb did not appear within 10 s
            15.1|initramfs: block devices: vda
            15.2|initramfs: command line: console=ttyS0 root=/dev/vdb
            """
        var stopped = run(text, until: 15.5, watch())
        #expect(stopped.verdict == nil)
        stopped.machineEnded(at: .seconds(16))
        let verdict = try #require(stopped.verdict)
        #expect(verdict.kind == .noRootDevice)
        #expect(verdict.summary == "the initrd says: root device /dev/vdb did not appear within 10 s")
        #expect(verdict.evidence.count == 3)
        let none = "15.0|initrd: FATAL: there is no init in /dev/vda: no /sbin/init, /etc/init, /bin/init or /bin/sh"
        #expect(run(none, until: 25, watch()).verdict?.kind == .noInit)
    }

    @Test func aMachineThatEndsByItselfIsStopped() {
        var watch = run("20.0|[   19.0] reboot: Restarting system", until: 21, watch())
        watch.machineEnded(at: .seconds(22))
        #expect(watch.verdict?.kind == .stopped)
        #expect(
            watch.verdict?.summary
                == "the guest ended the machine by itself after 22.0 s: [   19.0] reboot: Restarting system")
    }

    // MARK: - Silence

    private func silent(_ watch: BootWatch, load: Double, until end: Int) -> BootWatch {
        var watch = watch
        for second in 1...end where watch.verdict == nil {
            watch.tick(
                at: .seconds(second), machine: .init(cpu: .milliseconds(Int64(Double(second) * load * 1000))))
        }
        return watch
    }

    @Test func noByteFromAMachineThatIdlesIsNoConsoleSoon() throws {
        let idle = silent(watch(arguments: ["quiet"]), load: 0.01, until: 100)
        let verdict = try #require(idle.verdict)
        #expect(verdict.kind == .noConsole && verdict.time < .seconds(20))
        #expect(verdict.summary.hasSuffix("while the processor idles; the kernel's arguments have no console="))
        let busy = try #require(silent(watch(), load: 0.99, until: 100).verdict)
        #expect(busy.kind == .noConsole && busy.time == .seconds(20))
        #expect(busy.summary == "the serial line was silent for 20.0 s, while the processor works (99 %)")
    }

    @Test func aProcessorThatTakesNoInterruptsAndGetsNowhereIsHung() throws {
        typealias Processor = BootWatch.MachineState.Processor
        func ends(_ processors: (Int) -> [Processor]) -> Verdict? {
            var watch = run(Self.good, until: 16.5, watch(expect: ["login:"]))
            for second in 17...40 where watch.verdict == nil {
                watch.tick(
                    at: .seconds(second),
                    machine: .init(cpu: .seconds(second), status: "running", processors: processors(second)))
            }
            return watch.verdict
        }
        let halted = ends { _ in [Processor(instruction: 0x1000, isHalted: true, takesInterrupts: false)] }
        #expect(halted?.kind == .hung)
        #expect(halted?.summary.hasSuffix("the processor is halted with its interrupts off") == true)
        let spinning = ends { _ in [Processor(instruction: 0x1004, isHalted: false, takesInterrupts: false)] }
        #expect(spinning?.summary.hasSuffix("runs in a circle with its interrupts off") == true)
        // Idle, or at work somewhere else every time.
        #expect(ends { _ in [Processor(instruction: 0x1000, isHalted: true, takesInterrupts: true)] } == nil)
        #expect(
            ends { second in [Processor(instruction: UInt64(second) << 12, isHalted: false, takesInterrupts: false)] }
                == nil)
    }

    @Test func aMachineThatTheVMMPausedIsHung() {
        var watch = run(Self.good, until: 16.5, watch())
        watch.tick(at: .seconds(17), machine: .init(cpu: .seconds(17), status: "io-error"))
        #expect(watch.verdict?.kind == .hung)
        #expect(watch.verdict?.summary.contains("is its disk full?") == true)
    }

    @Test func aKernelThatFallsSilentIsHungAtTheDeadline() {
        let verdict = run("2.0|[    0.004] tsc: Unable to calibrate against PIT", until: 121, watch()).verdict
        #expect(verdict?.kind == .hung)
    }

    @Test func pid1ThatFreezesIsHung() {
        let text = "12.0|[   11.0] systemd[1]: Freezing execution."
        #expect(run(text, until: 16, watch()).verdict?.kind == .hung)
    }

    // MARK: - Without our supervisor

    @Test func withoutASupervisorTheHostsQuestionDecides() {
        var watch = run("12.0|Debian GNU/Linux 12\n12.5|minimal login:", until: 13, watch(isSupervised: false))
        #expect(watch.readySince == nil)
        watch.answered("web", HostAnswer(isGood: false, words: "no connection", time: .seconds(14)))
        watch.answered("web", HostAnswer(isGood: true, words: "HTTP/1.1 200 OK", time: .seconds(15)))
        #expect(watch.readySince == .seconds(15) && watch.services[0].isReadyByHost)
        // And no more at the end.
        watch.answered("web", HostAnswer(isGood: false, words: "no answer in 5 s", time: .seconds(45)))
        watch.conclude(at: .seconds(46))
        #expect(watch.verdict?.kind == .notReady && watch.verdict?.answered == "no answer in 5 s")
    }

    @Test func withASupervisorTheHostsAnswerIsNoReadiness() {
        var watch = run("12.0|up", until: 13, watch())
        watch.answered("web", HostAnswer(isGood: true, words: "HTTP/1.1 200 OK", time: .seconds(15)))
        #expect(watch.readySince == nil)
    }

    @Test func consoleProbesOfAnUnsupervisedImageAreSeenFromOutside() {
        let service = BootRequest.Service("web", probe: .console("listening on"))
        let watch = run("12.0|web is listening on 80", until: 13, watch([service], isSupervised: false))
        #expect(watch.readySince == .seconds(12))
    }

    @Test func aFullDiskIsRemarked() {
        let watch = run("12.0|[   11.0] app-web[126]: write: No space left on device", until: 13, watch())
        #expect(
            watch.warnings == ["the console says: [   11.0] app-web[126]: write: No space left on device"])
    }
}

@Suite struct GuestLines {
    @Test func journaldsFormIsTakenApart() {
        let line = GuestLine("[   16.387929] app-web[126]: a: b[3]: c")
        #expect(line.stamp == .microseconds(16_387_929) && line.source == "app-web" && line.pid == 126)
        #expect(line.text == "a: b[3]: c" && line.service == "web")
        let kernel = GuestLine("[    0.000000] Linux version 6.1 [x]: y")
        #expect(kernel.stamp == .zero && kernel.source == nil && kernel.text == "Linux version 6.1 [x]: y")
        let glued = GuestLine("minimal login: [   28.158143] app-web[137]: DIED app-web.service: signal SIGKILL")
        #expect(glued.service == "web" && glued.text == "DIED app-web.service: signal SIGKILL")
        for text in ["", "[", "[ OK ] Started", "[1.2.3] x", "a[b]: c", "two words[3]: c"] {
            #expect(GuestLine(text).source == nil && GuestLine(text).stamp == nil && GuestLine(text).text == text)
        }
    }

    @Test func probesAreReadFromTheirWords() {
        #expect(BootRequest.Probe(["http", "http://127.0.0.1:8080/x"]).port == 8080)
        #expect(BootRequest.Probe(["http", "http://localhost/x:9"]).port == 80)
        #expect(BootRequest.Probe(["tcp", "[::1]:443"]).port == 443)
        #expect(BootRequest.Probe(["unix", "/run/x"]) == .guest("unix /run/x"))
        #expect(BootRequest.Probe(["command", "/bin/test", "-e", "/x"]) == .guest("command /bin/test -e /x"))
        #expect(BootRequest.Probe(["console", "up"]).port == nil)
    }
}

extension Substring {
    fileprivate func trimming(_ character: Character) -> String {
        String(drop { $0 == character }.reversed().drop { $0 == character }.reversed())
    }
}
