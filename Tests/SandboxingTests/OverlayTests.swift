import Foundation
import Glibc
import RootfsModel
import Testing

@testable import Sandboxing

@Suite(.enabled(if: sandboxesWork, "needs root and the right to mount"))
struct OverlayTests {
    let tree = TestTree()

    /// Names below a directory with type and size, for comparing before and after.
    private func state(_ directory: String) -> [String] {
        (FileManager.default.enumerator(atPath: directory)?.allObjects as? [String] ?? []).sorted().map { name in
            var information = stat()
            lstat(directory + "/" + name, &information)
            return "\(name) \(information.st_mode) \(information.st_size) \(information.st_mtim.tv_sec) \(information.st_nlink)"
        }
    }

    @Test func writesLandInUpperAlone() throws {
        let layer = try tree.makeLayer("layer")
        try write("old\n", to: layer + "/etc/setting")
        let before = state(layer)
        let script = "echo new > /etc/setting; echo made > /etc/made; mkdir -m 700 /srv; cat /etc/setting"
        #expect(try tree.run(script, in: tree.sandbox(above: [layer])).lines == ["new"])
        #expect(tree.written("/etc/setting") == "new\n")
        #expect(tree.written("/etc/made") == "made\n")
        #expect(state(layer) == before)
        #expect(state(tree.upper).map { $0.split(separator: " ")[0] } == ["etc", "etc/made", "etc/setting", "srv"])
    }

    @Test func noMountPointStaysInTheTree() throws {
        let given = try tree.makeLayer("given")
        try write("deb", to: given + "/a.deb")
        let binds = [
            Sandbox.Bind(host: given, inside: "/var/lib/new/debs"), Sandbox.Bind(host: given + "/a.deb", inside: "/etc/one.deb"),
        ]
        let script = "cat /var/lib/new/debs/a.deb /etc/one.deb; (echo x > /var/lib/new/debs/b) 2>/dev/null || echo read-only"
        #expect(try tree.run(script, in: tree.sandbox(binds: binds)).lines == ["debdebread-only"])
        #expect(state(tree.upper) == [])
        #expect(state(given).count == 1)
    }

    @Test func removalIsAWhiteout() throws {
        let layer = try tree.makeLayer("layer")
        try write("x", to: layer + "/etc/gone")
        try write("x", to: layer + "/opt/d/f")
        let sandbox = tree.sandbox(above: [layer])
        #expect(try tree.run("rm /etc/gone; rm -r /opt/d; mkdir /opt/d; touch /opt/d/g", in: sandbox).status == .exited(0))
        var information = stat()
        #expect(lstat(tree.upper + "/etc/gone", &information) == 0)
        #expect(information.st_mode & S_IFMT == S_IFCHR && information.st_rdev == 0)
        // A second mount sees what the first one left.
        #expect(try tree.run("ls /etc/gone 2>/dev/null; ls /opt/d", in: sandbox).lines == ["g"])
    }

    @Test(.enabled(if: UserNamespace.current == .initial, "overlayfs has no index in a user namespace"))
    func allNamesOfAFileSeeAWriteToOne() throws {
        let layer = try tree.makeLayer("layer")
        try write("old", to: layer + "/etc/first")
        #expect(link(layer + "/etc/first", layer + "/etc/second") == 0)
        let sandbox = tree.sandbox(above: [layer])
        #expect(try tree.run("echo new > /etc/first; cat /etc/second", in: sandbox).lines == ["new"])
        // And in the next run, although nothing was mounted in between.
        #expect(try tree.run("cat /etc/second", in: sandbox).lines == ["new"])
        #expect(try String(contentsOfFile: layer + "/etc/second", encoding: .utf8) == "old")
    }

    @Test(.enabled(if: UserNamespace.current == .initial, "overlayfs has no index in a user namespace"))
    func settlingBringsEveryNameToUpper() throws {
        let layer = try tree.makeLayer("layer")
        for name in ["written", "replaced", "renamed"] {
            try write("old\n", to: "\(layer)/etc/\(name)")
            #expect(link("\(layer)/etc/\(name)", "\(layer)/usr-\(name)") == 0)
        }
        let sandbox = tree.sandbox(above: [layer])
        let script = """
            echo new > /etc/written; echo other > /etc/x; mv /etc/x /etc/replaced; echo moved > /etc/renamed; mv /etc/renamed /etc/y
            """
        #expect(try tree.run(script, in: sandbox).status == .exited(0))
        #expect(tree.written("/usr-written") == nil)
        try sandbox.settleHardLinks(["written", "replaced", "renamed"].map { ["/etc/\($0)", "/usr-\($0)"] })
        func inode(_ path: String) -> UInt {
            var information = stat()
            return lstat(tree.upper + path, &information) == 0 ? information.st_ino : 0
        }
        #expect(inode("/usr-written") == inode("/etc/written") && tree.written("/usr-written") == "new\n")
        #expect(inode("/usr-renamed") == inode("/etc/y") && tree.written("/usr-renamed") == "moved\n")
        // Replaced under one name: the other keeps the old content, and keeps it below.
        #expect(tree.written("/usr-replaced") == nil)
        #expect(try tree.run("cat /usr-replaced", in: sandbox).lines == ["old"])
    }

