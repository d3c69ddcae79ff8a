public import RootfsModel

/// The small first file system that loads the kernel's modules for the machine's devices, the root device's among them,
/// and hands over to the image's init.
///
/// Not compressed: it is 2.6 MB, a VMM maps it from the page cache, unpacking would cost the guest time, and no
/// compressor promises the same bytes in its next version, which the image's reproducibility rests on.
public struct Initrd: Sendable {
    /// In the order they are loaded.
    public var modules: [KernelModule]
    /// A statically linked busybox for the kernel's architecture.
    public var busybox: [UInt8]
    public var architecture: KernelArchitecture
    /// The time of every file in it: the build's SOURCE_DATE_EPOCH.
    public var moment: Timestamp

    public init(modules: [KernelModule], busybox: [UInt8], architecture: KernelArchitecture, moment: Timestamp) {
        self.modules = modules
        self.busybox = busybox
        self.architecture = architecture
        self.moment = moment
    }

    /// The commands that the script calls besides those its shell has.
    static let commands = [
        "cat", "findfs", "insmod", "ls", "mount", "reboot", "sh", "sleep", "switch_root", "sync", "umount",
    ]

    /// The archive, as a kernel takes it. The same parts give the same bytes.
    public func bytes() throws(Failure) -> [UInt8] {
        try checkBusybox()
        var archive = CpioArchive()
        for directory in ["bin", "dev", "lib", "lib/modules", "proc", "root", "sys"] {
            archive.add(directory, .directory, mode: 0o755)
        }
        // The kernel opens it for init before anything can mount devtmpfs.
        archive.add("dev/console", .characterDevice(major: 5, minor: 1), mode: 0o600)
        archive.add("init", .file(Array(initScript.utf8)), mode: 0o755)
        archive.add("bin/busybox", .file(busybox), mode: 0o755)
        for command in Self.commands { archive.add("bin/\(command)", .symbolicLink("busybox"), mode: 0o777) }
        for module in modules {
            guard ELF(module.bytes)?.machine == architecture.elfMachine else {
                throw Failure("cannot make an initrd: the module \(module.path) is not for \(architecture.rawValue)")
            }
            archive.add("lib/modules/\(module.name).ko", .file(module.bytes), mode: 0o644)
        }
        let order = modules.map { $0.name + "\n" }.joined()
        archive.add("lib/modules/order", .file(Array(order.utf8)), mode: 0o644)
        return archive.bytes(moment: moment.seconds)
    }

    private func checkBusybox() throws(Failure) {
        guard let elf = ELF(busybox) else {
            throw Failure("cannot make an initrd: its busybox is no ELF file")
        }
        guard elf.machine == architecture.elfMachine else {
            throw Failure(
                "cannot make an initrd: its busybox is for \(elf.machineName), not \(architecture.machineName)")
        }
        // PT_INTERP: there is no dynamic linker in an initrd.
        guard !elf.segments.contains(where: { $0.type == 3 }) else {
            throw Failure(
                "cannot make an initrd: its busybox is not linked statically", hint: "take it from busybox-static")
        }
    }
}
