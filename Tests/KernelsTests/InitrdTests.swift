import RootfsModel
import TestSupport
import Testing

@testable import Kernels

@Suite struct InitrdWriting {
    let busybox = elfKernel(size: 5000)
    let modules = [
        KernelModule(name: "virtio", path: "lib/modules/virtio.ko", bytes: moduleELF(["depends="])),
        KernelModule(name: "virtio_rng", path: "lib/modules/virtio-rng.ko", bytes: moduleELF(["depends=virtio"])),
    ]

    private func initrd(moment: Int64 = 1_700_000_000) -> Initrd {
        Initrd(modules: modules, busybox: busybox, architecture: .amd64, moment: Timestamp(seconds: moment))
    }

    @Test func samePartsGiveTheSameBytes() throws {
        let first = try initrd().bytes()
        #expect(try initrd().bytes() == first)
        #expect(first.count % 512 == 0)
        #expect(try initrd(moment: 1).bytes() != first)
    }

    /// The format is pinned: another digest means that every image's initrd changes.
    @Test func anArchiveHasTheseBytes() {
        var archive = CpioArchive()
        archive.add("dev/console", .characterDevice(major: 5, minor: 1), mode: 0o600)
        archive.add("a", .file([1, 2, 3]), mode: 0o644)
        archive.add("dev", .directory, mode: 0o755)
        archive.add("b", .symbolicLink("a"), mode: 0o777)
        let text = String(decoding: archive.bytes(moment: 0x6553_F100), as: UTF8.self)
        let expected =
            "070701" + "00000001" + "000081A4" + "00000000" + "00000000" + "00000001" + "6553F100" + "00000003"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" + "a\0" + "\u{1}\u{2}\u{3}\0"
            + "070701" + "00000002" + "0000A1FF" + "00000000" + "00000000" + "00000001" + "6553F100" + "00000001"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" + "b\0" + "a\0\0\0"
            + "070701" + "00000003" + "000041ED" + "00000000" + "00000000" + "00000002" + "6553F100" + "00000000"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\0\0\0"
            + "070701" + "00000004" + "00002180" + "00000000" + "00000000" + "00000001" + "6553F100" + "00000000"
            + "00000000" + "00000000" + "00000005" + "00000001" + "0000000C" + "00000000" + "dev/console\0\0\0"
            + "070701" + "00000000" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000"
            + "00000000" + "00000000" + "00000000" + "00000000" + "0000000B" + "00000000" + "TRAILER!!!\0\0\0\0"
        #expect(text.hasPrefix(expected))
        #expect(text.dropFirst(expected.count).allSatisfy { $0 == "\0" })
    }

    @Test func bsdtarListsIt() throws {
        guard hostHas("bsdtar") else {
            print("skipped: the host has no bsdtar")
            return
        }
        let listing = try runOnHost("TZ=UTC LC_ALL=C bsdtar -tvf initrd", files: ["initrd": initrd().bytes()])
        let lines = String(decoding: listing, as: UTF8.self).split(separator: "\n").map { line in
            line.split(separator: " ").filter { !$0.isEmpty }.joined(separator: " ")
        }
        #expect(lines.contains("crw------- 1 0 0 5,1 Nov 14 2023 dev/console"), "\(lines)")
        #expect(lines.contains("-rwxr-xr-x 1 0 0 \(busybox.count) Nov 14 2023 bin/busybox"))
        #expect(lines.contains("lrwxrwxrwx 1 0 0 7 Nov 14 2023 bin/sh -> busybox"))
        #expect(lines.contains("-rw-r--r-- 1 0 0 \(modules[1].bytes.count) Nov 14 2023 lib/modules/virtio_rng.ko"))
        let order = try runOnHost("bsdtar -xOf initrd lib/modules/order", files: ["initrd": initrd().bytes()])
        #expect(String(decoding: order, as: UTF8.self) == "virtio\nvirtio_rng\n")
    }

