import Debian
import Glibc
import Normalization
import RootfsModel
import Sandboxing
import Storage
import SystemPackage
import Testing

@testable import Dpkg

/// Two layers of real packages, where `DPKG_TRIAL` names a directory with `base.txt` and `later.txt`: the paths of
/// .debs, a line each. The merged tree is left in its `ours`, the store in its `store`.
@Suite struct RealPackagesTests {
    static let trial = getenv("DPKG_TRIAL").map { FilePath(String(cString: $0)) }

    @Test(.enabled(if: trial != nil, "DPKG_TRIAL names no directory of real packages"))
    func `two layers of real packages are as dpkg would make them`() throws {
        let trial = try #require(Self.trial)
        let store = try Store(at: trial.appending("store"))
        let scratch = try store.makeTemporaryDirectory("trial")
        let clock = ContinuousClock()
        var start = clock.now
        func lap(_ name: String) {
            print("\(name): \(clock.now - start)")
            start = clock.now
        }

        var below = FileTree()
        var lower = [FilePath]()
        for (name, isBase) in [("base", true), ("later", false)] {
            let paths = String(decoding: try readFile(at: trial.appending("\(name).txt")), as: UTF8.self)
                .split(separator: "\n").map { FilePath(String($0)) }
            let sources = try paths.map { path in
                DebSource(
                    path: path, digest: Digest(hashing: try readFile(at: path)), label: path.lastComponent?.stem ?? "")
            }
            lap("digests of \(name)")
            let payloads = try sources.map { try Payload.take($0, store: store) }
            lap("unpack \(name)")
            let packages = try zip(payloads, paths).map { try LayerPackage(payload: $0, deb: $1) }
            let batches = configureBatches(packages.map(\.stanza))
            let position = Dictionary(
                batches.joined().enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
            let ordered = packages.sorted {
                position[$0.stanza.name, default: 0] < position[$1.stanza.name, default: 0]
            }
            let request = LayerRequest(
                moment: Timestamp(seconds: 1_747_699_200), architecture: "amd64", isBase: isBase, below: below,
                lower: lower, packages: ordered, configureBatches: batches, hostname: "localhost")
            let work = scratch.path.appending(name)
            try makeDirectory(at: work)
            lap("plan \(name)")
            let built = try LayerBuilder.build(
                request, in: work, output: { print("  \($0)") },
                progress: { step in
                    switch step {
                    case .configured, .preinst: break
                    default: print("\(step)")
                    }
                })
            lap("build \(name)")
            below = try request.tree(placement: built.placement, delta: try scanOverlayUpper(built.upper))
            lap("scan \(name)")
            #expect(built.placement.guarded == [])
            lower = [built.upper, built.lower] + lower
        }

        // The tree as a value is the tree that the kernel shows.
        let ours = trial.appending("ours")
        let mount = scratch.path.appending("mount")
        try makeDirectory(at: mount)
        let layers = lower.map(\.string).joined(separator: ":")
        let copied = try shell(
            """
            rm -rf '\(ours)' && unshare -m sh -c "mount -t overlay overlay -o lowerdir='\(layers)' '\(mount)' && cp -a '\(mount)' '\(ours)'"
            """)
        #expect(copied.status == 0, "\(copied.output)")
        lap("copy")
        let shown = try scanDirectory(ours, digesting: true)
        #expect(shown.nodes.count == below.nodes.count)
        for (left, right) in zip(shown.nodes, below.nodes) where !left.path.isRoot {
            var left = left
            var right = right
            if case .file(var blob, _) = left.kind {
                blob.source = .absent
                left.kind = .file(blob, linkGroup: 0)
            }
            if case .file(var blob, _) = right.kind {
                blob.source = .absent
                right.kind = .file(blob, linkGroup: 0)
            }
            #expect(left == right)
        }
        let normalized = try Normalization.normalise(
            below, moment: Timestamp(seconds: 1_747_699_200), read: { try $0.readAll() }
        ).tree
        try writeFile(try Listing.bytes(of: normalized), to: trial.appending("ours.listing"))
        let audit = try shell("chroot '\(ours)' dpkg --audit; chroot '\(ours)' dpkg --verify")
        #expect(audit.output == "")
    }
}
