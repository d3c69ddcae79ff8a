import Checks
import RootfsModel
import Testing

/// A good kernel, machine and image, and what one small change does to them.
@Suite struct KernelFaultTests {
    /// Debian's cloud kernel with the initrd that a build makes, below a systemd image.
    struct Parts {
        var tree = PlantedTree()
        var initrd = PlantedTree()
        var subject: CheckSubject

        init() throws {
            tree.file("usr/lib/systemd/systemd", mode: 0o755)
            tree.link("usr/sbin/init", to: "../lib/systemd/systemd")
            tree.link("sbin", to: "usr/sbin")
            tree.link("lib", to: "usr/lib")
            tree.file("etc/fstab", "# nothing\ntmpfs /tmp tmpfs mode=1777 0 0\n")
            for module in ["virtio_mmio", "virtio_blk", "virtio_net", "virtio"] {
                initrd.file("lib/modules/\(module).ko")
            }
            var options = [String: String]()
            for option in [
                "ACPI", "EXT4_FS", "SERIAL_8250", "SERIAL_8250_CONSOLE", "DEVTMPFS", "CGROUPS", "TMPFS", "INOTIFY_USER",
                "SIGNALFD", "TIMERFD", "EPOLL", "UNIX", "SYSFS", "PROC_FS", "FHANDLE", "RANDOM_TRUST_CPU", "KVM_GUEST",
                "BLK_DEV_INITRD",
            ] { options["CONFIG_" + option] = "y" }
            for option in [
                "VIRTIO_MMIO", "VIRTIO_BLK", "VIRTIO_NET", "VIRTIO_VSOCKETS", "HW_RANDOM_VIRTIO", "VIRTIO_BALLOON",
                "FUSE_FS", "OVERLAY_FS",
            ] { options["CONFIG_" + option] = "m" }
            let kernel = CheckSubject.Kernel(
                release: "6.1.0-56-cloud-amd64", image: Blob(Self.elf(machine: 62)), options: options,
                arguments: ["console=ttyS0", "reboot=k", "panic=1", "root=/dev/vda", "rw"])
            subject = CheckSubject(
                tree: FileTree(), architecture: "amd64", kernel: kernel, read: readMemory)
        }

        static func elf(machine: UInt8) -> [UInt8] {
            [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9) + [2, 0, machine, 0]
                + [UInt8](repeating: 0, count: 44)
        }

        mutating func run(_ words: String...) {
            subject.services.append(
                Service(name: "it", origin: .recipe, commands: [.init(role: "command", words: words)]))
        }

        func findings() throws -> [Finding] {
            var subject = subject
            subject.tree = try tree.tree
            if subject.kernel?.initrd == nil { subject.kernel?.initrd = try initrd.tree }
            let rules: [any Rule] = [KernelRule(), EntropyRule(), ClockRule(), MemoryRule()]
            return try rules.flatMap { try $0.findings(in: subject) }
        }
    }

    @Test func `a good kernel gives a note at most`() throws {
        let findings = try Parts().findings()
        #expect(findings.map(\.id) == ["kernel/devices-unused"])
        #expect(findings.allSatisfy { $0.severity == .note })
    }

    @Test func `without a kernel nothing is said`() throws {
        var parts = try Parts()
        parts.subject.kernel = nil
        #expect(try parts.findings() == [])
    }

    @Test func `without a configuration nothing is guessed`() throws {
        var parts = try Parts()
        parts.subject.kernel?.options = nil
        #expect(try parts.findings() == [])
    }

    typealias Fault = PartsFault<Parts>