    @Test func theScriptIsShellThatParses() throws {
        for shell in ["sh", "bash --posix", "busybox sh"] where hostHas(String(shell.prefix { $0 != " " })) {
            _ = try runOnHost("\(shell) -n init", files: ["init": Array(initScript.utf8)])
        }
        #expect(initScript.hasPrefix("#!/bin/sh\n"))
        #expect(initScript.hasSuffix("\"$@\"\n"))
    }

    @Test func aBusyboxThatCannotRunIsRefused() throws {
        var initrd = initrd()
        initrd.busybox = Array("#!/bin/sh".utf8)
        #expect(throws: Failure("cannot make an initrd: its busybox is no ELF file")) { try initrd.bytes() }
        initrd.busybox = elfKernel(machine: 183, size: 5000)
        #expect(throws: Failure("cannot make an initrd: its busybox is for aarch64, not x86_64")) { try initrd.bytes() }
        initrd.busybox = elfKernel(size: 5000, interpreter: true)
        #expect(
            throws: Failure(
                "cannot make an initrd: its busybox is not linked statically", hint: "take it from busybox-static")
        ) { try initrd.bytes() }
        initrd.busybox = busybox
        initrd.modules[0].bytes = moduleELF(["depends="], machine: 183)
        #expect(throws: Failure("cannot make an initrd: the module /lib/modules/virtio.ko is not for amd64")) {
            try initrd.bytes()
        }
    }
}

@Suite struct LZODecompression {
    /// Long literal runs, long and overlapping matches, near and far distances, blocks that do not compress.
    private func samples() -> [[UInt8]] {
        var generator = SeededGenerator(seed: 7)
        func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255, using: &generator) } }
        let word = noise(40)
        return [
            [1], Array("hello hello hello hello".utf8), [UInt8](repeating: 0, count: 1_000_000), noise(300_000),
            word + noise(50_000) + word + noise(17_000) + word, (0..<60_000).map { UInt8(truncatingIfNeeded: $0 / 7) },
            elfKernel(size: 700_000, seed: 3),
        ]
    }

    @Test(arguments: ["-1", "-3", "-7", "-9", "-9 --crc32", "-1 -C", "-9 -F"])
    func whatLzopWroteIsRead(_ options: String) throws {
        guard hostHas("lzop") else {
            print("skipped: the host has no lzop")
            return
        }
        for sample in samples() {
            let packed = try runOnHost("lzop \(options) <sample", files: ["sample": sample])
            #expect(try Lzop.decompress(packed[...], limit: sample.count) == sample)
        }
    }

    @Test func aFileWithANameAndATimeIsRead() throws {
        guard hostHas("lzop") else { return }
        let packed = try runOnHost("lzop -9 -o out sample && cat out", files: ["sample": Array("hello".utf8)])
        #expect(try Lzop.decompress(packed[...], limit: 5) == Array("hello".utf8))
        #expect(throws: Failure("the lzo stream holds more than 4 bytes")) {
            try Lzop.decompress(packed[...], limit: 4)
        }
        #expect(throws: Failure("the lzo stream has bytes after its end")) {
            try Lzop.decompress((packed + [0])[...], limit: 5)
        }
        for cut in 0..<packed.count {
            #expect(throws: Failure.self) { try Lzop.decompress(packed[..<cut], limit: 5) }
        }
        var damaged = packed
        damaged[20] ^= 1
        #expect(throws: Failure("the lzo stream's header does not match its checksum")) {
            try Lzop.decompress(damaged[...], limit: 5)
        }
    }

    /// Single blocks without checksums: what a checksum would otherwise catch meets the decoder itself.
    @Test func hostileBlocksAreRefusedByReason() {
        func defect(_ block: [UInt8], size: Int) -> LZO1X.Defect? {
            do throws(LZO1X.Defect) {
                _ = try LZO1X.decompress(block[...], size: size)
                return nil
            } catch { return error }
        }
        let end: [UInt8] = [0x11, 0, 0]
        #expect(defect([22, 1, 2, 3, 4, 5] + end, size: 5) == nil)
        #expect(defect([22, 1, 2, 3, 4, 5] + end, size: 6) == .fallsShort)
        #expect(defect([22, 1, 2, 3, 4, 5] + end, size: 4) == .outgrowsItsBlock)
        #expect(defect([22, 1, 2, 3], size: 5) == .endsEarly)
        #expect(defect([22, 1, 2, 3, 4, 5] + end + [0], size: 5) == .endsInTheMiddle)
        #expect(defect([22, 1, 2, 3, 4, 5, 0x40, 1] + end, size: 50) == .copiesFromBeforeItsStart)
        #expect(defect([], size: 5) == .endsEarly)
        #expect(defect([0] + [UInt8](repeating: 0, count: 100_000), size: 5) == .outgrowsItsBlock)
    }

    @Test func randomBlocksNeverCrash() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let block = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let size = Int.random(in: 0...300, using: &generator)
            if let content = try? LZO1X.decompress(block[...], size: size) {
                #expect(content.count == size, "seed \(seed)")
            }
        }
    }
}

