import Debian
import RootfsModel
import Testing

@Suite struct LockTests {
    static let digest = Digest(hashing: "x")

    static func package(
        _ name: String, _ version: String = "1", purpose: Lock.Purpose = .layer("base"), content: String = "x"
    ) -> Lock.Package {
        Lock.Package(
            name: name, version: version, architecture: "amd64", size: 10, sha256: Digest(hashing: content),
            filename: "pool/main/\(name)_\(version).deb", pocket: "bookworm", purpose: purpose)
    }

    static func lock(_ packages: [Lock.Package], files: [Lock.File] = []) -> Lock {
        Lock(
            recipe: "browser", architecture: "amd64", moment: 1_783_764_997, exclude: ["usrmerge"],
            pins: ["nodejs": "18.*"],
            archives: [
                Lock.Archive(
                    name: "bookworm-updates", origin: "Debian", suite: "oldstable-updates",
                    codename: "bookworm-updates",
                    components: ["main"], inRelease: digest, date: 86_400),
                Lock.Archive(
                    name: "bookworm", origin: "Debian", suite: "oldstable", codename: "bookworm",
                    components: ["main", "contrib"],
                    inRelease: digest, date: 0),
            ],
            requests: [
                Lock.RequestSet(.layer("base"), []), Lock.RequestSet(.layer("web"), ["nodejs", "curl"]),
                Lock.RequestSet(.role("kernel"), ["linux-image-cloud-amd64"]),
            ], packages: packages, files: files)
    }

    static let full = lock(
        [
            package("nodejs", "18", purpose: .layer("web")), package("libc6"),
            package("linux-image", purpose: .role("kernel")), package("linux-image", purpose: .layer("web")),
        ], files: [Lock.File(name: "vendor/node.tar.xz", size: 5, sha256: digest)])

