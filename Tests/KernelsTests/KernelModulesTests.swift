import Kernels
import RootfsModel
import TestSupport
import Testing

/// A module with these texts in its .modinfo section.
func moduleELF(_ info: [String], machine: UInt16 = 62) -> [UInt8] {
    let names = Array("\0.modinfo\0.shstrtab\0".utf8)
    let modinfo: [UInt8] = info.flatMap { (text: String) -> [UInt8] in Array(text.utf8) + [0] }
    var bytes = [UInt8]()
    bytes.put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: 0)
    bytes.put(UInt16(1), at: 16)
    bytes.put(machine, at: 18)
    let table = 64 + names.count + modinfo.count
    bytes.put(UInt64(table), at: 40)
    bytes.put(UInt16(64), at: 58)
    bytes.put(UInt16(3), at: 60)
    bytes.put(UInt16(2), at: 62)
    bytes.put(names, at: 64)
    bytes.put(modinfo, at: 64 + names.count)
    let sections: [(name: UInt32, offset: Int, size: Int)] = [
        (0, 0, 0), (1, 64 + names.count, modinfo.count), (10, 64, names.count),
    ]
    for (index, section) in sections.enumerated() {
        let start = table + index * 64
        bytes.put(section.name, at: start)
        bytes.put(UInt32(index == 0 ? 0 : 1), at: start + 4)
        bytes.put(UInt64(section.offset), at: start + 24)
        bytes.put(UInt64(section.size), at: start + 32)
        bytes.put(UInt64(0), at: start + 56)
    }
    return bytes
}

/// A kernel package in memory.
struct ModulePackage {
    var files: [TreePath: [UInt8]] = [:]

    init(_ modules: [String: [String]] = [:], builtIn: String = "", builtInInfo: String = "") {
        for (file, info) in modules { add(file, moduleELF(info)) }
        add("modules.builtin", Array(builtIn.utf8))
        add("modules.builtin.modinfo", Array(builtInInfo.utf8))
    }

    mutating func add(_ file: String, _ bytes: [UInt8]) {
        if let path = TreePath(normalizing: "lib/modules/6.1.0-test/" + file) { files[path] = bytes }
    }

    func modules() throws -> KernelModules { try KernelModules(paths: files.keys) { files[$0] } }

    func order(_ names: String..., config: KernelConfig? = nil) throws -> [String] {
        try modules().resolve(names, config: config) { files[$0] }.map(\.name)
    }
}

@Suite struct ModuleResolution {
    let package = ModulePackage([
        "kernel/drivers/virtio/virtio.ko": ["license=GPL", "depends="],
        "kernel/drivers/virtio/virtio_ring.ko": ["depends="],
        "kernel/drivers/virtio/virtio_mmio.ko": ["depends=virtio,virtio_ring"],
        "kernel/drivers/block/virtio_blk.ko": ["depends=virtio_ring,virtio"],
        "kernel/drivers/char/hw_random/virtio-rng.ko": ["name=virtio_rng", "depends=virtio,rng-core"],
        "kernel/drivers/char/hw_random/rng-core.ko": ["depends="],
    ])

    @Test func dependenciesComeFirstAndOnce() throws {
        #expect(
            try package.order("virtio_mmio", "virtio_blk") == ["virtio", "virtio_ring", "virtio_mmio", "virtio_blk"])
        #expect(
            try package.order("virtio_blk", "virtio_blk", "virtio_mmio")
                == ["virtio_ring", "virtio", "virtio_blk", "virtio_mmio"])
        #expect(try package.order() == [])
    }

    @Test func hyphensAndUnderscoresAreTheSame() throws {
        #expect(try package.order("virtio_rng") == ["virtio", "rng_core", "virtio_rng"])
        #expect(try package.order("virtio-rng") == ["virtio", "rng_core", "virtio_rng"])
    }

    @Test func builtInModulesAreLeftOut() throws {
        var package = self.package
        package.add(
            "modules.builtin",
            Array(
                "kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio_ring.ko\nkernel/fs/ext4/ext4.ko\n".utf8))
        #expect(try package.order("virtio_blk", "ext4") == ["virtio_blk"])
        #expect(try self.package.order("ext4", config: KernelConfig(parsing: "CONFIG_EXT4_FS=y\n")) == [])
    }

    @Test func aMissingModuleIsNamedWithItsNeighbour() throws {
        #expect(throws: Failure("the kernel has no module virtio_blok", hint: "did you mean virtio_blk?")) {
            try package.order("virtio_blok")
        }
        let config = KernelConfig(parsing: "# CONFIG_VIRTIO_NET is not set\n")
        #expect(
            throws: Failure(
                "the kernel has no module virtio_net", notes: ["CONFIG_VIRTIO_NET is not set in its configuration"],
                hint: "did you mean virtio_blk?")
        ) { try package.order("virtio_net", config: config) }
        var broken = package
        broken.add("kernel/a.ko", moduleELF(["depends=nowhere_to_be_found"]))
        #expect(
            throws: Failure(
                "the kernel has no module nowhere_to_be_found", notes: ["the module a depends on it"])
        ) { try broken.order("a") }
        #expect(
            throws: Failure(
                "the kernel has no module x", notes: ["the kernel came with no modules at all"])
        ) { try ModulePackage().order("x") }
    }

    @Test(arguments: [("gzip", "gz"), ("xz --check=crc32", "xz"), ("zstd -q", "zst")])
    func compressedModulesAreDecompressed(_ command: String, _ suffix: String) throws {
        let program = String(command.prefix { $0 != " " })
        guard hostHas(program) else {
            print("skipped: the host has no \(program)")
            return
        }
        let plain = moduleELF(["depends=virtio"])
        var package = self.package
        package.add("kernel/net/some-net.ko.\(suffix)", try runOnHost("\(command) <module", files: ["module": plain]))
        let files = package.files
        let modules = try package.modules().resolve(["some_net"]) { files[$0] }
        #expect(modules.map(\.name) == ["virtio", "some_net"])
        #expect(modules.last?.bytes == plain)
        #expect(modules.last?.path.description == "/lib/modules/6.1.0-test/kernel/net/some-net.ko.\(suffix)")
    }

    @Test func softDependenciesAreFoundByNameAliasOrNotAtAll() throws {
        let modules = [
            "kernel/fs/ext4.ko": ["depends=jbd2", "softdep=pre: crc32c other post: late"],
            "kernel/fs/jbd2.ko": ["depends="],
            "kernel/crypto/crc32c_generic.ko": ["alias=crypto-crc32c", "alias=crc32c", "depends="],
            "kernel/late.ko": ["depends="],
        ]
        #expect(try ModulePackage(modules).order("ext4") == ["crc32c_generic", "jbd2", "ext4"])
        let builtIn = ModulePackage(modules, builtInInfo: "crc32c.alias=crc32c\0crc32c.license=GPL\0")
        #expect(try builtIn.order("ext4") == ["jbd2", "ext4"])
    }

    @Test func aModuleUnderUpdatesReplacesTheKernelsOwn() throws {
        var package = self.package
        package.add("updates/dkms/virtio_blk.ko", moduleELF(["depends="]))
        #expect(try package.order("virtio_blk") == ["virtio_blk"])
    }

    @Test func dependencyCyclesEnd() throws {
        let package = ModulePackage(["a.ko": ["depends=b"], "b.ko": ["depends=a"]])
        #expect(try package.order("a") == ["b", "a"])
    }

    @Test func aFileThatIsNoModuleIsRefused() throws {
        var package = self.package
        package.add("kernel/bad.ko", Array("hello".utf8))
        #expect(
            throws: Failure(
                "cannot read the kernel module /lib/modules/6.1.0-test/kernel/bad.ko: it is no ELF file with a .modinfo section"
            )
        ) { try package.order("bad") }
    }

    @Test func damagedModulesNeverCrash() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let plain = moduleELF(["depends=virtio", "alias=x"])
        for _ in 0..<3000 {
            var damaged = plain
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                damaged[Int.random(in: 4..<damaged.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            var package = self.package
            package.add("kernel/damaged.ko", Array(damaged.prefix(.random(in: 0...damaged.count, using: &generator))))
            _ = try? package.order("damaged")
        }
    }
}

