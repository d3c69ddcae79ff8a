import Debian
import RootfsModel
import Testing

/// What a lock says of archives that a recipe gives a priority, and of a snapshot.
@Suite struct LockArchiveFieldsTests {
    private var lock: Lock {
        var lock = LockTests.full
        lock.snapshot = 1_795_132_799
        lock.archives[0].pin = -1
        return lock
    }

    @Test func `they come back as they were written`() throws {
        let text = lock.text
        #expect(text.contains("\nSolver: apt-classic\nSnapshot: Thu, 19 Nov 2026 23:59:59 UTC\nExclude: "))
        #expect(text.contains("\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nPin: -1\n\n"))
        #expect(try Lock(parsing: Array(text.utf8), file: "a.lock") == lock)
    }

    @Test(arguments: [
        ("Pin: -1", "Pin: -01", "`-01` is no number"), ("Pin: -1", "Pin: high", "`high` is no number"),
        ("Thu, 19 Nov 2026", "Nov 2026", "this is no date in UTC"),
    ]) func `bad ones are refused with their place`(good: String, bad: String, message: String) {
        let text = lock.text.replacing(good, with: bad)
        #expect {
            try Lock(parsing: Array(text.utf8), file: "a.lock")
        } throws: { error in
            let failures = (error as? Failures)?.all ?? []
            return failures.map(\.message) == [message] && failures[0].location?.file == "a.lock"
        }
    }

    @Test func `a recipe that says otherwise is told what differs`() {
        let wanted = Lock.Requests(
            architecture: "amd64", archives: ["bookworm-updates": ["main"], "bookworm": ["main", "contrib"]],
            sets: lock.requests, exclude: ["usrmerge"], pins: lock.pins, priorities: ["bookworm-updates": 100],
            files: ["vendor/node.tar.xz"])
        #expect(
            lock.missingRequests(for: wanted, recipe: "r.manifest")?.notes == [
                "priorities: the lock lacks bookworm-updates 100",
                "priorities: the lock has bookworm -1, which the recipe does not ask for",
                "snapshot: the lock has Thu, 19 Nov 2026 23:59:59 UTC, which the recipe does not ask for",
            ])
    }
}
