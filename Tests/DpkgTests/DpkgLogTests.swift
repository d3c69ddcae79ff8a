import RootfsModel
import Sandboxing
import Testing

@testable import Dpkg

@Suite struct DpkgLogTests {
    private func read(_ text: String) -> (log: DpkgLog, events: [DpkgLog.Event]) {
        var log = DpkgLog()
        let events = text.split(separator: "\n").map { log.read(Array($0.utf8)[...]) }
        return (log, events)
    }

    @Test func `a failed postinst is named with its status and its own last lines`() {
        let (log, events) = read(
            """
            status: base: half-configured
            status: base: installed
            processing: configure: broken:amd64
            Setting up broken:amd64 (1.0) ...
            status: broken:amd64: half-configured
            cannot find the thing
            dpkg: error processing package broken:amd64 (--configure):
             installed broken:amd64 package post-installation script subprocess returned error exit status 3
            status: broken:amd64 : error : installed broken:amd64 package post-installation script subprocess returned error exit status 3
            dpkg: error processing package other (--configure):
             dependency problems - leaving unconfigured
            Errors were encountered while processing:
             broken:amd64
            """)
        #expect(events.first == .quiet)
        #expect(events[1] == .installed("base"))
        #expect(events[3] == .line("Setting up broken:amd64 (1.0) ..."))
        #expect(
            log.failure("--configure", outcome: Outcome(status: .exited(1)))
                == Failure(
                    "postinst configure of broken:amd64 failed: exit status 3",
                    notes: ["Setting up broken:amd64 (1.0) ...", "cannot find the thing"],
                    hint: "--shell-on-failure opens a shell in the tree at this point"))
    }

    @Test func `a script killed by a signal and a trigger that fails are told apart`() {
        let (log, _) = read(
            """
            processing: trigproc: libc-bin
            Processing triggers for libc-bin (1) ...
            dpkg: error processing package libc-bin (--configure):
             installed libc-bin package post-installation script subprocess was killed by signal (Killed)
            """)
        #expect(
            log.failure("--configure", outcome: Outcome(status: .exited(1))).message
                == "postinst triggered of libc-bin failed: killed by signal (Killed)")
    }

    @Test func `what is no script's fault is said in dpkg's words`() {
        let (log, _) = read(
            """
            processing: install: b
            dpkg: error processing archive /run/b.deb (--unpack):
             trying to overwrite '/usr/x', which is also in package a 1.0
            """)
        #expect(
            log.failure("--unpack b 1.0", outcome: Outcome(status: .exited(1))).message
                == "dpkg --unpack b 1.0 failed at b: trying to overwrite '/usr/x', which is also in package a 1.0")
        #expect(
            DpkgLog().failure("--configure", outcome: Outcome(status: .signaled(9), tail: Array("last\n".utf8)))
                == Failure("dpkg --configure failed: killed by signal 9", notes: ["last"]))
    }

    @Test func `a full disk is said to be one`() {
        let failure = MaintainerScripts.failure(
            package: "x", script: "preinst install", how: "exit status 1", lines: ["cp: No space left on device"])
        #expect(failure.hint == "free space where the store is, or choose another place with --cache")
    }
}
