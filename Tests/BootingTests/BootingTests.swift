import Foundation
import RootfsModel
import Testing

@testable import Booting

@Suite struct CommandLines {
    @Test func qemusCommandLineIsTheOneThatBoots() throws {
        let command = QEMUCommand(
            program: "qemu-system-x86_64", accelerator: .tcg, kernel: "/out/vmlinux", initrd: "/out/initrd",
            image: "/out/a,b c.ext4", arguments: ["console=ttyS0", "reboot=k", "panic=1", "quiet"], memory: 1024,
            vcpus: 2, clock: 2_596_136, options: [])
        #expect(
            try QEMUCommand.quoted(command.words()) == """
                qemu-system-x86_64 -M microvm -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -kernel /out/vmlinux \
                -initrd /out/initrd -append 'console=ttyS0 reboot=k panic=1 quiet reboot=t panic=-1 \
                tsc_early_khz=2596136 tsc=reliable root=/dev/vda rw' -nodefaults -no-user-config -display none \
                -no-reboot -serial stdio -drive 'id=root,file=/out/a,,b c.ext4,format=raw,if=none,snapshot=on' \
                -device virtio-blk-device,drive=root
                """)
    }

    @Test func kvmNeedsNoClockAndARecipesRootStays() throws {
        let command = QEMUCommand(
            program: "q", accelerator: .kvm, kernel: "-k", initrd: nil, image: "x:y",
            arguments: ["root=/dev/vda", "ro"],
            memory: 64, vcpus: 1, clock: 1, options: ["-device", "virtio-rng-device"])
        #expect(
            try QEMUCommand.quoted(command.words()) == """
                q -M microvm -accel kvm -cpu host -m 64 -smp 1 -kernel ./-k \
                -append 'root=/dev/vda ro console=ttyS0 reboot=t panic=-1' -nodefaults -no-user-config -display none \
                -no-reboot -serial stdio -drive id=root,file=./x:y,format=raw,if=none,snapshot=on \
                -device virtio-blk-device,drive=root -device virtio-rng-device
                """)
    }

    @Test func wordsAreQuotedForAShell() {
        #expect(QEMUCommand.quoted(["a", "", "b c", "it's", "$x"]) == #"a '' 'b c' 'it'\''s' '$x'"#)
    }

    @Test func kernelArgumentsAreQuotedAsTheKernelReadsThem() throws {
        var line = try KernelCommandLine(["quiet", "dyndbg=file a.c +p", "x=\"a b\"", "--", "single"])
        try line.append(["panic=1"])
        #expect(try line.text() == "quiet dyndbg=\"file a.c +p\" x=\"a b\" panic=1 -- single")
        #expect(line.names("quiet") && line.names("panic") && !line.names("pan"))
        #expect(
            throws: Failure(
                "the kernel argument 'quiet loglevel=3' has a blank in its name",
                hint: "write what it holds as several arguments")
        ) { try KernelCommandLine(["quiet loglevel=3"]) }
        for argument in ["a=b\"", "\"a=b\"", "a=\"b\"c", "a=\"\"\"", "a b=\"c\""] {
            #expect(
                throws: Failure(
                    "the kernel argument '\(argument)' has a quote, which a kernel's command line cannot hold")
            ) {
                try KernelCommandLine([argument])
            }
        }
        #expect(throws: Failure("the kernel argument 'a\nb' has a control character")) {
            try KernelCommandLine(["a\nb"])
        }
        #expect(throws: Failure("an empty kernel argument")) { try KernelCommandLine([""]) }
        let long = try KernelCommandLine([String(repeating: "x", count: 2048)])
        #expect(
            throws: Failure(
                "the kernel's command line has 2048 bytes, and 2047 are the most", hint: "shorten kernel.arguments")
        ) { try long.text() }
    }
}

