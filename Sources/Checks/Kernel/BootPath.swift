import RootfsModel

/// What stands between the kernel's start and the image's init: the file that the machine loads, its devices, the root
/// file system, init, the console.
struct BootPath {
    let subject: CheckSubject
    let drivers: KernelDrivers

    private var isFirecracker: Bool { subject.machine.monitor == .firecracker }
    private var monitor: String { isFirecracker ? "Firecracker" : "QEMU" }

    func findings() throws -> [Finding] {
        try imageFindings() + deviceFindings() + rootFindings() + initFindings() + consoleFindings()
    }

    private func imageFindings() throws -> [Finding] {
        guard let image = drivers.kernel.image else { return [] }
        let form = KernelForm(try subject.read(image, 0..<min(1024, image.size)))
        if let architecture = form.architecture, architecture != subject.architecture {
            return [
                Finding(
                    "kernel/architecture", .error,
                    "the kernel is for \(architecture), and the image for \(subject.architecture)",
                    reasons: ["the kernel's file is \(form.name) for \(architecture)"],
                    remedy: "take the kernel of \(subject.architecture)")
            ]
        }
        let isLoadable =
            switch form {
            case .elf: subject.architecture != "arm64" || !isFirecracker
            case .bzImage: !isFirecracker
            case .arm64Image: true
            case .other: false
            }
        guard !isLoadable else { return [] }
        let wanted = subject.architecture == "arm64" ? "an uncompressed Image (PE)" : "an ELF file, vmlinux"
        return [
            Finding(
                "kernel/format", .error, "\(monitor) cannot load the kernel: it is \(form.name)",
                reasons: ["\(monitor) loads \(wanted)"],
                remedy: form == .bzImage
                    ? "take the ELF out of it: rootfs-build kernel extract" : "give it \(wanted)")
        ]
    }

    /// Without ACPI or devices on the command line, x86 has no way to learn of virtio-mmio devices.
    private func deviceFindings() -> [Finding] {
        guard subject.architecture == "amd64", let acpi = drivers.value(of: "ACPI"),
            drivers.value(of: "VIRTIO_MMIO_CMDLINE_DEVICES") != "y"
        else { return [] }
        let isOff = drivers.argument("acpi") == "off"
        guard acpi != "y" || isOff else { return [] }
        return [
            Finding(
                "kernel/devices", .error, "the kernel cannot find the machine's devices, its disk among them",
                reasons: [
                    "\(monitor) tells a kernel of its virtio-mmio devices by ACPI or on the command line",
                    isOff ? "acpi=off is on the command line" : "CONFIG_ACPI is not set",
                    "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES is not set",
                ], remedy: isOff ? "remove acpi=off" : "take a kernel with CONFIG_ACPI=y")
        ]
    }

    /// What has to be there for the root file system to be reached: a kernel option and the module that it makes.
    private typealias Link = (option: String, module: String, what: String)

    private static func unreachable(_ link: Link, because reasons: [String], remedy: String) -> Finding {
        Finding(
            link.option == "EXT4_FS" ? "kernel/root-file-system" : "kernel/root-driver", .error,
            "the kernel cannot reach its root file system: no \(link.module)",
            reasons: ["\(link.what) needs CONFIG_\(link.option)"] + reasons, remedy: remedy)
    }

