import Debian
import Foundation
import RootfsModel
import Solving
import Testing

extension Tag {
    /// Reads the lists of the host's own APT sources; skipped where it has none.
    @Tag static var hostSources: Self
}

@Suite(.tags(.hostSources))
struct AptDifferentialTests {
    static let browser = [
        "systemd-sysv", "dbus", "iproute2", "ca-certificates", "nodejs", "chromium", "xvfb", "gstreamer1.0-tools",
        "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-bad", "gstreamer1.0-nice",
        "gstreamer1.0-x", "python3-gi", "gir1.2-gst-plugins-bad-1.0", "fonts-dejavu-core",
    ]
    static let minimal = ["systemd-sysv", "udev", "iproute2", "ca-certificates"]

    @Test(
        "the recipes' requests and seeded random ones give apt's names and versions, and fail where apt fails",
        .enabled(if: AptOracle.obstacle == nil, "\(AptOracle.obstacle ?? "")"))
    func sameAsApt() throws {
        let oracle = try AptOracle()
        defer { oracle.remove() }
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["ROOTFS_BUILD_TEST_SEED"].flatMap(UInt64.init) ?? 20_261_123
        let count = environment["ROOTFS_BUILD_TEST_REQUESTS"].flatMap(Int.init) ?? 100
        print("seed \(seed), \(count) random requests, \(oracle.sources.reduce(0) { $0 + $1.index.count }) stanzas")

        var generator = SeededGenerator(seed: seed)
        let names = oracle.universe.candidateNames
        var requests = [Self.browser, Self.minimal]
        for _ in 0..<count {
            requests.append((0..<Int.random(in: 1...4, using: &generator)).compactMap { _ in names.randomElement(using: &generator) })
        }
        let base = oracle.universe.baseRequests()
        var failures = 0
        for request in requests {
            let expected = try oracle.install(base.map(\.description) + request)
            let layers = [
                LayerRequests(layer: LayerRequests.base, requests: base),
                LayerRequests(layer: "asked", requests: request.map { Request($0) }),
            ]
            var found: [String]?
            do {
                found = try oracle.universe.solve(layers).packages.map { "\($0.stanza.name) \($0.stanza.version)" }.sorted()
            } catch {
                failures += 1
            }
            if found == expected { continue }
            let ours = Set(found ?? []), theirs = Set(expected ?? [])
            Issue.record(
                """
                \(request) (seed \(seed)): \(found == nil ? "we fail" : "we solve"), \(expected == nil ? "apt fails" : "apt solves")
                only here: \(found == nil ? [] : ours.subtracting(theirs).sorted())
                only apt: \(expected == nil ? [] : theirs.subtracting(ours).sorted())
                """)
        }
        print("\(requests.count) requests compared with apt, \(failures) of them cannot be satisfied")
    }
}
