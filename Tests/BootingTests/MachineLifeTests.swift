import Foundation
import RootfsModel
import Testing

@testable import Booting

/// A machine's life, with a shell script in the place of QEMU or Firecracker.
@Suite struct MachineLife {
    private func machine(
        _ script: String, grace: Duration = .seconds(5), expect: [String] = ["login:"], soak: Duration = .zero,
        deadline: Duration = .seconds(20), engine: Engine = .tcg
    ) throws -> (VirtualMachine, Folder) {
        let folder = try Folder()
        let program = try folder.file("vmm", Array("#!/bin/sh\n\(script)\n".utf8), executable: true)
        let file = try folder.file("file", [1])
        var engines = EngineChoice(wanted: engine, path: "/usr/bin:/bin")
        engines.qemu = program
        engines.firecracker = program
        // Any device that opens: whether guests run under it, the script says.
        engines.kvmDevice = "/dev/null"
        var machine = VirtualMachine(
            BootRequest(
                kernel: file, initrd: nil, image: file, arguments: [], memory: 64, vcpus: 1, expect: expect,
                deadline: deadline, soak: soak, shutdown: .milliseconds(500)), engines: engines)
        machine.grace = grace
        machine.scratch = folder.url.path
        return (machine, folder)
    }

    private func pid(in folder: Folder) throws -> Int32 {
        let text = try String(contentsOf: folder.url.appendingPathComponent("pid"), encoding: .utf8)
        return try #require(Int32(text.dropLast()))
    }

    @Test func seeingEverythingProvesTheImageAndEndsTheMachine() throws {
        let (machine, folder) = try machine(
            #"echo $$ >"$(dirname "$0")/pid"; echo one; printf 'two login: '; exec sleep 100"#,
            expect: ["one", "login:"])
        defer { folder.remove() }
        var lines = [String]()
        let report = try machine.boot { lines.append($0.text) }
        #expect(report.verdict.kind == .proven && report.engine == .tcg)
        #expect(report.verdict.summary.hasSuffix(" s, and nothing was watched afterwards"))
        // A script has no keyboard.
        #expect(report.shutdown == .killed)
        #expect(lines == ["one", "two login: "])
        #expect(kill(try pid(in: folder), 0) == -1)
    }

    @Test func theSoakIsWaitedForAndADeathInItIsTheVerdict() throws {
        let (machine, folder) = try machine(
            "echo 'login:'; sleep 0.5; echo '[ 1.0] app-web[3]: DIED app-web.service: signal SIGSEGV, result=signal, restart #0, uptime 1s -- segmentation fault'; exec sleep 100",
            soak: .seconds(60))
        defer { folder.remove() }
        var dying = machine
        dying.request.services = [.init("web")]
        dying.request.isSupervised = false
        var patience = BootWatch.Patience()
        patience.gathering = .milliseconds(200)
        dying.patience = patience
        let report = try dying.boot()
        #expect(report.verdict.kind == .died && report.verdict.ending == "signal SIGSEGV")
        #expect(report.shutdown == .stopped)
    }

    @Test func theDeadlineEndsABoot() throws {
        let (machine, folder) = try machine("echo hello; exec sleep 100", deadline: .milliseconds(300))
        defer { folder.remove() }
        let report = try machine.boot()
        #expect(report.verdict.kind == .notReady)
        #expect(report.verdict.summary == "after 0.3 s 'login:' did not appear")
        #expect(report.verdict.evidence.map(\.text) == ["hello"])
    }

    @Test func aGuestThatStopsIsAVerdictAndAVMMThatFailsAFailure() throws {
        let (stopping, first) = try machine("echo bye")
        defer { first.remove() }
        let report = try stopping.boot()
        #expect(report.verdict.kind == .stopped && report.shutdown == .byItself)
        let (failing, folder) = try machine("echo 'cannot open disk' >&2; exit 3")
        defer { folder.remove() }
        do {
            _ = try failing.boot()
            Issue.record("it did not fail")
        } catch let failure as Failure {
            #expect(failure.message == "\(folder.url.path)/vmm exited with status 3")
            #expect(failure.notes == ["cannot open disk"])
            #expect(failure.hint?.hasPrefix("it was started as: \(folder.url.path)/vmm -M microvm ") == true)
        }
    }

