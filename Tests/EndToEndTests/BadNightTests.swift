import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// Nights on which something goes wrong: the last good image stays, and the record says what it was.
@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BadNightTests {
    /// Nights with a last good image.
    private func nights(_ policy: String = "{}") throws -> Nights {
        let nights = try Nights(policy)
        let first = try nights.night()
        #expect(first.ending.status == 0, "\(first.ending.stderr)\(first.ending.stdout)")
        return nights
    }

    /// Runs a night that must leave everything in place as it is; gives its record.
    @discardableResult
    private func expectNothingReplaced(
        _ nights: Nights, _ decision: String, mirror: String? = nil,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) throws -> JSON {
        let before = try nights.inPlace()
        let night = try nights.night(mirror: mirror)
        #expect(
            night.ending.status == 1, "\(night.ending.stdout)\(night.ending.stderr)", sourceLocation: sourceLocation)
        #expect(night.record["decision"].string == decision, "\(night.record)", sourceLocation: sourceLocation)
        #expect(try nights.inPlace() == before, sourceLocation: sourceLocation)
        #expect(!exists(nights.workspace.path("out/demo.nights/attempt")), sourceLocation: sourceLocation)
        return night.record
    }

    @Test func `a library whose soname moves would break a service: the check refuses it`() throws {
        let nights = try nights()
        try nights.move("libdaemon", to: "2.0") {
            $0.files = (try? Nights.daemon(soname: "libgcrypt.so.99")[0].files) ?? []
        }
        try nights.publish()
        let record = try expectNothingReplaced(nights, "refused")
        #expect(record.gate("findings") == "refused" && record.gate("boot") == "skipped")
        #expect(record["because"].string?.contains("findings: ") == true)
        let evidence = record["gates"].list.first?["evidence"].list.compactMap(\.string) ?? []
        #expect(evidence.contains { $0.contains("libgcrypt.so.20") }, "\(evidence)")
    }

    @Test func `an update that breaks at boot alone is refused by the boot`() throws {
        let nights = try nights()
        try nights.move("hello", to: "2.12-1") { $0.files.append(.file("usr/share/hello/words", "boots badly\n")) }
        try nights.publish()
        let record = try expectNothingReplaced(nights, "refused")
        #expect(record.gate("findings") == "passed" && record.gate("boot") == "refused")
        let version = try #require(record["version"].string)
        let log = try nights.workspace.text("out/demo.nights/\(version)/demo/console.log")
        #expect(log.contains("Kernel panic"))
        #expect(exists(nights.workspace.path("out/demo.nights/\(version)/demo/boot.json")))
    }

    @Test func `a host that can start no machine says nothing against an image, and lets none through`() throws {
        let nights = try nights()
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        try shell("mv bin/qemu-system-x86_64 bin/away", in: nights.workspace.root)
        try nights.workspace.write("bin/qemu-system-x86_64", "#!/bin/sh\necho no room >&2\nexit 1\n", mode: 0o755)
        #expect(try expectNothingReplaced(nights, "failed").gate("boot") == "unanswered")
        // It is asked again as soon as there is one.
        try shell("mv bin/away bin/qemu-system-x86_64", in: nights.workspace.root)
        #expect(try nights.night().ending.status == 0)
    }

    @Test func `a lock that cannot be read is not replaced`() throws {
        let nights = try nights()
        let lock = try nights.workspace.text("recipes/demo.lock")
        try nights.workspace.write("recipes/demo.lock", lock.replacing("Moment: ", with: "Momnet: "))
        let record = try expectNothingReplaced(nights, "failed")
        #expect(record["because"].string == "recipes/demo.lock:4: unknown field Momnet")
        #expect(try nights.versions().count == 1)
    }

    @Test func `an update that grows the image, one that takes a package away`() throws {
        let nights = try nights("{size-growth: 5%}")
        try nights.move("hello", to: "2.12-1") {
            $0.files.append(
                .file("usr/share/hello/large", bytes: (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }))
        }
        try nights.publish()
        #expect(try expectNothingReplaced(nights, "refused").gate("size-growth") == "refused")

        try nights.move("hello", to: "2.13-1") {
            $0.files.removeLast()
            $0.fields["Depends"] = nil
        }
        try nights.publish()
        #expect(try expectNothingReplaced(nights, "refused").gate("package-removed") == "refused")
    }

    @Test func `a mirror that goes down half way, and is there again at the next try`() throws {
        let nights = try nights()
        try nights.move("hello", to: "2.12-1")
        try nights.move("libhello1", to: "2.2")
        try nights.publish()
        let server = try FixtureServer(serving: nights.archive.root)
        let path = "pool/main/h/hello/hello_2.12-1_all.deb"
        server.inject(.status(503), at: path)
        let record = try expectNothingReplaced(nights, "failed", mirror: server.uri)
        #expect(record["because"].string?.contains("hello") == true, "\(record)")
        // The server comes back while the night is still trying.
        let other = try FixtureServer(serving: nights.archive.root)
        other.inject(.status(503), at: path, times: 7)
        let night = try nights.night(["--retries", "5"], mirror: other.uri)
        #expect(night.ending.status == 0, "\(night.ending.stderr)\(night.ending.stdout)")
        #expect(night.record["notes"].list.first?.string?.contains("tried again") == true, "\(night.record)")
    }

    @Test func `a mirror in the middle of its sync`() throws {
        let nights = try nights()
        let old = try shell("cd '\(nights.archive.root)' && tar -cf ../old.tar dists && echo ok")
        #expect(old == "ok\n")
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        // The indexes under their names are those of yesterday; by their digests the new ones are there.
        let restore = "cd '\(nights.archive.root)' && tar -xf ../old.tar --wildcards '*/Packages*'"
        try shell(restore)
        let night = try nights.night()
        #expect(night.ending.status == 0, "\(night.ending.stderr)\(night.ending.stdout)")

        // A mirror without by-hash: nothing until it is whole.
        nights.hasByHash = false
        try nights.move("hello", to: "2.13-1")
        try nights.publish()
        try shell(restore)
        try expectNothingReplaced(nights, "failed")
        try nights.publish()
        #expect(try nights.night().ending.status == 0)
    }

    @Test func `a package that the archive has withdrawn`() throws {
        let nights = try nights("{allow: none}")
        // The last good image needs nothing of it; a move may not bring it back.
        try shell("rm -r pool/main/h/hello", in: nights.archive.root)
        nights.packages.removeAll { $0.name == "hello" }
        try nights.publish()
        let record = try expectNothingReplaced(nights, "failed")
        #expect(record["because"].string?.contains("hello") == true, "\(record)")
        // The index still lists what the pool no longer has.
        let other = try self.nights()
        try other.move("hello", to: "2.12-1")
        try other.publish()
        try shell("rm -r pool/main/h/hello", in: other.archive.root)
        let missing = try expectNothingReplaced(other, "failed")
        #expect(missing["because"].string?.contains("hello") == true, "\(missing)")
    }

    @Test func `a Release file that has expired, and a clock that is wrong`() throws {
        let nights = try nights()
        nights.validUntil = nights.now + 2 * 86_400
        nights.date = nights.now - 86_400
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        let now = nights.now
        nights.now += 30 * 86_400
        let expired = try expectNothingReplaced(nights, "failed")
        #expect(expired["because"].string?.contains("has expired") == true, "\(expired)")
        #expect(expired["because"].string?.contains("this host's clock says") == true)
        // Years before the archive's date, and before its key.
        let future = try FixtureArchive(key: FixtureKey(at: "20400101T000000"))
        for var suite in World.suites(nights.packages) {
            suite.date = 2_208_988_800
            try future.write(suite)
        }
        let keyring = try nights.workspace.text("recipes/demo.manifest").replacing(
            "keys/fixture.gpg", with: "keys/next.gpg")
        try nights.workspace.write("keys/next.gpg", bytes: try readFile(at: future.key.keyring))
        try nights.workspace.write("recipes/demo.manifest", keyring)
        nights.now = 1_000_000_000
        let early = try expectNothingReplaced(nights, "failed", mirror: future.uri)
        #expect(early["because"].string?.contains("clock") == true, "\(early)")
        #expect(early["notes"].list.first?.string?.hasPrefix("this host's clock says 2001-09-10") == true, "\(early)")
        try nights.workspace.recipe("demo", Nights.recipe())
        nights.now = now
        #expect(try nights.night().ending.status == 0)
    }

    @Test func `a full disk`() throws {
        let nights = try nights()
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        let before = try nights.inPlace()
        // The outputs' disk has room for what is there and for no second image.
        var program = nights.program
        let used = try shell("du -sm out | cut -f1", in: nights.workspace.root).filter(\.isNumber)
        let size = (Int(used) ?? 0) + 3
        let script =
            "cp -a out kept && mount -t tmpfs -o size=\(size)m none out && cp -a kept/. out/ && \"$@\"; status=$?; "
            + "sha256sum recipes/demo.lock out/demo/* > after; cat out/demo.nights/nightly.json > night; exit $status"
        program.wrapper = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, "sh"]
        let ending = try program.run(nights.words(), within: 120)
        #expect(ending.status == 1, "\(ending.stderr)\(ending.stdout)")
        #expect(try nights.workspace.text("after") == before)
        let record = try JSON(nights.workspace.text("night"))
        #expect(record["decision"].string == "failed")
        #expect(record["because"].string?.contains("the disk has") == true, "\(record)")
        #expect(try nights.night().ending.status == 0)
    }
}
