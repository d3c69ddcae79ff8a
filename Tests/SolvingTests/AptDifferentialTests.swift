import Debian
import Foundation
import RootfsModel
import Solving
import TestSupport
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
        let known = Set(names)
        let older = oracle.olderVersions()
        var requests = [Self.browser, Self.minimal]
        for _ in 0..<count {
            var request = (0..<Int.random(in: 1...4, using: &generator)).compactMap { _ in
                names.randomElement(using: &generator)
            }
            // Names drawn blindly hardly ever conflict: every fifth request asks for a package and its rival.
            if Int.random(in: 0..<5, using: &generator) == 0 {
                for _ in 0..<60 {
                    guard let name = names.randomElement(using: &generator),
                        let package = try oracle.universe.candidate(name),
                        let rival = (package.conflicts + package.breaks).first(where: { known.contains($0.name) })
                    else { continue }
                    request += [name, rival.name]
                    break
                }
            }
            // And now and then an older version, whose siblings mostly want to be as old.
            if Int.random(in: 0..<6, using: &generator) == 0, let old = older.randomElement(using: &generator) {
                request.append(old)
            }
            requests.append(request)
        }
        let base = oracle.universe.baseRequests()
        var failures = 0
        var packages = 0
        for request in requests {
            let expected = try oracle.install(base.map(\.description) + request)
            let layers = [
                LayerRequests(layer: LayerRequests.base, requests: base),
                LayerRequests(layer: "asked", requests: try request.map { try Request(parsing: $0) }),
            ]
            var found: [String]?
            do {
                found = try oracle.universe.solve(layers).packages.map { "\($0.stanza.name) \($0.stanza.version)" }
                    .sorted()
            } catch {
                failures += 1
            }
            packages += expected?.count ?? 0
            if found == expected { continue }
            let ours = Set(found ?? [])
            let theirs = Set(expected ?? [])
            Issue.record(
                """
                \(request) (seed \(seed)): \(found == nil ? "we fail" : "we solve"), \(expected == nil ? "apt fails" : "apt solves")
                only here: \(found == nil ? [] : ours.subtracting(theirs).sorted())
                only apt: \(expected == nil ? [] : theirs.subtracting(ours).sorted())
                """)
        }
        #expect(packages > requests.count * base.count / 2, "apt was asked and gave whole roots")
        print(
            "\(requests.count) requests and \(packages) packages compared with apt, \(failures) requests cannot be satisfied"
        )
    }
}