@Suite struct VerifiedRootTests {
    @Test func aKernelMakesTheVerifiedRootItselfWhereAllOfItIsBuiltIn() {
        let whole = KernelConfig(parsing: "CONFIG_DM_INIT=y\nCONFIG_DM_VERITY=y\n")
        #expect(verifiedRootObstacle(config: whole, rootModules: []) == nil)
        #expect(verifiedRootObstacle(config: nil, rootModules: []) == nil)
        #expect(
            verifiedRootObstacle(config: whole, rootModules: ["virtio_blk"])
                == "virtio_blk is a module, and the command line is read before any module is loaded")
        let modular = KernelConfig(parsing: "CONFIG_DM_INIT=y\nCONFIG_DM_VERITY=m\n")
        #expect(verifiedRootObstacle(config: modular, rootModules: []) == "CONFIG_DM_VERITY=y is missing")
    }
}

@Suite struct InitrdReading {
    private func initrd() throws -> [UInt8] {
        try Initrd(
            modules: [KernelModule(name: "virtio", path: "lib/modules/virtio.ko", bytes: moduleELF(["depends="]))],
            busybox: elfKernel(size: 5000), architecture: .amd64, moment: Timestamp(seconds: 1)
        ).bytes()
    }

    @Test func whatWasWrittenIsRead() throws {
        let tree = try initrdTree(try initrd(), name: "it")
        #expect(tree["lib/modules/virtio.ko"]?.blob?.source == .bytes(moduleELF(["depends="])))
        #expect(tree["init"]?.metadata.mode == 0o755)
        #expect(tree["bin/sh"]?.linkTarget == Array("busybox".utf8))
        #expect(tree["dev/console"]?.kind == .characterDevice(major: 5, minor: 1))
    }

    @Test func archivesBehindEachOtherAreOne() throws {
        var early = CpioArchive()
        early.add("kernel", .directory, mode: 0o755)
        early.add("kernel/microcode", .file([1]), mode: 0o644)
        let tree = try initrdTree(early.bytes(moment: 1) + (try initrd()), name: "it")
        #expect(tree["kernel/microcode"] != nil && tree["init"] != nil)
    }

    @Test func cutOrChangedBytesAreRefusedOrReadAndNothingElse() throws {
        let bytes = try initrd()
        for cut in stride(from: 0, to: bytes.count - 600, by: 97) where cut > 0 {
            #expect(throws: Failure.self) { try initrdTree(Array(bytes.prefix(cut)), name: "it") }
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            var changed = bytes
            for _ in 0..<4 {
                changed[Int.random(in: 0..<2000, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            // Either is right; what counts is that it comes back.
            do { _ = try initrdTree(changed, name: "it") } catch { #expect(error.message.contains("it")) }
        }
    }

    @Test func whatIsNoArchiveIsRefused() {
        #expect(throws: Failure("it is no initial RAM disk: neither a cpio archive nor a compressed one")) {
            try initrdTree(Array("hello".utf8), name: "it")
        }
    }
}