    private func rootFindings() -> [Finding] {
        var chain: [Link] = [(option: "EXT4_FS", module: "ext4", what: "the root file system, ext4")]
        let mmio = (option: "VIRTIO_MMIO", module: "virtio_mmio", what: "the root device's bus, virtio-mmio")
        let block = (option: "VIRTIO_BLK", module: "virtio_blk", what: "the root device, virtio-blk")
        let root = drivers.argument("root")
        var findings = [Finding]()
        if isFirecracker {
            chain += [mmio, block]
            if let root, root.hasPrefix("/dev/"),
                !root.hasPrefix("/dev/vd") && !root.hasPrefix("/dev/mapper/")
                    && !root.hasPrefix("/dev/dm-") && !root.hasPrefix("/dev/pmem") && !root.hasPrefix("/dev/disk/")
            {
                findings.append(
                    Finding(
                        "kernel/root-argument", .error, "root=\(root) names a device that Firecracker does not have",
                        reasons: ["its disks are virtio: /dev/vda, /dev/vdb …"], remedy: "root=/dev/vda"))
            }
        } else if drivers.value(of: "VIRTIO_PCI") ?? "" == "" {
            // QEMU's machines have virtio over PCI too, and other disks besides.
            chain += [mmio]
        }
        if let root, root.hasPrefix("/dev/vd"), root != "/dev/vda" {
            findings.append(
                Finding(
                    "kernel/root-argument", .warning, "root=\(root) names another disk than the machine's first",
                    reasons: ["the image is one file system without partitions, and the first disk is /dev/vda"],
                    remedy: "root=/dev/vda, unless the machine has this disk too"))
        }
        for link in chain {
            switch drivers.place(of: link.option, module: link.module) {
            case .builtIn, .unknown: continue
            case .initrd:
                guard drivers.argument("nomodule") != nil else {
                    continue
                }
                findings.append(
                    Finding(
                        "kernel/nomodule", .error, "the kernel may not load \(link.module), the driver of \(link.what)",
                        reasons: [
                            "CONFIG_\(link.option)=m: it is a module in the initrd",
                            "nomodule is on the command line: loading a module fails (EPERM)",
                        ], remedy: "remove nomodule from the kernel's arguments"))
            case .image, .lostModule:
                let hasInitrd = drivers.kernel.initrd != nil
                findings.append(
                    Self.unreachable(
                        link,
                        because: [
                            "the kernel has it as a module (m)",
                            hasInitrd ? "the initrd does not have \(link.module).ko" : "there is no initrd to load it",
                        ],
                        remedy: hasInitrd ? "add \(link.module) to kernel.modules" : "set kernel.initrd to auto"))
            case .absent:
                findings.append(
                    Self.unreachable(
                        link, because: ["the kernel's configuration does not set it"],
                        remedy: "take a kernel with CONFIG_\(link.option)"))
            }
        }
        if drivers.kernel.initrd != nil, drivers.value(of: "BLK_DEV_INITRD") == "" {
            findings.append(
                Finding(
                    "kernel/initrd", .error, "the kernel ignores its initrd",
                    reasons: ["CONFIG_BLK_DEV_INITRD is not set"], remedy: "take a kernel with CONFIG_BLK_DEV_INITRD"))
        }
        return findings
    }

    /// The init that the kernel or the initrd starts, as the kernel looks for it (init/main.c, kernel_init); nil where
    /// there is none.
    static func initPath(of subject: CheckSubject, drivers: KernelDrivers) -> TreePath? {
        let candidates = drivers.argument("init").map { [$0] } ?? ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"]
        return candidates.lazy.compactMap { TreePath(normalizing: $0) }.compactMap { subject.tree.resolve($0) }
            .first { (subject.tree[$0]?.metadata.mode ?? 0) & 0o111 != 0 && subject.tree[$0]?.blob != nil }
    }

    private func initFindings() -> [Finding] {
        if Self.initPath(of: subject, drivers: drivers) != nil { return [] }
        let named = drivers.argument("init")
        return [
            Finding(
                "kernel/init", .error,
                named.map { "init=\($0) is no program in the image" } ?? "the image has no init: the kernel panics",
                path: named.flatMap { TreePath(normalizing: $0) },
                reasons: named == nil
                    ? ["the kernel looks for /sbin/init, /etc/init, /bin/init, /bin/sh: none is an executable file"]
                    : ["the kernel starts what init= says, and nothing else"],
                remedy: named == nil ? "add a package with an init: systemd-sysv" : "correct init= or add the program",
                missing: TreePath(normalizing: named ?? "/sbin/init"))
        ]
    }

    private func consoleFindings() -> [Finding] {
        let consoles: [(prefix: String, options: [String])] = [
            ("ttyS", ["SERIAL_8250", "SERIAL_8250_CONSOLE"]),
            ("ttyAMA", ["SERIAL_AMBA_PL011", "SERIAL_AMBA_PL011_CONSOLE"]),
        ]
        return drivers.arguments("console").flatMap { value -> [Finding] in
            let device = value.split(separator: ",").first.map(String.init) ?? ""
            return consoles.filter { device.hasPrefix($0.prefix) }.flatMap(\.options).compactMap { option -> Finding? in
                guard let setting = drivers.value(of: option), setting != "y" else { return nil }
                return Finding(
                    "kernel/console", .error, "nothing will be seen on the console \(device): the kernel has no driver",
                    reasons: [
                        "console=\(value) is on the command line",
                        setting == "m"
                            ? "CONFIG_\(option)=m: a module comes too late for a console"
                            : "CONFIG_\(option) is not set",
                    ], remedy: "take a kernel with CONFIG_\(option)=y")
            }
        }
    }
}