    @Test func upperMayBeEditedAndLayersAddedBetweenRuns() throws {
        #expect(try tree.run("echo one > /etc/a; echo two > /etc/b").status == .exited(0))
        try write("edited\n", to: tree.upper + "/etc/a")
        unlink(tree.upper + "/etc/b")
        let layer = try tree.makeLayer("later")
        try write("later\n", to: layer + "/etc/c")
        #expect(try tree.run("cat /etc/a /etc/b /etc/c 2>/dev/null", in: tree.sandbox(above: [layer])).lines == ["edited", "later"])
    }

    @Test func hundredsOfLayersWithLongNamesAreStacked() throws {
        var layers = [String]()
        for number in 0..<300 {
            let layer = try tree.makeLayer("a-rather-long-name-of-a-layer,with:odd\\characters-\(number)")
            try write("\(number)", to: layer + "/etc/top")
            layers.append(layer)
        }
        let (status, lines) = try tree.run("cat /etc/top", in: tree.sandbox(above: layers))
        #expect(status == .exited(0))
        #expect(lines == ["0"])
    }

    @Test func findStaysOnOneDevice() throws {
        #expect(try tree.run("stat -c %d / /usr /usr/bin/cat /etc | sort -u | wc -l").lines == ["1"])
    }

    @Test func runIsTheTreesAndTemporaryFilesToo() throws {
        _ = try tree.run("mkdir -p /run/x; echo kept > /run/x/y; echo kept > /tmp/z")
        #expect(tree.written("/run/x/y") == "kept\n")
        #expect(tree.written("/tmp/z") == "kept\n")
    }

    @Test func neutralizedProgramSucceedsAndDoesNothing() throws {
        let layer = try tree.makeLayer("layer")
        try write("#!/bin/sh\necho worked; exit 3\n", to: layer + "/usr/bin/slow")
        chmod(layer + "/usr/bin/slow", 0o755)
        symlink("slow", layer + "/usr/bin/other")
        let sandbox = tree.sandbox(above: [layer], neutralized: ["/usr/bin/slow", "/usr/bin/missing"])
        #expect(try tree.run("slow --force; echo $?; ls /usr/bin/missing 2>/dev/null", in: sandbox).lines == ["0"])
        // By its own name only: what it points to keeps working.
        let link = tree.sandbox(above: [layer], neutralized: ["/usr/bin/other"])
        #expect(try tree.run("other; echo $?; slow; echo $?", in: link).lines == ["0", "worked", "3"])
        #expect(tree.written("/usr/bin/slow") == nil)
    }

    @Test func fullFileSystemIsNamed() async {
        await #expect(processExitsWith: .success) {
            // The mount is this thread's alone. Swift does not see unshare, nor CLONE_NEWNS.
            typealias Unshare = @convention(c) (Int32) -> Int32
            let unshare = unsafeBitCast(try #require(dlsym(nil, "unshare")), to: Unshare.self)
            try #require(unshare(0x20000) == 0)
            let small = makeTemporaryDirectory()
            defer { rmdir(small) }
            try #require(mount(nil, "/", nil, UInt(MS_REC) | UInt(MS_PRIVATE), nil) == 0)
            try #require(mount("tmpfs", small, "tmpfs", 0, "nr_inodes=3") == 0)
            let sandbox = Sandbox(root: .init(lower: ["/usr"], upper: small + "/upper", work: small + "/work"), hostname: "golden")
            let failure = #expect(throws: Failure.self) { try sandbox.run(Command(arguments: ["/bin/true"], environment: [])) }
            #expect(failure?.message == "cannot make \(small)/work/overlay: No space left on device")
            try #require(umount(small) == 0)
        }
    }

    @Test func twoRunsOnOneUpperAreRefused() throws {
        let sandbox = tree.sandbox()
        var message = ""
        _ = try sandbox.run(tree.shell("echo running")) { _ in
            do {
                _ = try sandbox.run(tree.shell("true"))
            } catch {
                message = "\(error)"
            }
        }
        #expect(message == "error: cannot use \(tree.upper): another sandbox is running on it")
    }
}