    static let faults: [Fault] = [
        Fault(id: "kernel/architecture", says: "the kernel is for arm64") {
            $0.subject.kernel?.image = Blob(Parts.elf(machine: 183))
        },
        Fault(id: "kernel/format", says: "it is a bzImage") {
            var bytes = [UInt8](repeating: 0, count: 1024)
            bytes.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
            $0.subject.kernel?.image = Blob(bytes)
        },
        Fault(id: "kernel/format", says: "it is no kernel") { $0.subject.kernel?.image = Blob([0x1F, 0x8B]) },
        Fault(id: "kernel/devices", says: "acpi=off is on the command line") {
            $0.subject.kernel?.arguments.append("acpi=off")
        },
        Fault(id: "kernel/devices", says: "CONFIG_ACPI is not set") {
            $0.subject.kernel?.options?["CONFIG_ACPI"] = nil
        },
        Fault(id: "kernel/root-driver", says: "the initrd does not have virtio_blk.ko") {
            $0.initrd.remove("lib/modules/virtio_blk.ko")
        },
        Fault(id: "kernel/root-driver", says: "configuration does not set it") {
            $0.subject.kernel?.options?["CONFIG_VIRTIO_MMIO"] = nil
        },
        Fault(id: "kernel/root-file-system", says: "no ext4") { $0.subject.kernel?.options?["CONFIG_EXT4_FS"] = "m" },
        Fault(id: "kernel/nomodule", says: "nomodule is on the command line") {
            $0.subject.kernel?.arguments.append("nomodule")
        },
        Fault(id: "kernel/initrd", says: "BLK_DEV_INITRD") {
            $0.subject.kernel?.options?["CONFIG_BLK_DEV_INITRD"] = nil
        },
        Fault(id: "kernel/root-argument", says: "root=/dev/sda1") {
            $0.subject.kernel?.arguments = ["console=ttyS0", "root=/dev/sda1"]
        },
        Fault(id: "kernel/root-argument", severity: .warning, says: "root=/dev/vdz") {
            $0.subject.kernel?.arguments = ["console=ttyS0", "root=/dev/vdz"]
        },
        Fault(id: "kernel/init", says: "init=/sbin/tiny is no program") {
            $0.subject.kernel?.arguments.append("init=/sbin/tiny")
        },
        Fault(id: "kernel/init", says: "the image has no init") { $0.tree.remove("usr/lib/systemd/systemd") },
        Fault(id: "kernel/console", says: "CONFIG_SERIAL_8250_CONSOLE is not set") {
            $0.subject.kernel?.options?["CONFIG_SERIAL_8250_CONSOLE"] = nil
        },
        Fault(id: "kernel/console", says: "too late for a console") {
            $0.subject.kernel?.options?["CONFIG_SERIAL_8250"] = "m"
        },
        Fault(id: "kernel/too-old", says: "needs Linux 6.2.0 or later") {
            $0.tree.file("usr/lib/x86_64-linux-gnu/libc.so.6", ElfFixture(kernel: [6, 2, 0]).bytes)
        },
        Fault(id: "kernel/systemd", says: "no CONFIG_CGROUPS") { $0.subject.kernel?.options?["CONFIG_CGROUPS"] = nil },
        Fault(id: "kernel/systemd", says: "no CONFIG_DEVTMPFS") {
            $0.subject.kernel?.options?["CONFIG_DEVTMPFS"] = nil
        },
        Fault(id: "kernel/file-system", says: "the kernel has no overlay") {
            $0.tree.file("etc/fstab", "overlay /srv overlay lowerdir=/a,upperdir=/b,workdir=/c 0 0\n")
        },
        Fault(id: "kernel/fuse", says: "sshfs needs FUSE") { $0.run("/usr/bin/sshfs", "a:", "/mnt") },
        Fault(id: "kernel/overlay", severity: .warning, says: "dockerd needs overlayfs") {
            $0.run("/usr/sbin/dockerd")
        },
        Fault(id: "kernel/vsock", says: "which the service uses") {
            $0.run("/usr/bin/socat", "VSOCK-LISTEN:1,fork", "-")
        },
        Fault(id: "kernel/network", severity: .warning, says: "neither the initrd nor the image has virtio_net.ko") {
            $0.initrd.remove("lib/modules/virtio_net.ko")
        },
        Fault(id: "kernel/modules-release", severity: .warning, says: "/lib/modules has 6.1.0-1-cloud-amd64") {
            $0.tree.file("usr/lib/modules/6.1.0-1-cloud-amd64/kernel/fs/fuse/fuse.ko")
        },
        Fault(id: "kernel/modules-list", severity: .warning, says: "no modules.dep") {
            $0.tree.file("usr/sbin/modprobe", mode: 0o755)
            $0.tree.file("usr/lib/modules/6.1.0-56-cloud-amd64/kernel/fs/fuse/fuse.ko")
        },
        Fault(id: "kernel/module", severity: .warning, says: "the module overlay cannot be loaded") {
            $0.tree.file("etc/modules-load.d/docker.conf", "overlay\n")
        },
        Fault(id: "entropy/none", says: "before 5.4") {
            $0.subject.kernel?.release = "4.19.0-1"
            $0.subject.kernel?.options?["CONFIG_RANDOM_TRUST_CPU"] = nil
            $0.run("/usr/bin/sleep")
        },
        Fault(id: "entropy/late", severity: .note, says: "about a second") {
            $0.subject.kernel?.arguments.append("random.trust_cpu=off")
        },
        Fault(id: "clock/none", severity: .warning, says: "starts in the past") {
            $0.subject.kernel?.options?["CONFIG_KVM_GUEST"] = nil
        },
        Fault(id: "memory/sum", says: "need 1536 MiB, and the machine has 1024 MiB") {
            for name in ["a", "b"] {
                $0.subject.services.append(Service(name: name, origin: .recipe, memory: 768 << 20))
            }
        },
        Fault(id: "memory/chromium", says: "does not run in 256 MiB") {
            $0.run("/usr/bin/chromium", "--kiosk")
            $0.subject.machine.memory = 256 << 20
        },
        Fault(id: "memory/heap", severity: .warning, says: "--max-old-space-size=4096 is 4096 MiB") {
            $0.run("/usr/bin/node", "--max-old-space-size=4096", "/srv/a.js")
        },
    ]

