import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct AutopsyTests {
    /// The disk of a machine that had a death, beside the outputs of its build.
    private func disk() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell(
            "mkdir out && cp -r '\(world.warm.output("demo"))' out/ && cp out/demo/demo.ext4 disk.ext4",
            in: workspace.root)
        let record = FlightRecordFile.bytes([
            FlightRecordFile.death(
                1, of: "hello", "killed SEGV", "a\u{1b}[1m word\n", arguments: "/usr/bin/hello %1B%5B2J")
        ])
        try workspace.write("record", bytes: record)
        try workspace.write("motd", "changed\n")
        let commands = [
            "mkdir /var", "mkdir /var/lib", "mkdir /var/lib/microvm", "write record /var/lib/microvm/flight-record",
            "rm /etc/motd", "write motd /etc/motd", "ssv state 0",
        ]
        try workspace.write("commands", commands.joined(separator: "\n") + "\n")
        try shell("PATH=$PATH:/usr/sbin:/sbin debugfs -w -f commands disk.ext4 2>&1", in: workspace.root)
        return workspace
    }

    @Test func `a death is told with its last words and the changed files, and the disk stays as it is`() throws {
        let workspace = try disk()
        let before = Digest(hashing: try readFile(at: workspace.path("disk.ext4")))
        let ending = try workspace.program.run(["autopsy", "disk.ext4", "--golden", "out/demo", "--quiet"])
        #expect(ending.status == 1, "\(ending.stderr)")
        let text = ending.stdout
        #expect(text.hasPrefix("disk.ext4: 1 death of 1 service, "), "\(text)")
        #expect(text.contains("\n  disk     it was not unmounted, and has no journal: "))
        #expect(text.contains("\n  golden   out/demo/demo.listing\n"))
        #expect(text.contains("\nhello: death 1, signal SIGSEGV: segmentation fault\n"))
        #expect(text.contains("\n  ran      /usr/bin/hello "))
        #expect(text.contains("\n  | a word\n"))
        #expect(text.contains("\nconfiguration changed since the golden image:\n  /etc/motd: "))
        #expect(!text.contains("\u{1b}"))
        #expect(Digest(hashing: try readFile(at: workspace.path("disk.ext4"))) == before)
        let json = try JSON(
            workspace.program.run(["autopsy", "disk.ext4", "--golden", "out/demo/demo.ext4", "--json"]).stdout)
        #expect(json["services"].list.map { $0["name"].string } == ["hello"])
        #expect(json["changes"].list.map { $0["path"].string }.contains("/etc/motd"))
    }

    @Test func `a disk that was not unmounted is said to be one by every command that reads it`() throws {
        let workspace = try disk()
        let words = "it was not unmounted, and has no journal"
        let listed = try workspace.program.run(["inspect", "cat", "disk.ext4", "/etc/motd"])
        #expect(listed.stdout == "changed\n" && listed.stderr.contains("disk.ext4: \(words)"), "\(listed.stderr)")
        #expect(try workspace.program.run(["check", "disk.ext4"]).stdout.contains("\n  image    \(words)"))
        let verified = try workspace.program.run(["verify", "disk.ext4", "--against", "out/demo/demo.listing"])
        #expect(verified.status == 1 && verified.stdout.contains(words), "\(verified.stdout)")
    }

    @Test func `without a record it says so, and what is no image ends with 2`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell("cp '\(world.warm.output("demo", "demo.ext4"))' disk.ext4", in: workspace.root)
        let ending = try workspace.program.run(["autopsy", "disk.ext4", "--quiet"])
        #expect(ending.status == 0, "\(ending.stderr)")
        #expect(ending.stdout.contains("\n  deaths   it has no /var/lib/microvm/flight-record: no supervisor kept"))
        #expect(ending.stdout.contains("\n  golden   not known (--golden): nothing is said of changes\n"))
        try workspace.write("text", "no image\n")
        for arguments in [["text"], ["disk.ext4", "--golden", "text"], ["nothing"]] {
            let ending = try workspace.program.run(["autopsy", "--quiet"] + arguments)
            #expect(ending.status == 2 && ending.stderr.hasPrefix("error: "), "\(ending.stderr)")
        }
    }
}