@Suite struct FirecrackerConfigurations {
    @Test func withAnInitrdTheRootArgumentIsOurs() throws {
        let configuration = FirecrackerConfiguration(
            initrd: "initrd", image: "browser.ext4", arguments: ["console=ttyS0", "reboot=k", "panic=1"], vcpus: 2,
            memory: 4096)
        #expect(
            try configuration.text() == """
                {
                  "boot-source": {
                    "boot_args": "console=ttyS0 reboot=k panic=1 root=/dev/vda rw",
                    "initrd_path": "initrd",
                    "kernel_image_path": "vmlinux"
                  },
                  "drives": [
                    {
                      "drive_id": "rootfs",
                      "is_read_only": false,
                      "is_root_device": false,
                      "path_on_host": "browser.ext4"
                    }
                  ],
                  "machine-config": {
                    "mem_size_mib": 4096,
                    "vcpu_count": 2
                  }
                }

                """)
    }

    @Test func withoutAnInitrdFirecrackerAppendsTheRoot() throws {
        let configuration = FirecrackerConfiguration(
            initrd: nil, image: "a \"b\"\\\n.ext4", arguments: ["quiet"], vcpus: 1, memory: 128, isReadOnly: true)
        let text = try configuration.text()
        #expect(text.contains(#""boot_args": "quiet","#))
        #expect(text.contains(#""path_on_host": "a \"b\"\\\n.ext4""#))
        #expect(text.contains(#""is_root_device": true"#) && text.contains(#""is_read_only": true"#))
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(parsed?.keys.sorted() == ["boot-source", "drives", "machine-config"])
    }

    @Test func whatFirecrackerCannotStartIsRefused() {
        #expect(throws: Failure("Firecracker cannot start a machine of 33 vCPUs: 1 to 32 are possible")) {
            try FirecrackerConfiguration(initrd: nil, image: "i", arguments: [], vcpus: 33, memory: 1).text()
        }
        #expect(throws: Failure("Firecracker cannot start a machine of 0 MiB of memory")) {
            try FirecrackerConfiguration(initrd: nil, image: "i", arguments: [], vcpus: 1, memory: 0).text()
        }
    }
}

@Suite struct ConsoleReading {
    @Test func linesEndAtNewlinesAndLoseTheirColours() {
        var console = Console(expecting: [])
        #expect(console.append(Array("[\u{1B}[0;32m  OK  \u{1B}[0m] Start".utf8), at: .seconds(1)) == [])
        #expect(
            console.append(Array("ed x\r\n\u{1B}]0;title\u{7}two\u{1B}(B\tthree\u{0}\n".utf8), at: .milliseconds(1500))
                == [
                    ConsoleLine(time: .milliseconds(1500), text: "[  OK  ] Started x"),
                    ConsoleLine(time: .milliseconds(1500), text: "two\tthree"),
                ])
        #expect(console.finish(at: .seconds(2)) == nil)
        #expect(console.lines.first?.description == "   1.500 [  OK  ] Started x")
    }

    @Test func anExpectedTextIsSeenBeforeItsLineEnds() {
        var console = Console(expecting: ["login:", "ready", "never"])
        _ = console.append(Array("host log".utf8), at: .seconds(1))
        #expect(console.missing == ["login:", "ready", "never"])
        _ = console.append(Array("in: ".utf8), at: .seconds(2))
        #expect(console.missing == ["ready", "never"])
        _ = console.append(Array("\nready ready\n".utf8), at: .seconds(3))
        #expect(console.seen == [.init(text: "login:", time: .seconds(2)), .init(text: "ready", time: .seconds(3))])
        #expect(console.missing == ["never"])
    }

    @Test func thePanicIsKeptAndOldLinesAreCountedWhenDropped() {
        var console = Console(expecting: [], capacity: 10)
        _ = console.append(Array("[ 1.0] Kernel panic - not syncing: first\n".utf8), at: .seconds(1))
        for number in 0..<100 { _ = console.append(Array("line \(number)\n".utf8), at: .seconds(2)) }
        #expect(console.panic?.text == "[ 1.0] Kernel panic - not syncing: first")
        #expect(console.dropped + console.lines.count == 101)
        #expect(console.lines.count >= 10 && console.lines.count < 20)
        #expect(console.lines.last?.text == "line 99")
    }

    @Test func aLineWithoutEndAndBytesThatAreNoTextAreTaken() {
        var console = Console(expecting: [])
        let lines = console.append([UInt8](repeating: 0xFF, count: 100_000), at: .seconds(1))
        #expect(lines.count == 6)
        _ = console.append(Array("\u{1B}".utf8), at: .seconds(1))
        _ = console.append(Array("[".utf8), at: .seconds(1))
        #expect(console.finish(at: .seconds(2)) != nil)
    }
}

/// The machine's life, with a shell script in the place of QEMU.
@Suite struct MachineLife {
    private func machine(_ script: String, grace: Duration = .seconds(5)) throws -> (VirtualMachine, Folder) {
        let folder = try Folder()
        let program = try folder.file("vmm", Array("#!/bin/sh\n\(script)\n".utf8), executable: true)
        let file = try folder.file("file", [1])
        let machine = VirtualMachine(
            kernel: file, initrd: nil, image: file, arguments: [], memory: 64, vcpus: 1, program: program, grace: grace)
        return (machine, folder)
    }

    @Test func seeingEverythingEndsTheBootAndTheMachine() throws {
        let (machine, folder) = try machine(
            #"echo $$ >"$(dirname "$0")/pid"; echo one; printf 'two login: '; exec sleep 100"#)
        defer { folder.remove() }
        var lines = [String]()
        let report = try machine.boot(expecting: ["one", "login:"], within: .seconds(20)) { lines.append($0.text) }
        #expect(report.ending == .sawAll && report.succeeded && report.failure == nil)
        #expect(report.stoppedCleanly)
        #expect(report.seen.map(\.text) == ["one", "login:"])
        #expect(lines == ["one", "two login: "])
        #expect(report.duration < .seconds(10))
        let pid = try #require(
            Int32(String(contentsOf: folder.url.appendingPathComponent("pid"), encoding: .utf8).dropLast()))
        #expect(kill(pid, 0) == -1)
    }

