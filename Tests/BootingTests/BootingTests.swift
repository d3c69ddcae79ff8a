import Foundation
import RootfsModel
import Testing

@testable import Booting

@Suite struct CommandLines {
    private func request(_ image: String, initrd: String? = nil, arguments: [String]) -> BootRequest {
        BootRequest(
            kernel: "/out/vmlinux", initrd: initrd, image: image, arguments: arguments, memory: 1024, vcpus: 2,
            deadline: .seconds(60))
    }

    @Test func qemusCommandLineIsTheOneThatBoots() throws {
        let arguments = ["console=ttyS0", "reboot=k", "panic=1", "quiet"]
        var command = QEMUCommand(
            program: "qemu-system-x86_64", accelerator: .tcg,
            request: request("/out/a,b c.ext4", initrd: "/out/initrd", arguments: arguments), clock: 2_596_136)
        command.request.forwards = [.init(guest: 8080), .init(guest: 22, host: 2222)]
        #expect(
            try QEMUCommand.quoted(command.words()) == """
                qemu-system-x86_64 -M microvm -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -kernel /out/vmlinux \
                -initrd /out/initrd -append 'console=ttyS0 reboot=k panic=1 quiet root=/dev/vda rw \
                tsc_early_khz=2596136 tsc=reliable ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off' -nodefaults \
                -no-user-config -display none -no-reboot -device i8042 -serial stdio \
                -chardev socket,id=monitor,fd=3 -mon chardev=monitor,mode=control \
                -drive 'id=root,file=/out/a,,b c.ext4,format=raw,if=none,snapshot=on' \
                -device virtio-blk-device,drive=root \
                -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:8080,hostfwd=tcp:127.0.0.1:2222-:22 \
                -device virtio-net-device,netdev=net
                """)
    }

    @Test func whatTheRecipeSaysStaysAndNothingIsAddedThatWouldNotShip() throws {
        var command = QEMUCommand(
            program: "q", accelerator: .kvm, request: request("x:y", arguments: ["root=/dev/vda", "ro"]), clock: 1)
        command.request.kernel = "-k"
        command.request.isReadOnly = true
        command.request.cpu = "qemu64"
        command.lines = .sockets("/tmp/vm")
        #expect(
            try QEMUCommand.quoted(command.words()) == """
                q -M microvm -accel kvm -cpu qemu64 -m 1024 -smp 2 -kernel ./-k -append 'root=/dev/vda ro' \
                -nodefaults -no-user-config -display none -no-reboot -device i8042 \
                -chardev socket,id=console,path=/tmp/vm/console,server=on,wait=on -serial chardev:console \
                -chardev socket,id=monitor,path=/tmp/vm/monitor,server=on,wait=off \
                -mon chardev=monitor,mode=control -drive id=root,file=./x:y,format=raw,if=none,readonly=on \
                -device virtio-blk-device,drive=root
                """)
        command.isProbe = true
        command.lines = .inherited
        #expect(
            try command.words().suffix(4) == ["-device", "i8042", "-serial", "stdio"])
    }

    @Test func whatQEMUSaysOfItsProcessorsIsRead() {
        let text = """
            CPU#0
            RAX=000000000001ad40 RBX=0
            RIP=ffffffff81a17a0b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
            CPU#1
            RIP=00000000000000ff RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
            """
        #expect(
            QEMUMonitor.processors(in: text) == [
                .init(instruction: 0xFFFF_FFFF_81A1_7A0B, isHalted: true, takesInterrupts: true),
                .init(instruction: 0xFF, isHalted: false, takesInterrupts: false),
            ])
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
        #expect(console.finish() == nil)
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

    @Test func oldLinesAreCountedWhenDropped() {
        var console = Console(expecting: [], capacity: 10)
        for number in 0..<100 { _ = console.append(Array("line \(number)\n".utf8), at: .seconds(2)) }
        #expect(console.dropped + console.lines.count == 100)
        #expect(console.lines.count >= 10 && console.lines.count < 20)
        #expect(console.lines.last?.text == "line 99")
    }

    @Test func aLineWithoutEndAndBytesThatAreNoTextAreTaken() {
        var console = Console(expecting: [])
        let lines = console.append([UInt8](repeating: 0xFF, count: 100_000), at: .seconds(1))
        #expect(lines.count == 6)
        _ = console.append(Array("\u{1B}".utf8), at: .seconds(1))
        _ = console.append(Array("[".utf8), at: .seconds(1))
        #expect(console.finish() != nil)
    }
}