    @Test("the text of a lock")
    func text() {
        let hex = Self.digest.hex
        #expect(
            Self.full.text == """
                Lock-Version: 1
                Recipe: browser
                Architecture: amd64
                Moment: 1783764997
                Solver: apt-classic
                Exclude: usrmerge
                Pins: nodejs 18.*

                Archive: bookworm
                Origin: Debian
                Suite: oldstable
                Codename: bookworm
                Components: main contrib
                InRelease-SHA256: \(hex)
                Date: Thu, 01 Jan 1970 00:00:00 UTC

                Archive: bookworm-updates
                Origin: Debian
                Suite: oldstable-updates
                Codename: bookworm-updates
                Components: main
                InRelease-SHA256: \(hex)
                Date: Fri, 02 Jan 1970 00:00:00 UTC

                Request:
                Layer: base

                Request: curl, nodejs
                Layer: web

                Request: linux-image-cloud-amd64
                Role: kernel

                Package: libc6
                Version: 1
                Architecture: amd64
                Size: 10
                SHA256: \(hex)
                Filename: pool/main/libc6_1.deb
                Pocket: bookworm
                Layer: base

                Package: linux-image
                Version: 1
                Architecture: amd64
                Size: 10
                SHA256: \(hex)
                Filename: pool/main/linux-image_1.deb
                Pocket: bookworm
                Layer: web

                Package: linux-image
                Version: 1
                Architecture: amd64
                Size: 10
                SHA256: \(hex)
                Filename: pool/main/linux-image_1.deb
                Pocket: bookworm
                Role: kernel

                Package: nodejs
                Version: 18
                Architecture: amd64
                Size: 10
                SHA256: \(hex)
                Filename: pool/main/nodejs_18.deb
                Pocket: bookworm
                Layer: web

                File: vendor/node.tar.xz
                Size: 5
                SHA256: \(hex)

                """)
    }

    @Test("what is written reads back as it was")
    func roundTrip() throws {
        #expect(try Lock(parsing: Array(Self.full.text.utf8), file: "browser.lock") == Self.full)
        #expect(Self.full.packages(for: .role("kernel")).map(\.name) == ["linux-image"])
    }

    private func message(_ text: String) -> String {
        do {
            _ = try Lock(parsing: Array(text.utf8), file: "a.lock")
            return "no failure"
        } catch { return error.description }
    }

    @Test("every mistake of a lock is shown at once, with its place")
    func mistakes() {
        let text = Self.full.text
            .replacing("Size: 5", with: "Size: -5").replacing("Solver:", with: "Solvr:")
            .replacing("Version: 18\n", with: "").replacing("Fri, 02 Jan 1970", with: "Fri, 32 Jan 1970")
            .replacing("Filename: pool/main/libc6", with: "Filename: ../libc6")
        #expect(
            message(text) == """
                a.lock:5:1: error: unknown field Solvr
                 5 | Solvr: apt-classic
                   | ^^^^^
                hint: did you mean Solver?
                a.lock:1:1: error: this stanza has no Solver
                 1 | Lock-Version: 1
                   | ^
                a.lock:23:7: error: this is no date in UTC
                 23 | Date: Fri, 32 Jan 1970 00:00:00 UTC
                    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                a.lock:39:11: error: this is no path below an archive's root
                 39 | Filename: ../libc6_1.deb
                    |           ^^^^^^^^^^^^^^
                a.lock:61:1: error: this stanza has no Version
                 61 | Package: nodejs
                    | ^
                a.lock:70:7: error: `-5` is no number
                 70 | Size: -5
                    |       ^^
                """)
    }

    @Test("what is no lock, of another format, or incomplete in itself is refused")
    func structure() {
        #expect(message("") == "a.lock:1:1: error: a lock begins with the field Lock-Version\n 1 | \n   | ^")
        #expect(
            message("Lock-Version: 3\n")
                == "a.lock:1:15: error: this lock is of format 3; this program reads formats up to 2\n 1 | Lock-Version: 3\n   |               ^"
        )
        #expect(
            message(Self.full.text + "\nPickage: a\n").contains(
                "a stanza of a lock begins with Archive, Request, Package or File"))
        #expect(
            message(Self.full.text + "\nFile: vendor/node.tar.xz\nSize: 5\nSHA256: \(Self.digest.hex)\n").contains(
                "stands in the lock twice, first in line 70"))
        #expect(
            message(Self.full.text.replacing("Pocket: bookworm", with: "Pocket: trixie")).contains(
                "the lock has no archive trixie"))
        #expect(message(Self.full.text.replacing("Role: kernel", with: "Rule: kernel")).contains("did you mean Role?"))
    }

    @Test("what moved between two locks, a line each")
    func changes() {
        let old = Self.lock(
            [
                Self.package("a", "1"), Self.package("b", "2"), Self.package("c", "3"), Self.package("d"),
                Self.package("e"),
                Self.package("same"), Self.package("two", "1"), Self.package("two", "1", purpose: .role("kernel")),
            ],
            files: [
                Lock.File(name: "f", size: 1, sha256: Self.digest), Lock.File(name: "g", size: 1, sha256: Self.digest),
            ])
        let new = Self.lock(
            [
                Self.package("a", "1.1"), Self.package("b", "2~rc"), Self.package("d", content: "y"),
                Self.package("e", purpose: .layer("web")), Self.package("n", "9"), Self.package("same"),
                Self.package("two", "1"), Self.package("two", "2", purpose: .role("kernel")),
            ], files: [Lock.File(name: "f", size: 1, sha256: Digest(hashing: "y"))])
        #expect(
            new.changes(since: old).map(\.description) == [
                "upgraded a from 1 to 1.1", "downgraded b from 2 to 2~rc", "removed c 3", "rebuilt d 1",
                "moved e from layer base to layer web", "added n 9", "upgraded two from 1 to 2",
                "rebuilt f \(Digest(hashing: "y"))", "removed g \(Self.digest)",
            ])
        #expect(new.changes(since: new).isEmpty)
    }

    private var wanted: Lock.Requests {
        Lock.Requests(
            architecture: "amd64", archives: ["bookworm": ["contrib", "main"], "bookworm-updates": ["main"]],
            sets: [
                Lock.RequestSet(.layer("base"), []), Lock.RequestSet(.layer("web"), ["nodejs", "curl"]),
                Lock.RequestSet(.role("kernel"), ["linux-image-cloud-amd64"]),
            ], exclude: ["usrmerge"], pins: ["nodejs": "18.*"], files: ["vendor/node.tar.xz"])
    }

    @Test("a recipe that asks for something else than its lock is told what, and the command that helps")
    func requests() {
        #expect(Self.full.missingRequests(for: wanted, recipe: "r.manifest") == nil)
        var other = wanted
        other.architecture = "arm64"
        other.archives["bookworm-updates"] = nil
        other.sets[1].names = ["nodejs", "firefox-esr"]
        other.sets[2] = Lock.RequestSet(.layer("extra"), ["vim"])
        other.exclude = []
        other.pins["nodejs"] = "20.*"
        other.files = []
        #expect(
            Self.full.missingRequests(for: other, recipe: "recipes/browser.manifest")?.description == """
                error: the recipe recipes/browser.manifest does not ask for what its lock holds
                  architecture: the lock is for amd64, the recipe for arm64
                  archives: the lock has bookworm-updates main, which the recipe does not ask for
                  layer web: the lock lacks firefox-esr
                  layer web: the lock has curl, which the recipe does not ask for
                  the lock lacks layer extra
                  the lock has role kernel, which the recipe does not
                  exclude: the lock has usrmerge, which the recipe does not ask for
                  pins: the lock lacks nodejs 20.*
                  pins: the lock has nodejs 18.*, which the recipe does not ask for
                  files: the lock has vendor/node.tar.xz, which the recipe does not ask for
                hint: run rootfs-build lock --update recipes/browser.manifest
                """)
        var swapped = wanted
        swapped.sets.swapAt(0, 1)
        #expect(
            Self.full.missingRequests(for: swapped, recipe: "r")?.notes
                == [
                    "order: the lock has layer base, layer web, role kernel, the recipe layer web, layer base, role kernel"
                ])
    }
}