    @Test func theDeadlineEndsABoot() throws {
        let (machine, folder) = try machine("echo hello; exec sleep 100")
        defer { folder.remove() }
        let report = try machine.boot(expecting: ["login:"], within: .milliseconds(300))
        #expect(report.ending == .deadline)
        let failure = try #require(report.failure)
        #expect(failure.message.hasPrefix("the boot failed: the deadline passed after 0."))
        #expect(failure.notes.first == "not seen: login:")
        #expect(failure.notes.last?.hasSuffix(" hello") == true)
        #expect(failure.status == .negative)
    }

    @Test func aPanicEndsABootWithItsTrace() throws {
        let (machine, folder) = try machine(
            "echo 'Kernel panic - not syncing: VFS'; sleep 0.3; echo trace; exec sleep 100")
        defer { folder.remove() }
        let report = try machine.boot(expecting: ["login:"], within: .seconds(20))
        #expect(report.ending == .panic("Kernel panic - not syncing: VFS"))
        #expect(report.lines.map(\.text) == ["Kernel panic - not syncing: VFS", "trace"])
    }

    @Test func aGuestThatStopsIsAReportAndAVMMThatFailsAFailure() throws {
        let (stopping, first) = try machine("echo bye")
        defer { first.remove() }
        #expect(try stopping.boot(expecting: ["login:"], within: .seconds(20)).ending == .guestStopped)
        let (failing, folder) = try machine("echo 'cannot open disk' >&2; exit 3")
        defer { folder.remove() }
        do {
            _ = try failing.boot(expecting: ["login:"], within: .seconds(20))
            Issue.record("it did not fail")
        } catch let failure as Failure {
            #expect(failure.message == "\(folder.url.path)/vmm exited with status 3")
            #expect(failure.notes == ["cannot open disk"])
            #expect(failure.hint?.hasPrefix("it was started as: \(folder.url.path)/vmm -M microvm ") == true)
        }
    }

    @Test func aVMMThatIgnoresTheSignalIsKilledAfterTheGrace() throws {
        let (machine, folder) = try machine(
            "trap '' TERM; echo ready; while :; do sleep 0.1; done", grace: .milliseconds(300))
        defer { folder.remove() }
        let report = try machine.boot(expecting: ["ready"], within: .seconds(20))
        #expect(report.succeeded)
        #expect(!report.stoppedCleanly)
    }

    @Test func whatIsNotThereIsNamed() throws {
        var (machine, folder) = try machine("exit 0")
        defer { folder.remove() }
        machine.program = "no-such-vmm"
        #expect(
            throws: Failure(
                "cannot start no-such-vmm: No such file or directory",
                hint: "install it: apt-get install qemu-system-x86")
        ) { try machine.boot(expecting: [], within: .seconds(1)) }
        machine.image = "\(folder.url.path)/nothing.ext4"
        #expect(throws: Failure("cannot boot: cannot read \(folder.url.path)/nothing.ext4: No such file or directory"))
        {
            try machine.boot(expecting: [], within: .seconds(1))
        }
    }

    @Test func cancellingTheTaskStopsTheMachine() async throws {
        let (machine, folder) = try machine(#"echo $$ >"$(dirname "$0")/pid"; echo up; exec sleep 100"#)
        defer { folder.remove() }
        let pidFile = folder.url.appendingPathComponent("pid")
        let task = Task.detached { try machine.boot(expecting: ["login:"], within: .seconds(60)) }
        // From outside the pool of task threads, which this and other blocking tests may fill.
        Thread.detachNewThread {
            while (try? String(contentsOf: pidFile, encoding: .utf8))?.hasSuffix("\n") != true { usleep(20_000) }
            task.cancel()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        let pid = try #require(Int32(String(contentsOf: pidFile, encoding: .utf8).dropLast()))
        #expect(kill(pid, 0) == -1)
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

    @Test func theHostsClockIsMeasured() {
        let command = VirtualMachine(kernel: "k", initrd: nil, image: "i", arguments: [], memory: 1, vcpus: 1)
        let first = command.command(with: .tcg).clock
        let second = command.command(with: .tcg).clock
        guard let first, let second else {
            print("skipped: this host has no time stamp counter")
            return
        }
        #expect(first > 100_000 && first < 20_000_000)
        #expect(abs(Double(first) / Double(second) - 1) < 0.001)
        #expect(command.command(with: .kvm).clock == nil)
    }
}