    @Test(arguments: faults) func `is found`(fault: Fault) throws {
        var parts = try Parts()
        fault.plant(&parts)
        let findings = try parts.findings()
        let found = findings.filter { $0.id == fault.id }
        #expect(!found.isEmpty, "\(findings)")
        #expect(found.allSatisfy { $0.severity == fault.severity })
        expect(found, say: fault.says)
        #expect(found.allSatisfy { $0.remedy != nil })
    }

    @Test func `modules of the image count where something loads them`() throws {
        var parts = try Parts()
        parts.tree.file("usr/sbin/modprobe", mode: 0o755)
        parts.tree.file("usr/lib/modules/6.1.0-56-cloud-amd64/modules.dep")
        parts.tree.file("usr/lib/modules/6.1.0-56-cloud-amd64/kernel/fs/overlayfs/overlay.ko.xz")
        parts.tree.file("etc/fstab", "overlay /srv overlay lowerdir=/a 0 0\n")
        #expect(try !parts.findings().contains { $0.severity > .note })
    }

    @Test func `what fstab may miss stops nothing`() throws {
        var parts = try Parts()
        parts.tree.file("etc/fstab", "a:/b /mnt nfs defaults,nofail 0 0\n/dev/vdb /c xfs noauto 0 0\n")
        #expect(try !parts.findings().contains { $0.id == "kernel/file-system" })
    }

    @Test func `drivers on PCI and SCSI do under QEMU`() throws {
        var parts = try Parts()
        parts.subject.machine.monitor = .qemu
        parts.subject.kernel?.options?["CONFIG_VIRTIO_PCI"] = "y"
        parts.subject.kernel?.options?["CONFIG_VIRTIO_MMIO"] = nil
        parts.subject.kernel?.arguments = ["root=/dev/sda", "console=ttyS0"]
        #expect(try !parts.findings().contains { $0.severity == .error })
    }
}