@Suite struct WhetherAnInitrdIsNeeded {
    let modular = KernelConfig(parsing: "CONFIG_VIRTIO_MMIO=m\nCONFIG_VIRTIO_BLK=m\nCONFIG_EXT4_FS=y\n")
    let monolithic = KernelConfig(parsing: "CONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_EXT4_FS=y\n")

    private func modules() throws -> KernelModules {
        try ModulePackage(["virtio_mmio.ko": ["depends="], "virtio_blk.ko": ["depends="]]).modules()
    }

    @Test func autoAsksWhereTheRootDriversAre() throws {
        #expect(
            try initrdNeeded(mode: .auto, config: modular, modules: modules())
                == InitrdDecision(
                    isNeeded: true, because: "virtio_mmio and virtio_blk are modules",
                    rootModules: ["virtio_mmio", "virtio_blk"]))
        #expect(
            try initrdNeeded(mode: .auto, config: monolithic, modules: nil)
                == InitrdDecision(
                    isNeeded: false, because: "the drivers of the root file system are built in", rootModules: []))
        #expect(
            try initrdNeeded(mode: .auto, config: nil, modules: nil)
                == InitrdDecision(
                    isNeeded: false,
                    because:
                        "nothing is known of the kernel's configuration, so its root drivers are taken to be built in",
                    rootModules: []))
        let one = KernelConfig(parsing: "CONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_BLK=m\nCONFIG_EXT4_FS=y\n")
        #expect(try initrdNeeded(mode: .auto, config: one, modules: modules()).because == "virtio_blk is a module")
    }

    @Test func alwaysAndNeverAreObeyedWithAWord() throws {
        #expect(
            try initrdNeeded(mode: .always, config: monolithic, modules: nil)
                == InitrdDecision(
                    isNeeded: true, because: "the recipe says always", rootModules: []))
        #expect(
            try initrdNeeded(mode: .never, config: monolithic, modules: nil)
                == InitrdDecision(
                    isNeeded: false, because: "the recipe says never", rootModules: []))
        #expect(
            try initrdNeeded(mode: .never, config: modular, modules: modules()).because
                == "the recipe says never, although virtio_mmio and virtio_blk are modules: the kernel will not find its root file system"
        )
    }

    @Test func whatNothingCanHelpIsAFailure() throws {
        #expect(
            throws: Failure(
                "the kernel cannot reach its root file system: virtio_mmio is a module and did not come with it",
                notes: ["CONFIG_VIRTIO_MMIO=m in its configuration"],
                hint: "take the kernel with kernel: {package: …}, or one that has CONFIG_VIRTIO_MMIO=y")
        ) { try initrdNeeded(mode: .auto, config: modular, modules: nil) }
        #expect(
            throws: Failure(
                "the kernel cannot reach its root file system: it has no virtio_blk",
                notes: ["CONFIG_VIRTIO_BLK is not set in its configuration"],
                hint: "take a kernel that has CONFIG_VIRTIO_BLK=y or =m")
        ) { try initrdNeeded(mode: .auto, config: KernelConfig(parsing: "CONFIG_VIRTIO_MMIO=y\n"), modules: nil) }
    }
}
