import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

/// A store in a directory of its own, gone with the value.
struct TemporaryStore {
    let directory: FixtureDirectory
    let store: Store

    init() throws {
        directory = try FixtureDirectory("store")
        store = try Store(at: directory.path.appending("store"))
    }
}

/// Options that do not make a test wait.
let fast: TransportOptions = {
    var options = TransportOptions()
    options.firstDelay = .milliseconds(10)
    options.attempts = 4
    options.stallTimeout = .seconds(1)
    // Whatever proxy the environment names, it cannot reach our servers.
    options.proxies = ProxySettings(http: "", https: "")
    return options
}()

/// The moment the fixture's Release files are from.
let fixtureDate: Int64 = 1_767_225_600

/// The failure's text, `…` for what differs from run to run.
func text(_ error: any Error, hiding secrets: [String: String] = [:]) -> String {
    var text = (error as? Failure)?.description ?? (error as? Failures)?.description ?? "\(error)"
    for (secret, name) in secrets.sorted(by: { $0.key.count > $1.key.count }) {
        text = text.replacing(secret, with: name)
    }
    return text
}

/// What the closure throws, as text.
func thrownText(hiding secrets: [String: String] = [:], _ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was thrown"
    } catch {
        return text(error, hiding: secrets)
    }
}

/// Bytes that differ from place to place: the same for the same seed.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 32)
    }
}
