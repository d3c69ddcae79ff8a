import Foundation
import Kernels
import RootfsModel
import TestSupport
import Testing

@Suite struct KernelExtraction {
    @Test(arguments: PayloadRecipe.all)
    func everyPayloadFormatGivesTheKernelBack(_ recipe: PayloadRecipe) throws {
        guard hostHas(recipe.program) else {
            print("skipped: the host has no \(recipe.program)")
            return
        }
        let kernel = elfKernel()
        let image = bzImage(payload: try recipe.payload(of: kernel))
        let extracted = try extractKernel(from: image, named: "vmlinuz", for: "amd64")
        #expect(extracted.bytes == kernel)
        #expect(extracted.origin == "bzImage, \(recipe.compression)")
        if hostHas("readelf") { #expect(try recipe.extractedByMark(from: image) == kernel) }
        #expect(extracted.banner == "Linux version 6.1.0-test-amd64 (build@host) (gcc 12) #1 SMP")
        #expect(extracted.release == "6.1.0-test-amd64")
        #expect(extracted.buildID == "030f1b27333f4b57636f7b87939fabb7c3cfdbe7")
        #expect(extracted.hasPVHEntry)
    }

    @Test func relocationsBehindTheKernelStayWithIt() throws {
        let kernel = elfKernel() + [0, 0, 0, 0, 1, 2, 3, 4]
        let recipe = PayloadRecipe.all[0]
        let image = bzImage(payload: try recipe.payload(of: kernel))
        #expect(try extractKernel(from: image, named: "vmlinuz").bytes == kernel)
    }

    @Test func setupSectorsOfZeroMeanFour() throws {
        let kernel = elfKernel()
        let image = bzImage(payload: try PayloadRecipe.all[0].payload(of: kernel), setupSectors: 0)
        #expect(try BzImage(image).payload.lowerBound == 5 * 512 + 0x2CC)
        #expect(try extractKernel(from: image, named: "vmlinuz").bytes == kernel)
    }

    @Test func theBootHeaderIsRead() throws {
        let payload = try PayloadRecipe.all[0].payload(of: elfKernel())
        let image = try BzImage(bzImage(payload: payload))
        #expect(image.protocolVersion == 0x020F)
        #expect(image.version == "6.1.0-test (build@host) #1")
        #expect(image.compression == .gzip)
        #expect(image.payload == (40 * 512 + 0x2CC)..<(40 * 512 + 0x2CC + payload.count))
        #expect(image.uncompressedSize == elfKernel().count)
    }

    @Test func anELFNeedsNoExtractionAndBootsAsItIs() throws {
        let kernel = elfKernel()
        #expect(
            throws: Failure(
                "cannot extract a kernel from kernels/vmlinux: already an ELF",
                hint: "use it as it is, as kernel: {file: kernels/vmlinux}")
        ) { try extractKernel(from: kernel, named: "kernels/vmlinux") }
        let usable = try bootableKernel(in: kernel, named: "kernels/vmlinux", for: "amd64")
        #expect(usable.bytes == kernel)
        #expect(usable.origin == "ELF")
    }

    @Test func anArm64ImageBootsAsItIsAndOnlyForArm64() throws {
        let image = arm64Image()
        #expect(try bootableKernel(in: image, named: "Image", for: "arm64").bytes == image)
        let compressed = try runOnHost("gzip -n <image", files: ["image": image])
        let usable = try bootableKernel(in: compressed, named: "Image.gz", for: "arm64")
        #expect(usable.bytes == image)
        #expect(usable.origin == "arm64 Image, gzip")
        #expect(throws: Failure("cannot take a kernel from Image: arm64 Image, the recipe wants amd64")) {
            try bootableKernel(in: image, named: "Image", for: "amd64")
        }
        #expect(throws: Failure("cannot take a kernel from Image: truncated: 5,000 of 9,216 bytes")) {
            try bootableKernel(in: Array(image.prefix(5000)), named: "Image", for: "arm64")
        }
        #expect(
            throws: Failure(
                "cannot extract a kernel from Image: arm64 Image, which is not compressed",
                hint: "use it as it is, as kernel: {file: Image}")
        ) { try extractKernel(from: image, named: "Image") }
    }

    private func arm64Image() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 9216)
        bytes.put(Array("MZ".utf8), at: 0)
        bytes.put(Array("ARM\u{64}".utf8), at: 56)
        bytes.put(UInt32(64), at: 0x3C)
        bytes.put([0x50, 0x45, 0, 0], at: 64)
        bytes.put(UInt16(1), at: 70)
        bytes.put(UInt16(160), at: 84)
        bytes.put(UInt32(5120), at: 64 + 24 + 160 + 16)
        bytes.put(UInt32(4096), at: 64 + 24 + 160 + 20)
        bytes.put(Array("Linux version 6.1.0-arm (x) #1\n\0".utf8), at: 5000)
        return bytes
    }
}

