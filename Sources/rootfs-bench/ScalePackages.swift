import ArchiveFixture
import ArgumentParser
import Debian
import Dpkg
import FoundationEssentials
import RootfsModel
import Solving
import Storage
import SystemPackage

/// The steps of an archive of so many packages, in a process of their own: index, solving, unpacking, placing.
struct ScalePackages: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale-packages", abstract: "Run the steps of an archive of one size and print them as JSON.",
        shouldDisplay: false)

    @Option var packages: Int
    @Option var work: String
    @Option var jobs = 2

    func run() async throws {
        let directory = FilePath(work)
        var steps = Steps()
        let (text, debs) = try steps.run("generate") { try write(to: directory.appending("pool")) }
        let index = try steps.run("index: read") { try PackageIndex(parsing: text, file: "Packages") }
        let universe = try steps.run("index: load") {
            try Universe(architecture: "amd64", sources: [Universe.Source(pocket: "generated", index: index)])
        }
        let requests = [LayerRequests(layer: LayerRequests.base, requests: [Request(Self.name(packages - 1))])]
        let solution = try steps.run("solve") { try universe.solve(requests) }
        guard solution.packages.count == packages else { throw Failure("the solution lacks packages") }
        _ = steps.run("order") { configureBatches(solution.packages.map(\.stanza)) }
        let lock = Lock(
            recipe: "generated", architecture: "amd64", moment: 1_700_000_000,
            archives: [
                Lock.Archive(
                    name: "generated", origin: "generated", suite: "generated", codename: "generated",
                    components: ["main"], inRelease: Digest(hashing: text), date: 1_700_000_000)
            ], requests: [],
            packages: try solution.packages.map { (package) throws(Failure) in
                try Lock.Package(package.stanza, pocket: package.pocket, purpose: .layer(package.layer))
            })
        try steps.run("lock: write and read") {
            guard try Lock(parsing: Array(lock.text.utf8), file: "lock") == lock else {
                throw Failure("the lock changed")
            }
        }
        let store = try Store(at: directory.appending("store"))
        let payloads = try await steps.run("unpack") {
            try await unpack(debs, store)
        }
        let members = try steps.run("payloads: read") {
            try zip(payloads, debs).map { try LayerPackage(payload: $0, deb: $1.path) }
        }
        let placement = try steps.run("place") {
            try Placement(members, on: FileTree(), moment: Timestamp(seconds: 1_700_000_000))
        }
        let tree = try steps.run("tree") { try FileTree().applying(placement.change) }
        guard tree.nodes.count > packages else { throw Failure("the tree lacks files") }
        try steps.run("lower directory") {
            try placement.makeLowerDirectory(of: members, at: directory.appending("lower"))
        }
        print(String(decoding: try JSONEncoder().encode(steps.all), as: UTF8.self))
    }

    private func unpack(_ debs: [DebSource], _ store: Store) async throws -> [Payload] {
        try await withThrowingTaskGroup(of: (Int, Payload).self) { group in
            var payloads = [Payload?](repeating: nil, count: debs.count)
            for (index, deb) in debs.enumerated() {
                if index >= jobs, let (done, payload) = try await group.next() { payloads[done] = payload }
                group.addTask { (index, try Payload.take(deb, store: store)) }
            }
            for try await (done, payload) in group { payloads[done] = payload }
            return payloads.compactMap { $0 }
        }
    }

    private static func name(_ number: Int) -> String { "generated-\(number)" }

    /// Every package needs the one before it, one further back and a virtual package of every hundredth, conflicts with
    /// one that is not there, has three files and a trigger.
    private func write(to pool: FilePath) throws -> (index: [UInt8], debs: [DebSource]) {
        try makeDirectory(at: pool)
        var text = [UInt8]()
        var debs = [DebSource]()
        for number in 0..<packages {
            let name = Self.name(number)
            var fields = ["Conflicts": "absent-\(number)"]
            if number > 0 {
                fields["Depends"] =
                    "\(Self.name(number - 1)) (>= 1.0), \(Self.name(number / 2)), virtual-\(number / 100 * 100)"
            }
            if number % 100 == 0 { fields["Provides"] = "virtual-\(number)" }
            var package = FixturePackage(
                name, architecture: "amd64", fields: fields,
                files: [
                    .file("usr/share/doc/\(name)/copyright", "none\n"),
                    .file("usr/lib/generated/\(name).so", "library \(number)\n"),
                    .link("usr/lib/generated/\(name).so.1", to: "\(name).so"),
                ], triggers: "interest-noawait /usr/share/trigger-\(number)\n")
            package.compression = .gzip
            let deb = try package.deb()
            let path = pool.appending("\(name).deb")
            try writeFile(deb, to: path)
            let digest = Digest(hashing: deb)
            debs.append(DebSource(path: path, digest: digest, label: name))
            var stanza = package.control
            stanza.set("Filename", to: "pool/\(name).deb")
            stanza.set("Size", to: "\(deb.count)")
            stanza.set("SHA256", to: digest.hex)
            text += stanza.bytes + [10]
        }
        return (text, debs)
    }
}
