import RootfsModel

/// The command line that starts a machine under QEMU's microvm, the stand-in for Firecracker's: the same few
/// virtio-mmio devices, found by ACPI, and a serial line.
struct QEMUCommand {
    enum Accelerator: String {
        case tcg, kvm
    }

    var program: String
    var accelerator: Accelerator
    var kernel: String
    var initrd: String?
    /// nil for a machine without a disk.
    var image: String?
    var arguments: [String]
    var memory: Int
    var vcpus: Int
    /// The host's time stamp counter in kHz, where it is known.
    var clock: UInt64?
    var options: [String]

    /// program and arguments, as execvp(3) takes them: nothing here meets a shell.
    func words() throws(Failure) -> [String] {
        var words = [
            program, "-M", "microvm",
            "-accel", accelerator == .tcg ? "tcg,thread=multi" : "kvm",
            "-cpu", accelerator == .tcg ? "max" : "host",
            "-m", String(memory), "-smp", String(vcpus),
            "-kernel", Self.path(kernel),
        ]
        if let initrd { words += ["-initrd", Self.path(initrd)] }
        words += ["-append", try kernelLine()]
        words += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
        if let image {
            // A comma ends an option's value for QEMU, two are one in it. snapshot=on: the image is never written to.
            let file = Self.path(image).split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
            words += [
                "-drive", "id=root,file=\(file),format=raw,if=none,snapshot=on",
                "-device", "virtio-blk-device,drive=root",
            ]
        }
        return words + options
    }

    /// The recipe's arguments and the machine's own, which win over them.
    private func kernelLine() throws(Failure) -> String {
        var line = try KernelCommandLine(arguments)
        if !line.names("console") { try line.append(["console=ttyS0"]) }
        // microvm has no i8042 to reset the machine with (reboot=k): a triple fault ends it, at once after a panic.
        try line.append(["reboot=t", "panic=-1"])
        if accelerator == .tcg, let clock {
            // A guest that measures its clock on a loaded host hangs or runs slow; KVM has kvm-clock.
            try line.append(["tsc_early_khz=\(clock)", "tsc=reliable"])
        }
        if image != nil, !line.names("root") { try line.append(["root=/dev/vda", "rw"]) }
        return try line.text()
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
