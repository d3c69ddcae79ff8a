import RootfsModel

/// The command line that starts a machine under QEMU's microvm, the stand-in for Firecracker's: the same few
/// virtio-mmio devices, found by ACPI, a serial line, and the keyboard controller that resets the machine.
struct QEMUCommand {
    enum Accelerator: String {
        case tcg, kvm
    }

    /// Where console and monitor are.
    enum Lines: Hashable {
        /// The console on stdin and stdout, the monitor a socket at descriptor 3: nothing of them is in any directory.
        case inherited
        /// Sockets in this directory, for a machine that lives on without us.
        case sockets(String)
    }

    var program: String
    var accelerator: Accelerator
    var request: BootRequest
    /// Without disk and network: to see whether a kernel runs at all.
    var isProbe = false
    var lines = Lines.inherited
    /// The host's time stamp counter in kHz, where it is known.
    var clock: UInt64?

    static let package = "qemu-system-x86"

    /// program and arguments, as execvp(3) takes them: nothing here meets a shell.
    func words() throws(Failure) -> [String] {
        var words = [
            program, "-M", "microvm",
            "-accel", accelerator == .tcg ? "tcg,thread=multi" : "kvm",
            "-cpu", request.cpu ?? (accelerator == .tcg ? "max" : "host"),
            "-m", String(request.memory), "-smp", String(request.vcpus),
            "-kernel", Self.path(request.kernel),
        ]
        if let initrd = request.initrd, !isProbe { words += ["-initrd", Self.path(initrd)] }
        words += ["-append", try kernelLine()]
        // With i8042, `reboot=k` ends the machine and Ctrl-Alt-Del reaches the guest, as under Firecracker.
        words += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-device", "i8042"]
        switch lines {
        case .inherited:
            words += ["-serial", "stdio"]
            if !isProbe { words += ["-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control"] }
        case .sockets(let directory):
            let place = Self.escaped(directory)
            words += [
                "-chardev", "socket,id=console,path=\(place)/console,server=on,wait=on", "-serial", "chardev:console",
                "-chardev", "socket,id=monitor,path=\(place)/monitor,server=on,wait=off",
                "-mon", "chardev=monitor,mode=control",
            ]
        }
        if isProbe { return words }
        // Either way the image is never written to.
        let access = request.isReadOnly ? "readonly=on" : "snapshot=on"
        words += [
            "-drive", "id=root,file=\(Self.escaped(Self.path(request.image))),format=raw,if=none,\(access)",
            "-device", "virtio-blk-device,drive=root",
        ]
        if !request.forwards.isEmpty {
            // restrict: the guest reaches nothing but what asks it.
            let ports = request.forwards.map { ",hostfwd=tcp:127.0.0.1:\($0.host ?? 0)-:\($0.guest)" }.joined()
            words += ["-netdev", "user,id=net,restrict=on\(ports)", "-device", "virtio-net-device,netdev=net"]
        }
        return words
    }

    /// The recipe's arguments as they ship; behind them what Firecracker too, or its host's network, would add, and for
    /// emulation the clock.
    private func kernelLine() throws(Failure) -> String {
        if isProbe { return "console=ttyS0 reboot=t panic=-1" }
        var line = try KernelCommandLine(request.arguments)
        if !line.names("root") { try line.append(["root=/dev/vda", request.isReadOnly ? "ro" : "rw"]) }
        if accelerator == .tcg, let clock {
            // A guest that measures its clock on a loaded host hangs or runs slow; KVM has kvm-clock.
            try line.append(["tsc_early_khz=\(clock)", "tsc=reliable"])
        }
        // The user network's own addresses.
        if !request.forwards.isEmpty, !line.names("ip") {
            try line.append(["ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off"])
        }
        return try line.text()
    }

    /// A comma ends an option's value for QEMU, two are one in it.
    private static func escaped(_ text: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }

    /// A path that QEMU takes for nothing else: `a:b` alone would be a protocol, `-x` an option.
    private static func path(_ path: String) -> String {
        path.hasPrefix("/") ? path : "./" + path
    }

    /// Words quoted for a shell, to be shown.
    static func quoted(_ words: [String]) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:@%+")
        return words.map { word in
            if !word.isEmpty, word.allSatisfy(plain.contains) { return word }
            let inner = word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
            return "'\(inner)'"
        }.joined(separator: " ")
    }
}
