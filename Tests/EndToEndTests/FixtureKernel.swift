import ArchiveFixture
import RootfsModel
import TestSupport

/// A made-up kernel: what a bzImage, its ELF and its modules must have for this program to take them, and no more.
enum FixtureKernel {
    static let release = "6.1.0-test"

    /// A static x86-64 ELF with one segment that says a kernel's banner.
    static let elf: [UInt8] = {
        var bytes = [UInt8]()
        bytes.put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: 0)
        bytes.put(UInt16(2), at: 16)
        bytes.put(UInt16(62), at: 18)
        bytes.put(UInt64(64), at: 32)
        bytes.put(UInt16(64), at: 52)
        bytes.put(UInt16(56), at: 54)
        bytes.put(UInt16(1), at: 56)
        bytes.put(UInt16(64), at: 58)
        let text =
            Array("Linux version \(release) (build@host) (gcc 12) #1 SMP\n\0".utf8) + [UInt8](repeating: 7, count: 9000)
        bytes.put(UInt32(1), at: 64)
        bytes.put(UInt64(120), at: 64 + 8)
        bytes.put(UInt64(text.count), at: 64 + 32)
        bytes.put(UInt64(4), at: 64 + 48)
        bytes.put(text, at: 120)
        return bytes
    }()

    /// The ELF as a gzip payload, which ends with its size, behind a boot header.
    static func bzImage() throws -> [UInt8] { TestSupport.bzImage(payload: try compressed(elf, .gzip)) }

    /// A kernel object whose .modinfo names what it depends on.
    static func module(depends: String) -> [UInt8] {
        let names = Array("\0.modinfo\0.shstrtab\0".utf8)
        let information = Array("license=GPL\0depends=\(depends)\0".utf8)
        var bytes = [UInt8]()
        bytes.put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: 0)
        bytes.put(UInt16(1), at: 16)
        bytes.put(UInt16(62), at: 18)
        let table = 64 + names.count + information.count
        bytes.put(UInt64(table), at: 40)
        bytes.put(UInt16(64), at: 58)
        bytes.put(UInt16(3), at: 60)
        bytes.put(UInt16(2), at: 62)
        bytes.put(names + information, at: 64)
        for (index, section) in [(0, 0, 0), (1, 64 + names.count, information.count), (10, 64, names.count)]
            .enumerated()
        {
            let start = table + index * 64
            bytes.put(UInt32(section.0), at: start)
            bytes.put(UInt32(index == 0 ? 0 : 1), at: start + 4)
            bytes.put(UInt64(section.1), at: start + 24)
            bytes.put(UInt64(section.2), at: start + 32)
            bytes.put(UInt64(0), at: start + 56)
        }
        return bytes
    }

    /// A kernel's package: with the drivers of the root file system built in, or as modules.
    static func package(_ name: String, modular: Bool) throws -> FixturePackage {
        let form = modular ? "m" : "y"
        let config =
            "CONFIG_VIRTIO=y\nCONFIG_VIRTIO_MMIO=\(form)\nCONFIG_VIRTIO_BLK=\(form)\nCONFIG_VIRTIO_NET=\(form)\nCONFIG_EXT4_FS=y\n"
            + "CONFIG_ACPI=y\nCONFIG_SERIAL_8250=y\nCONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_BLK_DEV_INITRD=y\n"
            + "CONFIG_DEVTMPFS=y\nCONFIG_TMPFS=y\nCONFIG_PROC_FS=y\nCONFIG_SYSFS=y\nCONFIG_RANDOM_TRUST_CPU=y\nCONFIG_KVM_GUEST=y\n"
        let modules = "lib/modules/\(release)"
        var files: [FixtureFile] = [
            .file("boot/vmlinuz-\(release)", bytes: try bzImage()), .file("boot/config-\(release)", config),
            .file("\(modules)/modules.builtin", modular ? "kernel/fs/ext4/ext4.ko\n" : ""),
            .file("\(modules)/modules.builtin.modinfo", ""),
        ]
        if modular {
            for (path, depends) in [
                ("virtio/virtio_mmio", ""), ("block/virtio_blk", ""), ("net/net_failover", ""),
                ("net/virtio_net", "net_failover"),
            ] {
                files.append(.file("\(modules)/kernel/drivers/\(path).ko", bytes: module(depends: depends)))
            }
        }
        return FixturePackage(name, version: "6.1.1-1", architecture: "amd64", files: files)
    }
}
