import ArchiveFixture
import Debian
import Dispatch
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct SignatureTests {
    private func verify(_ bytes: [UInt8], _ keyrings: [FilePath]) throws -> VerifiedText {
        let directory = try FixtureDirectory("verify")
        return try SignatureVerifier().verify(bytes, "F", keyrings, directory.path)
    }

    @Test func theSignedTextComesOutAsItWentIn() throws {
        let key = try FixtureKey()
        // A line that begins with a dash is escaped inside the file.
        let text = Array("Origin: Debian\n-----BEGIN of nothing\n- dash\nLast: line\n".utf8)
        let signed = try key.clearSigned(text)
        #expect(try verify(signed, [key.keyring]).bytes == text)
        #expect(try verify(signed, [key.armored]).bytes == text)
        #expect(try verify(signed, [key.keyring]).signers.map(\.count) == [40])
    }

    @Test func anArmoredKeyringIsTheBinaryOne() throws {
        let key = try FixtureKey()
        let other = try FixtureKey()
        let armor = try readFile(at: key.armored)
        #expect(try publicKeys(in: armor, keyring: "K") == readFile(at: key.keyring))
        // Several blocks, with text around them and headers inside.
        let both = Array("Our keys\n\n".utf8) + armor + Array("and\r\n".utf8) + (try readFile(at: other.armored))
        #expect(try publicKeys(in: both, keyring: "K") == readFile(at: key.keyring) + readFile(at: other.keyring))
    }

    @Test func aKeyringThatIsNoneIsRefused() throws {
        let key = try FixtureKey()
        let armor = try readFile(at: key.armored)
        let cases = [
            Array("no keys\n".utf8), Array(armor.prefix(armor.count / 2)),
            Array("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n".utf8),
        ]
        for bytes in cases {
            #expect(
                thrownText { _ = try publicKeys(in: bytes, keyring: "/k.asc") }
                    == "error: cannot read the keyring /k.asc: it is neither binary nor armored (.asc) OpenPGP keys")
        }
        #expect(thrownText { _ = try publicKeys(in: [], keyring: "/k") } == "error: the keyring /k is empty")
    }

    @Test func theProgramsSignalsAreAsAtItsStart() throws {
        let directory = try FixtureDirectory("signals")
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGTERM)
        var old = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        // SIGPIPE is ignored in this process as in the command.
        signal(SIGPIPE, SIG_IGN)
        let output = directory.path.appending("output")
        let end = try runProgram(
            "/bin/sh", ["-c", "grep -E '^Sig(Blk|Ign):' /proc/self/status; kill -TERM $$; sleep 5"],
            environment: ["PATH=/usr/bin:/bin"], output: output, errors: directory.path.appending("errors"))
        #expect(end == .killed(SIGTERM))
        let text = String(decoding: try readFile(at: output), as: UTF8.self)
        let masks = text.split(separator: "\n").map { UInt64($0.dropFirst("SigBlk:\t".count), radix: 16) }
        // Signals 32 and 33 are the C library's own, and it has them ignored.
        #expect(masks.map { $0.map { $0 & 0x7fff_ffff } } == [0, 0], "\(text)")
    }

    @Test func cancellingEndsTheProgram() async throws {
        let directory = try FixtureDirectory("cancel")
        let path = directory.path
        let task = Task.detached {
            try runProgram(
                "/bin/sh", ["-c", "echo $$ >&2; exec sleep 120"], environment: ["PATH=/usr/bin:/bin"],
                output: path.appending("output"), errors: path.appending("errors"))
        }
        // Not from the pool, whose threads other tests may hold.
        DispatchQueue.global().async {
            while (try? readFile(at: path.appending("errors")))?.last != UInt8(ascii: "\n") { usleep(5000) }
            task.cancel()
        }
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        let process = pid_t(String(decoding: try readFile(at: path.appending("errors")).dropLast(), as: UTF8.self))
        #expect(try kill(#require(process), 0) == -1 && errno == ESRCH)
    }

    @Test func aKeyringOfOtherThingsNamesTheSigner() throws {
        let key = try FixtureKey()
        let directory = try FixtureDirectory("keys")
        let rubbish = directory.path.appending("rubbish.gpg")
        try writeFile([0xff, 0xfe, 0xfd, 0, 1, 2], to: rubbish)
        let message = thrownText { _ = try verify(key.clearSigned([65, 10]), [rubbish]) }
        #expect(message.hasPrefix("error: F is signed by key ") && message.contains(" does not hold it\n"))
    }

    /// gpgv is what the other tests use. sqv reads clear-signed files from 1.3 on.
    @Test(.enabled(if: access("/usr/bin/sqv", X_OK) == 0, "sqv is not installed"))
    func sqvGivesTheSameOutcome() throws {
        let path: FilePath = "/usr/bin/sqv"
        let key = try FixtureKey()
        let other = try FixtureKey()
        let text = Array("Origin: Debian\n".utf8)
        let signed = try key.clearSigned(text)
        let directory = try FixtureDirectory("verify")
        let verifier = SignatureVerifier(.sqv(path))
        let verified = try verifier.verify(signed, "F", [key.keyring], directory.path)
        #expect(String(decoding: verified.bytes, as: UTF8.self).hasPrefix("Origin: Debian"))
        let again = try FixtureDirectory("verify")
        #expect(
            thrownText { _ = try verifier.verify(signed, "F", [other.keyring], again.path) }
                == """
                error: F is signed by key \(verified.signers[0]), and \(other.keyring.string) does not hold it
                hint: if you trust this archive, name the keyring that holds its key in the recipe's archive.keyring
                """)
        let third = try FixtureDirectory("verify")
        let changed = Array(String(decoding: signed, as: UTF8.self).replacing("Debian", with: "Debiam").utf8)
        #expect(
            thrownText { _ = try verifier.verify(changed, "F", [key.keyring], third.path) }
                .hasPrefix("error: F has a bad signature: it was changed after it was signed\n"))
    }

    @Test func oneBadSignatureSpoilsAGoodOne() {
        let status = GPGStatus(
            parsing: """
                [GNUPG:] PLAINTEXT 74 0
                [GNUPG:] NEWSIG
                [GNUPG:] GOODSIG 6ED0E7B82643E131 Somebody
                [GNUPG:] VALIDSIG 4CB5 2026-11-21 1795227090 0 4 0 1 8 01 B8B8
                [GNUPG:] NEWSIG
                [GNUPG:] BADSIG 78DBA3BC47EF2265 Somebody else
                """)
        #expect(status.good == [GPGStatus.Signer(fingerprint: "4CB5", isWeak: false)])
        #expect(status.bad == ["78DBA3BC47EF2265"] && status.plaintexts == 1)
    }

    @Test func expiredKeysAndWeakDigestsAreNoGoodSignatures() {
        let status = GPGStatus(
            parsing: """
                [GNUPG:] NEWSIG
                [GNUPG:] EXPKEYSIG AAAA Somebody
                [GNUPG:] VALIDSIG BBBB 2026-11-21 1795227090 0 4 0 1 8 01 B8B8
                [GNUPG:] NEWSIG
                [GNUPG:] GOODSIG CCCC Somebody
                [GNUPG:] VALIDSIG DDDD 2026-11-21 1795227090 0 4 0 1 2 01 B8B8
                [GNUPG:] ERROR proc_pkt.plaintext 89_BAD_DATA
                """)
        #expect(status.expired == ["AAAA"] && status.hasError)
        #expect(status.good == [GPGStatus.Signer(fingerprint: "DDDD", isWeak: true)])
    }
}

extension SignatureVerifier {
    fileprivate func verify(_ text: [UInt8], _ name: String, _ keyrings: [FilePath], _ scratch: FilePath) throws
        -> VerifiedText
    {
        try verify(text, name: name, keyrings: keyrings, scratch: scratch, now: fixtureDate)
    }
}
