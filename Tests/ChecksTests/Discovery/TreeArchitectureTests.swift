import Checks
import RootfsModel
import Testing

@Suite struct TreeArchitectureTests {
    func architecture(_ entries: [String: HandmadeTree.Entry]) throws -> String? {
        try debianArchitecture(of: HandmadeTree(entries).tree(), read: readMemory)
    }

    @Test func `dpkg's own architecture is the tree's`() throws {
        let status = "Package: tzdata\nArchitecture: all\n\nPackage: dpkg\nArchitecture: arm64\n"
        #expect(try architecture(["/var/lib/dpkg/status": .text(status)]) == "arm64")
    }

    @Test func `without dpkg it is the shell's, or init's`() throws {
        #expect(try architecture(["/bin/sh": .bytes(elfBytes(machine: 183), mode: 0o755)]) == "arm64")
        let shell = HandmadeTree.Entry.script("no program")
        #expect(try architecture(["/bin/sh": shell, "/sbin/init": .bytes(elfBytes(), mode: 0o755)]) == "amd64")
        #expect(try architecture(["/bin/sh": shell]) == nil)
    }
}
