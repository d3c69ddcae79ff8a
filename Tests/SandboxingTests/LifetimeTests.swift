import Foundation
import Glibc
import Sandboxing
import Testing

/// What is left behind, seen from processes of their own: other tests run at the same time in this one.
@Suite(.enabled(if: sandboxesWork, "needs root and the right to mount"))
struct LifetimeTests {
    @Test func nothingOutlivesAKilledBuilder() async throws {
        let tree = TestTree()
        let mark = "6\(Int.random(in: 100_000...999_999))"
        let root = [tree.lower, tree.upper, tree.work]
        await #expect(processExitsWith: .signal(SIGKILL)) { [root = root as [String], mark = mark as String] in
            let sandbox = Sandbox(root: .init(lower: [root[0]], upper: root[1], work: root[2]), hostname: "golden")
            let script = "setsid sleep \(mark) & sleep \(mark) & echo ready; sleep \(mark)"
            let command = Command(arguments: ["sh", "-c", script], environment: [("PATH", "/usr/bin")])
            _ = try sandbox.run(command) { _ in kill(getpid(), SIGKILL) }
        }
        // The kernel's own clean-up runs behind the process's end.
        let start = ContinuousClock.now
        while !processes(with: "sleep\0\(mark)\0").isEmpty, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(processes(with: "sleep\0\(mark)\0") == [])
        // overlayfs refuses directories that are still mounted.
        var status: Outcome.Status?
        while status == nil, start.duration(to: .now) < .seconds(5) { status = try? tree.run("echo again").status }
        #expect(status == .exited(0))
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        #expect(!mounts.contains(tree.directory))
    }

    @Test func neitherDescriptorsNorZombiesNorMountsRemain() async {
        await #expect(processExitsWith: .success) {
            func openDescriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            }
            func mounts() throws -> String { try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) }
            let tree = TestTree()
            _ = try tree.run("true")
            let (descriptors, mountsBefore) = (try openDescriptors(), try mounts())
            for _ in 0..<10 {
                _ = try tree.run("sleep 100 & true")
                _ = try? tree.sandbox().run(Command(arguments: ["/nowhere"], environment: []))
                _ = try? tree.sandbox(above: ["/nowhere"]).run(tree.shell("true"))
                let task = Task.detached { try tree.run("sleep 100") }
                task.cancel()
                _ = try? await task.value
            }
            try #require(try openDescriptors() == descriptors)
            try #require(try mounts() == mountsBefore)
            // No child at all, of whatever kind.
            var information = siginfo_t()
            try #require(waitid(P_ALL, 0, &information, WEXITED | WNOHANG | Int32(__WALL)) == -1 && errno == ECHILD)
        }
    }

    @Test func firstProcessDoesNotHoldTheBuildersMemory() async {
        await #expect(processExitsWith: .success) {
            let size = 256 << 20
            let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
            memory.initializeMemory(as: UInt8.self, repeating: 1, count: size)
            let tree = TestTree()
            var resident = Int.max
            _ = try tree.sandbox().run(tree.shell("echo ready; sleep 0.5")) { _ in
                // Given back while the command runs already.
                usleep(300_000)
                for pid in processes(named: "sandbox", of: getpid()) {
                    let pages = (try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8))?.split(
                        separator: " ")
                    resident = pages.flatMap { Int($0[1]) }.map { $0 * getpagesizeBytes() } ?? .max
                }
            }
            try #require(resident < size / 4, "\(resident) bytes")
            memory.deallocate()
        }
    }

    @Test func ignoredAndBlockedSignalsDoNotReachTheCommand() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            signal(SIGCHLD, SIG_IGN)
            var blocked = sigset_t()
            sigaddset(&blocked, SIGTERM)
            sigaddset(&blocked, SIGUSR1)
            pthread_sigmask(SIG_BLOCK, &blocked, nil)
            let tree = TestTree()
            // tools without a shell in between, which would set some anew
            var lines = [String]()
            _ = try tree.sandbox().run(Command(arguments: ["/usr/bin/cat", "/proc/self/status"], environment: [])) {
                lines.append(String(decoding: $0, as: UTF8.self))
            }
            for name in ["SigBlk", "SigIgn", "SigCgt"] { try #require(lines.contains("\(name):\t0000000000000000")) }
            try #require(try tree.run("kill -TERM $$").status == .signaled(SIGTERM))
        }
    }

    @Test func shellHasTheTerminalAndInterruptsAreItsOwn() async {
        await #expect(processExitsWith: .success) {
            let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var (unlocked, number): (Int32, Int32) = (0, -1)
            // TIOCSPTLCK and TIOCGPTN, the same on x86-64 and aarch64.
            try #require(ioctl(terminal, 0x4004_5431, &unlocked) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
            setsid()
            let slave = open("/dev/pts/\(number)", O_RDWR)
            try #require(slave >= 0 && ioctl(slave, UInt(TIOCSCTTY), 0) == 0)
            let saved = dup(2)
            for descriptor in 0...2 as ClosedRange<Int32> { dup2(slave, descriptor) }
            defer { dup2(saved, 2) }

            let tree = TestTree()
            let shell = Task.detached {
                try tree.sandbox().runShell(
                    Command(arguments: ["sh", "-i"], environment: [("PATH", "/usr/bin"), ("PS1", "ready> ")]))
            }
            var seen = ""
            func type(_ text: String) { _ = text.withCString { Glibc.write(terminal, $0, strlen($0)) } }
            func expectText(_ text: String, typing again: String = "") throws {
                var buffer = [UInt8](repeating: 0, count: 4096)
                let start = ContinuousClock.now
                while !seen.contains(text) {
                    try #require(start.duration(to: .now) < .seconds(20), "no \(text) in \(seen)")
                    var polled = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
                    guard poll(&polled, 1, 500) > 0 else {
                        type(again)
                        continue
                    }
                    let count = read(terminal, &buffer, buffer.count)
                    if count > 0 { seen += String(decoding: buffer[..<count], as: UTF8.self) }
                }
                seen = ""
            }
            try expectText("ready> ")
            type("uname -n; : < /dev/tty && echo has a $((40 + 2)) terminal\n")
            try expectText("has a 42 terminal")
            type("echo before $((1 + 1)); sleep 1000\n")
            try expectText("before 2")
            // Again while nothing comes: one that comes before sleep is in the foreground is the shell's, which waits
            // on.
            type("\u{3}")
            try expectText("ready> ", typing: "\u{3}")
            type("exit 5\n")
            let outcome = try await shell.value
            try #require(outcome.status == .exited(5))
            // The terminal is ours again.
            try #require(tcgetpgrp(slave) == getpgrp())
        }
    }
}

/// Ids of a process's children with a name.
private func processes(named name: String, of parent: pid_t) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap(Int32.init).filter { pid in
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        let fields = text.split(separator: " ")
        return fields.count > 3 && fields[1] == "(\(name))" && Int32(fields[3]) == parent
    }
}

private func getpagesizeBytes() -> Int { Int(sysconf(Int32(_SC_PAGESIZE))) }
