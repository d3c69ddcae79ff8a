import Foundation
import Glibc
import RootfsModel
import Sandboxing
import Testing

@Suite(.enabled(if: sandboxesWork, "needs root and the right to mount"))
struct RunTests {
    let tree = TestTree()

    @Test(arguments: [0, 1, 3, 127, 255] as [Int32])
    func exitStatusIsTheCommands(_ status: Int32) throws {
        #expect(try tree.run("exit \(status)").status == .exited(status))
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGSEGV, SIGPIPE])
    func signalIsNoExitStatus(_ signal: Int32) throws {
        #expect(try tree.run("kill -\(signal) $$").status == .signaled(signal))
    }

    @Test func outputComesInLinesAsWritten() throws {
        let (_, lines) = try tree.run("echo one; echo two >&2; echo; echo three; printf 'no end'")
        #expect(lines == ["one", "two", "", "three", "no end"])
    }

    @Test func outputStreamsWhileTheCommandRuns() throws {
        let start = ContinuousClock.now
        var first: Duration?
        _ = try tree.sandbox().run(tree.shell("echo first; sleep 0.5")) { _ in first = first ?? start.duration(to: .now)
        }
        let total = start.duration(to: .now)
        #expect(try #require(first) + .milliseconds(300) < total)
    }

    @Test(.timeLimit(.minutes(20))) func sleepingTakesNoTimeWhereItIsIgnored() throws {
        var sandbox = tree.sandbox()
        sandbox.ignoresSleep = true
        #expect(try sandbox.run(tree.shell("sleep 100000 && echo awake")).lastLines(1) == ["awake"])
    }

    @Test(arguments: ["sleep 100000", "sleep 100000 & exec >&- 2>&-; wait", "trap '' TERM INT; while :; do :; done"])
    func whatTakesLongerThanItMayIsKilled(_ script: String) throws {
        var command = tree.shell("echo begun; " + script)
        command.timeLimit = .milliseconds(300)
        let outcome = try tree.sandbox().run(command)
        #expect(outcome.status == .expired)
        #expect(outcome.lastLines(1) == ["begun"])
    }

    @Test func whatEndsInTimeHasItsStatus() throws {
        var command = tree.shell("exit 3")
        command.timeLimit = .seconds(60)
        #expect(try tree.sandbox().run(command).status == .exited(3))
    }

    @Test func anOrdinaryUserIsOneInAllRespects() throws {
        var command = tree.shell("id -u; id -g; id -G; touch /root-only; echo x >/dev/stderr")
        command.user = Command.User(uid: 1000, gid: 1001, groups: [1001, 44])
        let outcome = try tree.sandbox().run(command)
        let lines = outcome.lastLines(20)
        #expect(lines.prefix(2) == ["1000", "1001"])
        #expect(lines.count > 2 && Set(lines[2].split(separator: " ")) == ["1001", "44"])
        #expect(lines.contains { $0.contains("root-only") && $0.contains("ermission denied") })
        #expect(lines.last == "x", "his output can be opened again by name")
    }

    @Test func memoryBeyondTheLimitIsRefused() throws {
        var command = tree.shell("perl -e '$x = \"a\" x (1 << 29); print length $x'")
        command.memoryLimit = 1 << 28
        #expect(try !tree.sandbox().run(command).succeeded)
    }

    @Test func theTimeOfAllThatRanIsCounted() throws {
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
        let outcome = try tree.sandbox().run(tree.shell("(\(busy)) & (\(busy)); wait"))
        let idle = try tree.sandbox().run(tree.shell("exit 0"))
        #expect(outcome.cpu > 2 * idle.cpu)
    }

    @Test func bigOutputIsWholeAndItsTailKept() throws {
        var count = 0
        var last = ""
        let outcome = try tree.sandbox().run(tree.shell("seq 1 300000")) {
            count += 1
            last = String(decoding: $0, as: UTF8.self)
        }
        #expect(count == 300_000)
        #expect(last == "300000")
        #expect(outcome.tail.count == 65536)
        #expect(outcome.lastLines(2) == ["299999", "300000"])
    }

    @Test func lineWithoutEndComesInPieces() throws {
        var sizes = [Int]()
        _ = try tree.sandbox().run(tree.shell("head -c 200000 /dev/zero; echo; echo x")) { sizes.append($0.count) }
        #expect(sizes == [65536, 65536, 65536, 3392, 1])
    }

    @Test func closedOutputDoesNotEndTheRun() throws {
        #expect(try tree.run("exec >/dev/null 2>&1; sleep 0.2; exit 4").status == .exited(4))
    }

    @Test func daemonNeitherHangsNorOutlivesTheRun() throws {
        // It holds the pipe, is in a session of its own and ignores what can be ignored.
        let mark = "4\(Int.random(in: 100_000...999_999))"
        let start = ContinuousClock.now
        let script = "setsid sh -c 'trap \"\" HUP TERM INT; sleep \(mark)' & echo started; exit 0"
        #expect(try tree.run(script).lines == ["started"])
        #expect(start.duration(to: .now) < .seconds(10))
        #expect(processes(with: "sleep\0\(mark)\0") == [])
    }

    @Test func programIsLookedForInThePath() throws {
        let command = Command(arguments: ["true"], environment: [("PATH", "/nowhere:/etc/passwd:/usr/bin")])
        #expect(try tree.sandbox().run(command).status == .exited(0))
    }

    @Test func workingDirectoryIsTheCommands() throws {
        var lines = [String]()
        let command = Command(arguments: ["/bin/sh", "-c", "pwd"], environment: [], workingDirectory: "/usr/bin")
        _ = try tree.sandbox().run(command) { lines.append(String(decoding: $0, as: UTF8.self)) }
        #expect(lines == ["/usr/bin"])
    }

    @Test func sixteenRunAtOnce() async throws {
        try await withThrowingTaskGroup(of: [String].self) { group in
            for number in 0..<16 {
                group.addTask {
                    let tree = TestTree()
                    return try tree.run("echo \(number) > /tmp/n; sleep 0.1; cat /tmp/n; echo /proc/[0-9]*").lines
                }
            }
            var all = [[String]]()
            for try await lines in group { all.append(lines) }
            #expect(Set(all.map { $0.first ?? "" }) == Set((0..<16).map(String.init)))
            #expect(all.allSatisfy { $0.last == "/proc/1 /proc/2" })
        }
    }

    @Test func cancellationEndsEverything() async throws {
        let mark = "5\(Int.random(in: 100_000...999_999))"
        let tree = tree
        let start = ContinuousClock.now
        let task = Task.detached { try tree.sandbox().run(tree.shell("sleep \(mark) & sleep \(mark)")) }
        // From outside the pool of task threads, which this and other blocking tests may fill.
        Thread.detachNewThread {
            while processes(with: "sleep\0\(mark)\0").count < 2, start.duration(to: .now) < .seconds(60) {
                usleep(10_000)
            }
            task.cancel()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(processes(with: "sleep\0\(mark)\0") == [])
    }

    @Test func setupFailureNamesStepAndCause() throws {
        // overlayfs refuses a work directory on another file system.
        let other = "/dev/shm/sandboxing-tests-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        mkdir(other, 0o755)
        defer { try? FileManager.default.removeItem(atPath: other) }
        let sandbox = Sandbox(
            root: .init(lower: [tree.lower], upper: tree.upper, work: other + "/work"), hostname: "golden")
        let failure = #expect(throws: Failure.self) { try sandbox.run(tree.shell("true")) }
        #expect(failure?.message == "cannot set up the sandbox: mount overlayfs: Invalid argument")
        #expect(failure?.hint?.isEmpty == false)
    }

    @Test func mistakesAreNamed() throws {
        func message(_ sandbox: Sandbox, _ command: Command) -> String {
            do {
                _ = try sandbox.run(command)
                return "no failure"
            } catch { return "\(error)" }
        }
        let command = tree.shell("true")
        var sandbox = tree.sandbox(above: ["/nowhere/layer"])
        #expect(message(sandbox, command) == "error: cannot use layer /nowhere/layer: No such file or directory")
        sandbox = tree.sandbox()
        sandbox.hostname = ""
        #expect(message(sandbox, command) == "error: cannot name the sandbox \"\": a host name has 1 to 64 bytes")
        sandbox = tree.sandbox(binds: [.init(host: "/nowhere", inside: "/x")])
        #expect(message(sandbox, command) == "error: cannot bind /nowhere: No such file or directory")
        sandbox = tree.sandbox(binds: [.init(host: "/etc", inside: "/../x")])
        #expect(message(sandbox, command) == "error: cannot bind /etc at \"/../x\": not an absolute path")
        sandbox = tree.sandbox()
        #expect(
            message(sandbox, Command(arguments: ["/bin/nothing"], environment: []))
                == "error: cannot execute /bin/nothing in the sandbox: No such file or directory")
        #expect(
            message(sandbox, Command(arguments: ["/etc"], environment: []))
                == "error: cannot execute /etc in the sandbox: Permission denied")
        #expect(
            message(sandbox, Command(arguments: ["/bin/true"], environment: [], workingDirectory: "/nowhere"))
                == "error: cannot enter /nowhere in the sandbox: No such file or directory")
        #expect(
            message(sandbox, Command(arguments: [], environment: []))
                == "error: cannot run a command in the sandbox: it has no program")
        #expect(
            message(sandbox, Command(arguments: ["true"], environment: [("A=B", "")]))
                == "error: cannot run true in the sandbox: \"A=B\" is no name of an environment variable")
    }
}

/// Ids of the host's processes whose command line contains a text.
func processes(with text: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap(Int32.init).filter { pid in
        guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
        return line.range(of: Data(text.utf8)) != nil
    }
}