    @Test func aVMMThatIgnoresTheSignalIsKilledAfterTheGrace() throws {
        let (machine, folder) = try machine(
            #"echo $$ >"$(dirname "$0")/pid"; trap '' TERM; echo login:; while :; do sleep 0.1; done"#,
            grace: .milliseconds(300))
        defer { folder.remove() }
        #expect(try machine.boot().verdict.kind == .proven)
        #expect(kill(try pid(in: folder), 0) == -1)
    }

    @Test func whatIsNotThereIsNamed() throws {
        var (machine, folder) = try machine("exit 0")
        defer { folder.remove() }
        machine.engines.qemu = "no-such-vmm"
        #expect(
            throws: Failure(
                "no-such-vmm is not installed", hint: "install it: apt-get install qemu-system-x86")
        ) { try machine.boot() }
        machine.engines.wanted = .firecracker
        machine.engines.firecracker = "no-such-vmm"
        #expect(
            throws: Failure(
                "firecracker is not installed", hint: "take QEMU with --engine kvm or --engine tcg")
        ) { try machine.boot() }
        machine.request.image = "\(folder.url.path)/nothing.ext4"
        #expect(throws: Failure("cannot boot: cannot read \(folder.url.path)/nothing.ext4: No such file or directory"))
        {
            try machine.boot()
        }
    }

    @Test func aPortThatIsTakenIsNamed() throws {
        var (machine, folder) = try machine("exit 0")
        defer { folder.remove() }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, size)
                _ = listen(listener, 1)
                _ = getsockname(listener, $0, &size)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        machine.request.forwards = [.init(guest: 80, host: port)]
        #expect(
            throws: Failure(
                "the port \(port) of this host is taken", hint: "name another one, or let one be chosen: --port 80")
        ) { try machine.boot() }
    }

    @Test func aFloodIsFollowedWithinBoundedMemory() throws {
        let (machine, folder) = try machine(
            "head -c 2000000 /dev/zero | tr '\\0' x | fold -w 99; echo login:; exec sleep 100")
        defer { folder.remove() }
        var count = 0
        let report = try machine.boot { _ in count += 1 }
        #expect(report.verdict.kind == .proven)
        #expect(count == 20_203, "\(count)")
    }

    // MARK: - Engines

    @Test func aKVMUnderWhichGuestsStandStillIsFoundOutAndNamed() throws {
        // Under KVM it says nothing and ends only when it is told to.
        var (machine, folder) = try machine(
            "case \"$*\" in *'-accel kvm'*) exec sleep 100;; *) echo login:; exec sleep 100;; esac")
        defer { folder.remove() }
        machine.engines.wanted = nil
        machine.engines.firecracker = "no-such-vmm"
        machine.engines.probeLimit = .milliseconds(400)
        let report = try machine.boot()
        #expect(report.engine == .tcg && report.verdict.kind == .proven)
        #expect(
            report.engineNotes == [
                "KVM cannot be used: a guest under it stands still (0.4 s without getting anywhere)"
            ])
        machine.engines.wanted = .kvm
        #expect(
            throws: Failure(
                "this host's KVM cannot run the machine: a guest under it stands still (0.4 s without getting anywhere)",
                hint: "emulate it with --engine tcg")
        ) { try machine.boot() }
        machine.engines.wanted = nil
        machine.engines.kvmDevice = "\(folder.url.path)/no-kvm"
        #expect(
            try machine.boot().engineNotes == [
                "KVM cannot be used: \(folder.url.path)/no-kvm: No such file or directory"
            ])
    }

    @Test func kvmIsTakenWhereItsProbeComesThrough() throws {
        var (machine, folder) = try machine(
            "case \"$*\" in *file=*) echo login:;; *) echo 'Kernel panic - not syncing: VFS: Unable to mount root fs';; esac; exec sleep 100"
        )
        defer { folder.remove() }
        machine.engines.wanted = nil
        machine.engines.firecracker = "no-such-vmm"
        let report = try machine.boot()
        #expect(report.engine == .kvm && report.engineNotes == [])
    }

    /// It is started as it would be, with a copy of the image that leaves no name behind.
    @Test func firecrackerIsStartedWithItsOwnConfiguration() throws {
        let script = #"""
            while [ $# -gt 1 ]; do case $1 in --config-file) config=$2;; --api-sock) api=$2;; esac; shift; done
            case $(cat "$config") in *'"drives": []'*|*'"drives": ['?']'*) ;; esac
            here=$(dirname "$0")
            if grep -q path_on_host "$config"; then
                cp "$config" "$here/config"
                echo written >"$(sed -n 's/.*"path_on_host": "\(.*\)".*/\1/p' "$config")"
                echo login:
            else
                echo 'Kernel panic - not syncing: VFS: Unable to mount root fs'
            fi
            exec sleep 100
            """#
        let (machine, folder) = try machine(script, engine: .firecracker)
        defer { folder.remove() }
        let report = try machine.boot()
        #expect(report.engine == .firecracker && report.verdict.kind == .proven)
        #expect(report.commandLine.hasPrefix("\(folder.url.path)/vmm --api-sock \(folder.url.path)/rootfs-build-vm."))
        let config = try String(contentsOf: folder.url.appendingPathComponent("config"), encoding: .utf8)
        #expect(config.contains(#""path_on_host": "/proc/\#(getpid())/fd/"#), "\(config)")
        #expect(config.contains(#""kernel_image_path": "\#(folder.url.path)/file""#))
        // The image is as it was, and nothing temporary is left.
        #expect(try Data(contentsOf: folder.url.appendingPathComponent("file")) == Data([1]))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["config", "file", "vmm"])
    }

    // MARK: - Ends

    @Test func cancellingTheTaskStopsTheMachine() async throws {
        let (machine, folder) = try machine(#"echo $$ >"$(dirname "$0")/pid"; echo up; exec sleep 100"#)
        defer { folder.remove() }
        let pidFile = folder.url.appendingPathComponent("pid")
        let task = Task.detached { try machine.boot() }
        // From outside the pool of task threads, which this and other blocking tests may fill.
        Thread.detachNewThread {
            while (try? String(contentsOf: pidFile, encoding: .utf8))?.hasSuffix("\n") != true { usleep(20_000) }
            task.cancel()
        }
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(kill(try pid(in: folder), 0) == -1)
    }

    /// The program under test dies the hardest way; its machine must not outlive it.
    @Test func aKilledHarnessTakesItsMachineAlong() async throws {
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("booting-orphan-\(getpid())")
        try? FileManager.default.removeItem(at: place)
        defer { try? FileManager.default.removeItem(at: place) }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let place = FileManager.default.temporaryDirectory.appendingPathComponent("booting-orphan-\(getppid())")
            let process = try GuardedProcess(
                ["/bin/sh", "-c", "echo $$ >\(place.path); exec sleep 100"], grace: .seconds(5))
            while (try? String(contentsOf: place, encoding: .utf8))?.hasSuffix("\n") != true { usleep(10_000) }
            kill(getpid(), SIGKILL)
            _ = process.output
        }
        let pid = try #require(Int32(String(contentsOf: place, encoding: .utf8).dropLast()))
        var isAlive = true
        for _ in 0..<300 where isAlive {
            isAlive = kill(pid, 0) == 0
            if isAlive { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(!isAlive)
    }

    @Test func whatIsSetFreeLivesOn() throws {
        var process = try GuardedProcess(["/bin/sleep", "100"], grace: .seconds(1))
        let pid = process.program
        let guardian = process.pid
        process.setFree()
        _ = consume process
        usleep(200_000)
        #expect(kill(pid, 0) == 0)
        kill(pid, SIGKILL)
        // Whoever waits for any child of this process must not find its guard for ever.
        while waitpid(guardian, nil, 0) < 0 && errno == EINTR {}
    }

    @Test func aProgramHasItsThirdDescriptorAndItsInput() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let process = try GuardedProcess(
            ["/bin/sh", "-c", "read line; echo \"$line\" >&3"], grace: .seconds(1), control: ends[1])
        close(ends[1])
        var text = Array("hello\n".utf8)
        #expect(write(process.input, &text, text.count) == 6)
        var buffer = [UInt8](repeating: 0, count: 64)
        #expect(read(ends[0], &buffer, 64) == 6)
        close(ends[0])
        #expect(String(decoding: buffer.prefix(6), as: UTF8.self) == "hello\n")
    }
}
