import Glibc
import RootfsModel
import Testing

@testable import Sandboxing

struct AvailabilityTests {
    private let ann = OrdinaryUser(
        uid: 1000, gid: 1000, name: "ann", uids: nil, gids: nil, free: SubordinateIDs(first: 165536, count: 65536))

    @Test func refusalSaysWhatIsMissing() {
        #expect(
            Sandbox.refusal(ann, ["newuidmap and newgidmap are not installed: apt-get install uidmap"]).description
                == """
                error: cannot run maintainer scripts as ann: that takes a user namespace with subordinate ids
                  newuidmap and newgidmap are not installed: apt-get install uidmap
                hint: mend this as root, or build as root: sudo rootfs-build …
                """)
    }

    @Test func ordinaryUserWithoutIDsIsRefused() async {
        guard geteuid() == 0 else { return }
        await #expect(processExitsWith: .success) {
            try #require(setgid(65534) == 0 && setuid(65534) == 0)
            // Nothing to be had: it says nothing and goes on.
            Sandbox.enterUserNamespace()
            guard case .unavailable(let failure) = Sandbox.availability() else {
                Issue.record("available to nobody")
                return
            }
            #expect(failure.message.hasPrefix("cannot run maintainer scripts as nobody: "))
            #expect(failure.notes.contains { $0.hasPrefix("nobody has no 65534 subordinate ids") })
        }
    }

    private func settings(_ texts: [String: String]) -> NamespaceSettings {
        NamespaceSettings(read: { texts[$0] })
    }

    @Test func theSettingThatForbidsIsNamed() {
        #expect(settings(["/proc/sys/user/max_user_namespaces": "96365\n"]).obstacles == [])
        #expect(
            settings([
                "/proc/sys/user/max_user_namespaces": "0\n", "/proc/sys/kernel/unprivileged_userns_clone": "0\n",
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
            ]).obstacles == [
                "sysctl user.max_user_namespaces is 0; to allow it: sysctl -w user.max_user_namespaces=15000",
                "sysctl kernel.unprivileged_userns_clone is 0; to allow it: sysctl -w kernel.unprivileged_userns_clone=1",
                "sysctl kernel.apparmor_restrict_unprivileged_userns is 1; to allow it: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            ])
    }

    @Test func aFilterIsNamedWhereNoSettingForbids() {
        let filtered = ["/proc/self/status": "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"]
        #expect(
            settings(filtered).notes(on: "no", code: EPERM) == [
                "no: Operation not permitted",
                "a seccomp filter is in force, as in containers; without: docker run --security-opt seccomp=unconfined",
            ])
        #expect(settings(filtered).notes(on: "no", code: ENOSPC) == ["no: No space left on device"])
        let set = filtered.merging(["/proc/sys/user/max_user_namespaces": "0\n"]) { $1 }
        #expect(settings(set).notes(on: "no", code: EPERM).count == 2)
    }

    @Test func subordinateIDsAreFoundByNameAndNumber() {
        let text = "bob:100000:65536\n1001:165536:65534\nfew:1:65533\nbroken\nann::\nfew:300000:70000\n"
        func granted(_ names: String...) -> SubordinateIDs? { SubordinateIDs.granted(by: text, to: names) }
        #expect(granted("bob", "7") == SubordinateIDs(first: 100000, count: 65536))
        #expect(granted("eve", "1001") == SubordinateIDs(first: 165536, count: 65534))
        #expect(granted("few", "8") == SubordinateIDs(first: 300000, count: 70000))
        #expect(granted("ann", "broken") == nil)
    }

    @Test func idsThatNobodyHasAreSuggested() {
        #expect(SubordinateIDs.free(besides: ["", ""]).first == 100000)
        #expect(SubordinateIDs.free(besides: ["bob:100000:65536\n", "eve:165536:65536\n"]).first == 231072)
    }

    @Test func mapOfIDsTellsTheNamespace() {
        #expect(UserNamespace.parse("         0          0 4294967295\n") == .initial)
        #expect(
            UserNamespace.parse("         0       1000          1\n         1     100000      65536\n")
                == .nested(ids: 65537))
        #expect(UserNamespace.parse("") == .nested(ids: 0))
    }
}
