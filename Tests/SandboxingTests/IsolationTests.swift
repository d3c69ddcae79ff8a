import Foundation
import Glibc
import Sandboxing
import Testing

@Suite(.enabled(if: sandboxesWork, "needs root and the right to mount"))
struct IsolationTests {
    let tree = TestTree()

    @Test(arguments: ["mnt", "pid", "ipc", "uts", "net"])
    func namespaceIsNotTheHosts(_ name: String) throws {
        let inside = try tree.run("readlink /proc/self/ns/\(name)").lines
        let outside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(name)")
        #expect(inside.count == 1 && inside[0].hasPrefix("\(name):["))
        #expect(inside != [outside])
    }

    @Test func hostTreeIsOutOfReach() throws {
        let marker = makeTemporaryDirectory()
        defer { rmdir(marker) }
        let script = """
            for root in / /proc/1/root/ /proc/self/root/ /../ /proc/1/cwd/ /dev/shm/../; do [ ! -e $root\(marker) ] || echo in reach by $root; done
            for fd in /proc/1/fd/* /proc/self/fd/*; do [ ! -d $fd ] || echo a directory is open: $fd; done
            """
        #expect(try tree.run(script).lines == [])
    }

    @Test func onlyTheSandboxesOwnMountsAreThere() throws {
        let (_, lines) = try tree.run("cat /proc/self/mountinfo")
        let points = lines.map { String($0.split(separator: " ")[4]) }
        // The last is not in every kernel.
        #expect(
            points.filter { $0 != "/proc/sysrq-trigger" }.sorted() == [
                "/", "/dev", "/dev/full", "/dev/null", "/dev/pts", "/dev/random", "/dev/shm", "/dev/tty", "/dev/urandom", "/dev/zero",
                "/proc", "/proc/sys", "/sys",
            ])
        #expect(!lines.contains { $0.contains(tree.directory) })
    }

    @Test func mountingAndDevicesAreRefused() throws {
        let script = """
            perl -e 'syscall(165, "tmpfs", "/tmp", "tmpfs", 0, 0) == 0 and print "mounted\\n"' ; \
            mknod /tmp/memory c 1 1 && head -c 1 /tmp/memory >/dev/null 2>&1 && echo device opened; \
            (echo x > /proc/sys/kernel/hostname) 2>/dev/null && echo setting written; \
            (echo x > /sys/kernel/uevent_helper) 2>/dev/null && echo sysfs written; \
            true
            """
        let lines = try tree.run(script).lines
        #expect(lines == [])
    }

    @Test func thereIsNoNetworkButLoopback() throws {
        let (_, lines) = try tree.run("ls /sys/class/net; tr -s ' ' < /proc/net/route; cat /sys/class/net/lo/flags")
        // IFF_UP and IFF_LOOPBACK; the routing table has its heading alone.
        #expect(lines.count == 3)
        #expect(lines.first == "lo")
        #expect(lines.last == "0x9")
    }

    @Test func hostNameIsTheSandboxesOwn() throws {
        var before = [CChar](repeating: 0, count: 256)
        gethostname(&before, before.count)
        #expect(try tree.run("uname -n").lines == ["golden"])
        var after = [CChar](repeating: 0, count: 256)
        gethostname(&after, after.count)
        #expect(before == after)
    }

    @Test func itIsAChrootForThoseWhoAsk() throws {
        // What ischroot and systemd-detect-virt --chroot compare.
        #expect(
            try tree.run("[ \"$(stat -Lc %d:%i /proc/1/root)\" != \"$(stat -c %d:%i /)\" ] && echo differ").lines == ["differ"])
        let hasIt = FileManager.default.fileExists(atPath: "/usr/bin/ischroot")
        #expect(try tree.run("ischroot; echo $?").lines.last == (hasIt ? "0" : "127"))
    }

    @Test func processOneIsTheOnlyOther() throws {
        let lines = try tree.run("echo /proc/[0-9]*; echo $$").lines
        #expect(lines == ["/proc/1 /proc/2", "2"])
    }

    @Test func syncSucceedsWithoutSyncing() throws {
        // On a pipe, or on a device without a disk, the real call says EINVAL.
        let script = "perl -MIO::Handle -e 'pipe(my $r, my $w); print defined($r->sync) ? \"yes\" : \"no: $!\"'"
        #expect(try tree.run("sync /dev/null; echo $?").lines == ["0"])
        let plain = try tree.run(script).lines
        // The tree carries the program alone; its modules may be missing.
        if plain.first?.hasPrefix("Can't locate") == false { #expect(plain == ["yes"]) }
    }

    @Test func commandStartsFromACleanSlate() throws {
        setenv("SANDBOX_LEAK", "1", 1)
        let script = """
            env | sort; umask; pwd; readlink /proc/self/fd/0; ls /proc/$$/fd | wc -w; \
            cat /proc/self/status | while read line; do case $line in SigBlk*|SigIgn*|SigCgt*|NoNewPrivs*) echo $line;; esac; done; \
            while read line; do case $line in "Max core"*) echo $line;; esac; done < /proc/$$/limits; \
            read pid comm state parent group session tty rest < /proc/$$/stat; echo $pid $group $session $tty
            """
        let (_, lines) = try tree.run(script)
        #expect(
            lines.map { $0.replacing("\t", with: " ") } == [
                "LC_ALL=C", "PATH=/usr/bin:/bin", "PWD=/", "0022", "/", "/dev/null", "3", "SigBlk: 0000000000000000",
                "SigIgn: 0000000000000000", "SigCgt: 0000000000000000", "NoNewPrivs: 0", "Max core file size 0 0 bytes", "2 2 2 0",
            ])
    }

    @Test func standardDevicesWork() throws {
        let script = """
            head -c 2 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; (echo x > /dev/full) 2>/dev/null || echo full; \
            echo out > /dev/stdout; echo err > /dev/stderr; stat -c %a /dev/shm /dev; readlink /dev/ptmx /dev/fd; ls /dev/pts; \
            (: < /dev/tty) 2>/dev/null || echo no terminal
            """
        #expect(
            try tree.run(script).lines == ["2", "3", "full", "out", "err", "1777", "755", "pts/ptmx", "/proc/self/fd", "ptmx", "no terminal"])
    }
}
