import Debian
import RootfsModel
import Testing

/// What a new resolution keeps of the lock before it.
@Suite struct LockMomentTests {
    private static func lock(_ packages: [Lock.Package], moment: Int64, archive: String = "one") -> Lock {
        Lock(
            recipe: "test", architecture: "amd64", moment: moment,
            archives: [
                Lock.Archive(
                    name: "bookworm", origin: "Debian", suite: "stable", codename: "bookworm", components: ["main"],
                    inRelease: Digest(hashing: archive), date: moment)
            ],
            requests: [
                Lock.RequestSet(.layer("system"), ["dbus"]), Lock.RequestSet(.layer("app"), ["nodejs"]),
                Lock.RequestSet(.role("kernel"), ["linux"]),
            ], packages: packages)
    }

    private static func packages(dbus: String = "1", nodejs: String = "1", linux: String = "1") -> [Lock.Package] {
        [
            LockTests.package("libc6"), LockTests.package("dbus", dbus, purpose: .layer("system")),
            LockTests.package("nodejs", nodejs, purpose: .layer("app")),
            LockTests.package("linux", linux, purpose: .role("kernel")),
        ]
    }

    private static let old = lock(packages(), moment: 100)

    private func moments(_ lock: Lock) -> [Int64] { [lock.moment] + lock.layers.map { lock.moment(ofLayer: $0.name) } }

    @Test func aFreshLockHasOneMomentForAll() {
        #expect(moments(Self.old) == [100, 100, 100, 100])
        #expect(!Self.old.text.contains("Layer-Moments"))
        #expect(Self.old.text.hasPrefix("Lock-Version: 1\n"))
    }

    @Test func aLayerMovesWithItsPackagesAndThoseBelow() {
        func moved(_ packages: [Lock.Package]) -> [Int64] {
            moments(Self.lock(packages, moment: 200, archive: "two").following(Self.old))
        }
        #expect(moved(Self.packages(nodejs: "2")) == [200, 100, 100, 200])
        #expect(moved(Self.packages(dbus: "2")) == [200, 100, 200, 200])
        #expect(moved(Self.packages() + [LockTests.package("apt")]) == [200, 200, 200, 200])
        // The kernel is in no layer, and what the image lays itself has the image's moment.
        #expect(moved(Self.packages(linux: "2")) == [200, 100, 100, 100])
        // The same version with other bytes is another package.
        var rebuilt = Self.packages()
        rebuilt[1].sha256 = Digest(hashing: "rebuilt")
        #expect(moved(rebuilt) == [200, 100, 200, 200])
    }

    @Test func momentsAreKeptFromLockToLock() throws {
        let second = Self.lock(Self.packages(nodejs: "2"), moment: 200).following(Self.old)
        #expect(second.text.contains("Lock-Version: 2\n"))
        #expect(second.text.contains("Moment: 200\nLayer-Moments: base 100, system 100\n"))
        let read = try Lock(parsing: Array(second.text.utf8), file: "test.lock")
        #expect(read == second)
        let third = Self.lock(Self.packages(dbus: "2", nodejs: "2"), moment: 300).following(read)
        #expect(moments(third) == [300, 100, 300, 300])
        // An archive that was set back: nothing is older than what it stands on.
        let back = Self.lock(Self.packages(dbus: "2", nodejs: "3"), moment: 50).following(third)
        #expect(moments(back) == [300, 100, 300, 300])
    }

    @Test func whereNothingMovedTheLockIsTheOldOne() {
        #expect(Self.lock(Self.packages(), moment: 200, archive: "two").following(Self.old) == Self.old)
        // What is asked for is another thing, and nothing of it moves a moment.
        var renamed = Self.lock(Self.packages(), moment: 200, archive: "two")
        renamed.requests[0].names = ["dbus", "libc6"]
        let followed = renamed.following(Self.old)
        #expect(moments(followed) == [100, 100, 100, 100])
        #expect(followed.requests == renamed.requests)
        #expect(followed.archives == renamed.archives)
    }

    private func message(_ replace: (String) -> String) -> String {
        let text = Self.lock(Self.packages(nodejs: "2"), moment: 200).following(Self.old).text
        do {
            _ = try Lock(parsing: Array(replace(text).utf8), file: "a.lock")
            return "no failure"
        } catch { return error.description }
    }

    @Test func badMomentsAreRefusedWithTheirPlace() {
        let form = "this is no list of layers, each once, and moments: `base 1783764997`"
        for (wrong, said) in [
            ("base 300, system 100", "the layer base is later than Moment"),
            ("base 100, none 100", "the lock has no layer none"), ("base -1", form),
            ("base 0", "0 is not from 1 to 4294967295"), ("base 1, base 2", form),
            ("base", form),
        ] {
            let text = message { $0.replacing("base 100, system 100", with: wrong) }
            #expect(text.hasPrefix("a.lock:5:16: error: \(said)\n 5 | Layer-Moments: \(wrong)\n"), "\(text)")
        }
    }
}