@Suite struct KernelRefusals {
    private func reason(_ bytes: [UInt8], for architecture: String = "amd64") -> String {
        do {
            _ = try bootableKernel(in: bytes, named: "K", for: architecture)
            return "accepted"
        } catch {
            let prefix = "cannot take a kernel from K: "
            #expect(error.message.hasPrefix(prefix), "\(error.message)")
            return String(error.message.dropFirst(prefix.count))
        }
    }

    @Test func whatIsNoKernelIsRefusedByReason() throws {
        #expect(reason([]) == "not a kernel: an empty file")
        #expect(
            reason(Array("#!/bin/sh\necho\n".utf8)) == "not a kernel: neither a boot header nor an ELF, in 15 bytes")
        #expect(reason(Array("!<arch>\ndebian-binary".utf8)) == "not a kernel: a package (.deb)")
        #expect(reason(Array("MZ".utf8) + [UInt8](repeating: 0, count: 600)) == "not a kernel: a PE/EFI program")
        #expect(
            reason(Array("MZ\0\0zimg".utf8) + [UInt8](repeating: 0, count: 600))
                == "PE/EFI zboot, a kernel wrapped into a program for EFI")
        let text = try runOnHost("echo hello | gzip -n")
        #expect(reason(text) == "not a kernel: a gzip file without one in it")
    }

    @Test func anotherArchitectureIsRefused() throws {
        #expect(reason(elfKernel(machine: 183)) == "ELF for aarch64, the recipe wants amd64")
        #expect(reason(elfKernel(), for: "arm64") == "ELF for x86_64, the recipe wants arm64")
        let image = bzImage(payload: try PayloadRecipe.all[0].payload(of: elfKernel(machine: 3)))
        #expect(reason(image) == "ELF for i386, the recipe wants amd64")
        #expect(
            throws: Failure(
                "no kernel form is known for the architecture amd46", notes: ["known: amd64, arm64"],
                hint: "did you mean amd64?")
        ) { try bootableKernel(in: elfKernel(), named: "K", for: "amd46") }
    }

    @Test func aTruncatedImageSaysHowMuchIsThere() throws {
        let image = bzImage(payload: try PayloadRecipe.all[0].payload(of: elfKernel()))
        let whole = image.count
        #expect(reason(Array(image.prefix(1024))) == "truncated: 1,024 of \(withCommas(whole)) bytes")
        #expect(reason(Array(image.prefix(0x210))) == "truncated: 528 bytes, less than a boot header")
        let kernel = elfKernel()
        #expect(reason(Array(kernel.prefix(1000))) == "truncated: 1,000 of \(withCommas(kernel.count)) bytes")
    }

    private func withCommas(_ count: Int) -> String { "\(count / 1000),\(String(count % 1000 + 1000).dropFirst())" }

    @Test func aPayloadThatIsNotWhatItsHeaderSaysIsRefused() throws {
        let kernel = elfKernel()
        #expect(
            reason(bzImage(payload: Array("garbage, not compressed".utf8) + [1, 0, 0, 0]))
                == "its payload begins with 67 61 72 62: no compression that Linux has")
        #expect(reason(bzImage(payload: [])) == "its boot header names no payload")
        let text = try PayloadRecipe.all[0].payload(of: Array("no kernel in here".utf8))
        #expect(reason(bzImage(payload: text)) == "not a kernel: its payload is no ELF")
        var short = try PayloadRecipe.all[1].payload(of: kernel)
        short.put(UInt32(kernel.count + 1), at: short.count - 4)
        #expect(reason(bzImage(payload: short)) == "damaged: its payload gives 300,236 of 300,237 bytes")
        short.put(UInt32(1000), at: short.count - 4)
        #expect(reason(bzImage(payload: short)).hasPrefix("cannot decompress its payload (bzip2): "))
        short.put(UInt32.max, at: short.count - 4)
        #expect(reason(bzImage(payload: short)) == "damaged: its payload promises a kernel of 4,294,967,295 bytes")
    }

    @Test func anOldBootProtocolIsRefused() throws {
        var image = bzImage(payload: try PayloadRecipe.all[0].payload(of: elfKernel()))
        image.put(UInt16(0x0206), at: 0x206)
        #expect(reason(image) == "its boot protocol 2.06 does not say where the kernel is")
        image.put(UInt16(0x020F), at: 0x206)
        image[0x211] = 0
        #expect(reason(image) == "a zImage, not a bzImage")
    }

    /// Whatever bytes a header or a payload has, the answer is a kernel or a reason.
    @Test(arguments: PayloadRecipe.all)
    func damagedImagesNeverCrash(_ recipe: PayloadRecipe) throws {
        guard hostHas(recipe.program) else { return }
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let kernel = elfKernel(size: 20_000)
        let image = bzImage(payload: try recipe.payload(of: kernel))
        for _ in 0..<150 {
            var damaged = image
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let inHeader = Bool.random(using: &generator)
                let position =
                    inHeader
                    ? Int.random(in: 0x1F0..<0x260, using: &generator)
                    : Int.random(in: 0..<damaged.count, using: &generator)
                damaged[position] = .random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                damaged = Array(damaged.prefix(.random(in: 0...damaged.count, using: &generator)))
            }
            do {
                let result = try bootableKernel(in: damaged, named: "K", for: "amd64")
                #expect(result.bytes.count == kernel.count, "seed \(seed)")
            } catch {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
        for _ in 0..<150 {
            var damaged = kernel
            for _ in 0..<20 {
                damaged[Int.random(in: 4..<400, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            _ = try? bootableKernel(in: damaged, named: "K", for: "amd64")
        }
    }
}

@Suite struct ExtractedKernelConfiguration {
    @Test func theConfigurationInsideAKernelIsRead() throws {
        let text = Array("CONFIG_VIRTIO_BLK=y\nCONFIG_EXT4_FS=m\n".utf8)
        let packed = try runOnHost("gzip -n <config", files: ["config": text])
        var kernel = elfKernel()
        kernel.put(Array("IKCFG_ST".utf8) + packed + Array("IKCFG_ED".utf8), at: kernel.count - 1000)
        let config = try #require(try bootableKernel(in: kernel, named: "K", for: "amd64").embeddedConfiguration())
        #expect(config.isBuiltIn("VIRTIO_BLK"))
        #expect(config.isModule("CONFIG_EXT4_FS"))
        #expect(try bootableKernel(in: elfKernel(), named: "K", for: "amd64").embeddedConfiguration() == nil)
    }

    @Test func settingsOfEveryKindAreRead() {
        let config = KernelConfig(
            parsing:
                "# Linux/x86 6.1\nCONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=\"a b\"\nCONFIG_E=0x10\nCONFIG_F=\"\"\n"
        )
        #expect(config["A"] == .builtIn)
        #expect(config["CONFIG_B"] == .module)
        #expect(config["C"] == .off)
        #expect(config["D"] == .value("a b"))
        #expect(config["E"] == .value("0x10"))
        #expect(config["F"] == .value(""))
        #expect(config["G"] == .off)
        #expect(KernelConfig(parsing: "hello\n").isEmpty)
        let windows = KernelConfig(parsing: "CONFIG_A=y\r\n# CONFIG_B is not set\r\nCONFIG_C=\"x\"\r\n")
        #expect(windows.options == ["CONFIG_A": "y", "CONFIG_C": "x"])
    }
}
