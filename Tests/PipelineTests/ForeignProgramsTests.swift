import ArchiveFixture
import Recipes
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Pipeline

/// Which hosts build for another architecture, and what the others lack.
@Suite struct ForeignProgramsTests {
    /// As the kernel shows what Debian's qemu-user-static registers for arm64.
    private static let arm64 = """
        enabled
        interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
        flags: POF
        offset 0
        magic 7f454c460201010000000000000000000200b700
        mask ffffffffffffff00fffffffffffffffffeffffff

        """

    /// What is thrown for this architecture where these formats are registered; nothing where it is built.
    private func complaint(_ architecture: String, _ formats: [String: String]) throws -> Failure? {
        let directory = try FixtureDirectory("binfmt")
        for (name, text) in formats { try writeFile(Array(text.utf8), to: directory.path.appending(name)) }
        do {
            try ForeignPrograms(formats: directory.path).check(Located(architecture), on: "amd64")
            return nil
        } catch {
            var failure = error
            failure.hint = failure.hint?.replacing(directory.path.string, with: "BINFMT")
            failure.message = failure.message.replacing(directory.path.string, with: "BINFMT")
            return failure
        }
    }

    @Test func anEmulatorThatIsThereInsideOfATreeWillDo() throws {
        #expect(try complaint("arm64", ["register": "", "status": "enabled\n", "qemu-aarch64": Self.arm64]) == nil)
    }

    @Test func oneForAnotherArchitectureIsNone() throws {
        let failure = try #require(try complaint("riscv64", ["register": "", "qemu-aarch64": Self.arm64]))
        #expect(
            failure.message
                == "cannot build for riscv64 on amd64: maintainer scripts have to run, and no emulator for them is registered with binfmt_misc"
        )
        #expect(
            failure.hint
                == "apt-get install qemu-user-static binfmt-support, or build on a machine of that architecture")
    }

    @Test func oneThatTheTreeWouldNotHaveIsNamed() throws {
        let text = Self.arm64.replacing("flags: POF", with: "flags: ")
        let failure = try #require(try complaint("arm64", ["qemu-aarch64": text]))
        #expect(failure.message.hasSuffix("aarch64-binfmt-P is not to be found inside of a tree"))
        #expect(failure.hint?.hasPrefix("register qemu-aarch64 with the flag F") == true)
    }

    @Test func oneThatIsSwitchedOffIsNamed() throws {
        let text = Self.arm64.replacing("enabled", with: "disabled")
        let failure = try #require(try complaint("arm64", ["qemu-aarch64": text]))
        #expect(failure.message.hasSuffix("its emulator is switched off"))
        #expect(failure.hint?.hasPrefix("echo 1 >BINFMT/qemu-aarch64, as root") == true)
    }

    @Test func aHostWithoutBinfmtIsTold() throws {
        let failure = try #require(try complaint("arm64", [:]))
        #expect(failure.message.hasSuffix("binfmt_misc is not mounted on BINFMT"))
        #expect(failure.hint?.hasPrefix("mount -t binfmt_misc binfmt_misc BINFMT, as root; then ") == true)
    }

    @Test func anArchitectureWithoutAnEmulatorIsTold() throws {
        let failure = try #require(try complaint("hurd-i386", ["qemu-aarch64": Self.arm64]))
        #expect(failure.message.hasSuffix("no emulator is known for them"))
    }

    @Test func formatsThatGoByNamesOrAreBrokenTakeNothing() {
        #expect(BinaryFormat("enabled\ninterpreter /usr/bin/x\nflags: F\nextension .py\n") == nil)
        #expect(BinaryFormat("enabled\ninterpreter /x\nflags: F\noffset 0\nmagic 7f4\n") == nil)
        let header = ForeignPrograms.header(of: "arm64") ?? []
        #expect(BinaryFormat("enabled\ninterpreter /x\nflags: F\noffset 18\nmagic b700\n")?.takes(header) == true)
        #expect(BinaryFormat("enabled\ninterpreter /x\nflags: F\noffset 19\nmagic b700\n")?.takes(header) == false)
        #expect(BinaryFormat("enabled\ninterpreter /x\nflags: F\noffset -1\nmagic b7\n")?.takes(header) == false)
    }
}
