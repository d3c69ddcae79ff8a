import Glibc
import RootfsModel
import Testing

@testable import Sandboxing

struct AvailabilityTests {
    @Test func refusalSaysWhatIsMissing() {
        let user = OrdinaryUser(name: "ann", namespaceError: ENOSPC, hasMapper: false, hasSubordinateIDs: false)
        #expect(
            Sandbox.notRoot(user).description == """
                error: cannot run maintainer scripts: neither root nor in a user namespace
                  no user namespaces here: No space left on device (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)
                  newuidmap and newgidmap are not installed (package uidmap)
                  ann has no subordinate ids (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann)
                hint: run it as root: sudo rootfs-build …; or, with the above mended, in a user namespace: unshare --map-auto --map-root-user rootfs-build …
                """)
    }

    @Test func refusalOfOneWhoCouldSaysHow() {
        let user = OrdinaryUser(name: "ann", namespaceError: 0, hasMapper: true, hasSubordinateIDs: true)
        #expect(
            Sandbox.notRoot(user).description == """
                error: cannot run maintainer scripts: neither root nor in a user namespace
                hint: run it in a user namespace: unshare --map-auto --map-root-user rootfs-build …; or as root: sudo rootfs-build …
                """)
    }

    @Test func ordinaryUserIsRefused() async {
        guard geteuid() == 0 else {
            #expect(Sandbox.availability() != .available)
            return
        }
        await #expect(processExitsWith: .success) {
            try #require(setgid(65534) == 0 && setuid(65534) == 0)
            guard case .unavailable(let failure) = Sandbox.availability() else {
                Issue.record("available to nobody")
                return
            }
            #expect(failure.message == "cannot run maintainer scripts: neither root nor in a user namespace")
            #expect(failure.notes.contains { $0.hasPrefix("nobody has no subordinate ids") })
        }
    }

    @Test func subordinateIDsAreFoundByNameAndNumber() {
        let text = "bob:100000:65536\n1001:165536:65536\nfew:1:10\nbroken\nann::\n"
        #expect(OrdinaryUser.grantsIDs(text, to: ["bob", "7"]))
        #expect(OrdinaryUser.grantsIDs(text, to: ["eve", "1001"]))
        #expect(!OrdinaryUser.grantsIDs(text, to: ["few", "8"]))
        #expect(!OrdinaryUser.grantsIDs(text, to: ["ann", "broken"]))
    }

    @Test func mapOfIDsTellsTheNamespace() {
        #expect(UserNamespace.parse("         0          0 4294967295\n") == .initial)
        #expect(UserNamespace.parse("         0       1000          1\n         1     100000      65536\n") == .nested(ids: 65537))
        #expect(UserNamespace.parse("") == .nested(ids: 0))
    }
}
