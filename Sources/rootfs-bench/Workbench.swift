import Debian
import FoundationEssentials
import Glibc
import Kernels
import RootfsModel
import Storage
import SystemPackage

/// A directory with all that the rounds need: the recipe and one with a late package more, both with locks, a store
/// with every .deb, the same .debs as an archive for the peers, a kernel.
struct Workbench {
    let directory: FilePath
    let lock: Lock
    private let program: String
    private let peer: Peer
    private let overlayFile: FilePath
    private let kernel: KernelInput

    private var repository: FilePath { directory.appending("repository") }
    private var store: FilePath { directory.appending("store") }
    private var outputs: FilePath { directory.appending("outputs") }
    private var tree: FilePath { directory.appending("mmdebstrap") }
    private var apt: FilePath { directory.appending("apt") }
    private static let recipe = "recipes/bench.manifest"
    private static let lateRecipe = "recipes/late.manifest"

    /// What the kernel's extraction begins with.
    private struct KernelInput {
        /// The bzImage, and the compressed stream alone.
        var image: FilePath
        var stream: FilePath
        var offset: Int
        /// The program that decompresses.
        var decompressor: String
    }

    /// Fetches what is missing and builds everything once.
    init(at directory: FilePath, program: FilePath, recipe: FilePath, late: String, store: FilePath) throws {
        self.directory = directory
        self.program = program.string
        let repository = directory.appending("repository")
        try makeDirectory(at: repository.appending("recipes"))
        let top = recipe.removingLastComponent().removingLastComponent()
        for name in ["overlays", "kernels"] where exists(top.appending(name)) {
            _ = try run(["cp", "-a", top.appending(name).string, repository.string])
        }
        // What its layers run.
        let scripts = recipe.removingLastComponent().appending("scripts")
        if exists(scripts) { _ = try run(["cp", "-a", scripts.string, repository.appending("recipes").string]) }
        let text = String(decoding: try readFile(at: recipe), as: UTF8.self)
        try writeFile(Array(text.utf8), to: repository.appending("recipes/bench.manifest"))
        try writeFile(
            Array(try Self.adding(late, to: text).utf8), to: repository.appending("recipes/late.manifest"))
        overlayFile = repository.appending("overlays/supervisor/usr/lib/bench-changed")

        let own = directory.appending("store")
        try seedStore(from: store, at: own)
        note("locking and building both recipes once")
        for recipe in [Self.recipe, Self.lateRecipe] {
            for arguments in [["lock", recipe, "--update"], [recipe, "-o", directory.appending("first").string]] {
                _ = try run([program.string] + arguments + ["--cache", own.string], in: repository)
            }
        }
        let lockFile = repository.appending("recipes/bench.lock")
        lock = try Lock(parsing: try readFile(at: lockFile), file: lockFile.string)
        note("making an archive of the \(lock.packages.count) packages for the peers")
        peer = try Peer(lock, from: own, at: directory.appending("archive"))
        kernel = try Self.kernelInput(directory.appending("archive"), directory)
        try prepareApt()
    }

    /// The recipe with one package more in its last layer.
    static func adding(_ package: String, to recipe: String) throws -> String {
        var lines = recipe.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // The Node package is a layer of its own, the last one, unless a layer has it.
        guard let node = lines.firstIndex(where: { $0 == "node:" }),
            let name = lines[lines.index(after: node)...].first.map({ $0.split(separator: ":") }),
            name.first == "  package", name.count == 2, let layers = lines.firstIndex(where: { $0 == "layers:" }),
            let end = lines[lines.index(after: layers)...].firstIndex(where: { !$0.isEmpty && !$0.hasPrefix(" ") })
        else {
            throw Failure("the recipe has no `node: package:` after its layers, so there is no last layer to change")
        }
        lines.insert("  - {name: node, packages: [\(name[1].drop { $0 == " " }), \(package)]}", at: end)
        return lines.joined(separator: "\n")
    }

    private static func kernelInput(_ archive: FilePath, _ directory: FilePath) throws -> KernelInput {
        let image = directory.appending("bzImage")
        _ = try run([
            "sh", "-c",
            "dpkg-deb --fsys-tarfile \(archive)/linux-image-*.deb | tar -xO --wildcards './boot/vmlinuz-*' > \(image)",
        ])
        let bytes = try readFile(at: image)
        let bzImage = try BzImage(bytes)
        let programs: [PayloadCompression: String] = [
            .gzip: "gzip", .bzip2: "bzip2", .xz: "xz", .lzma: "xz", .lz4: "lz4", .zstd: "zstd", .lzo: "lzop",
        ]
        let stream = directory.appending("stream")
        // Without the size that the kernel's build appends; gzip has it as its own.
        let end = bzImage.payload.upperBound - (bzImage.compression == .gzip ? 0 : 4)
        try writeFile(Array(bytes[bzImage.payload.lowerBound..<end]), to: stream)
        return KernelInput(
            image: image, stream: stream, offset: bzImage.payload.lowerBound,
            decompressor: programs[bzImage.compression] ?? "xz")
    }

    /// APT with lists and caches of its own, and no package installed.
    private func prepareApt() throws {
        for name in ["state/lists/partial", "cache/archives/partial"] {
            try makeDirectory(at: apt.appending(FilePath(name).components))
        }
        try writeFile([], to: apt.appending("status"))
        _ = try run(["apt-get"] + aptOptions + ["-qq", "update"])
        // APT's own caches are there, too, as they are after an update.
        _ = try run(["apt-get"] + aptOptions + ["-qq", "--print-uris", "install"] + peer.requests)
    }

    private var aptOptions: [String] {
        [
            "-o", "Dir::State=\(apt)/state", "-o", "Dir::State::status=\(apt)/status", "-o", "Dir::Cache=\(apt)/cache",
            "-o", "Debug::NoLocking=1", "-o", "APT::Install-Recommends=0",
        ]
    }

    // MARK: one round

    /// Runs everything once, ours and the peers' in turn, each from the same state as in every round.
    func measure(into results: inout Results) throws {
        try forget("payloads", "layers", "trees")
        let cold = try build(Self.recipe, Results.cold, &results, watchingMemory: true)
        results.add(Results.memory, Double(cold.ownPeak) / 1_048_576)
        results.add(Results.children, Double(cold.childPeak) / 1_048_576)
        try measurePeer(&results)
        _ = try build(Self.recipe, Results.unchanged, &results, keepingOutputs: true)
        try writeFile(Array("changed\n".utf8), to: overlayFile)
        _ = try build(Self.recipe, Results.overlay, &results, keepingOutputs: true)
        try removeTree(at: overlayFile)
        _ = try build(Self.lateRecipe, Results.late, &results, keepingOutputs: true)
        try checkOneLayerWasMade()
        try measureWriting(&results)
        try forget("layers", "trees")
        _ = try build(Self.recipe, Results.unpacked, &results)
        try measureKernel(&results)
        try measureSolving(&results)
    }

    private func forget(_ shelves: String...) throws {
        for shelf in shelves { try removeTree(at: store.appending(shelf)) }
    }

    private func build(
        _ recipe: String, _ name: String, _ results: inout Results, keepingOutputs: Bool = false,
        watchingMemory: Bool = false
    ) throws -> Run {
        if !keepingOutputs { try removeTree(at: outputs) }
        let ended = try timed(
            name, [program, recipe, "--offline", "--cache", store.string, "-o", outputs.string, "--quiet"],
            in: repository, watchingMemory: watchingMemory)
        results.add(name, ended.seconds)
        let hash = String(decoding: ended.output.prefix { $0 != 32 }, as: UTF8.self)
        guard results.isSame(name, hash) else { throw Failure("\(name) gave another image than before: \(hash)") }
        return ended
    }

    /// Throws unless the last build made its last layer and took all others from the store: else what was measured was
    /// not a late change.
    private func checkOneLayerWasMade() throws {
        struct Build: Decodable {
            struct Layer: Decodable { var fresh: Bool }
            var layers: [Layer]
        }
        let record = try readFile(at: outputs.appending("build.json"))
        let layers = try JSONDecoder().decode(Build.self, from: Data(record)).layers
        guard layers.last?.fresh == false, layers.dropLast().allSatisfy(\.fresh) else {
            throw Failure(
                "the late package did not make exactly the last layer anew: the archive moved between the locks")
        }
    }

    private func measurePeer(_ results: inout Results) throws {
        try removeTree(at: tree)
        let made = try timed(
            "mmdebstrap", peer.command(variant: "apt", installing: peer.requests + ["usr-is-merged"], into: tree))
        results.add(Results.peerMemory, Double(made.familyPeak) / 1_048_576)
        let written = try writeByMke2fs()
        results.add(Results.mke2fs, written.seconds)
        results.add(Results.mke2fsMemory, Double(written.familyPeak) / 1_048_576)
        results.add(Results.bootstrap, made.seconds + written.seconds)
    }

    /// mke2fs must be told a size: that of our image of the same packages.
    private func writeByMke2fs() throws -> Run {
        let image = directory.appending("peer.ext4")
        try removeTree(at: image)
        _ = try run(["truncate", "-s", "1800M", image.string])
        defer { try? removeTree(at: image) }
        return try timed(Results.mke2fs, ["mke2fs", "-q", "-t", "ext4", "-d", tree.string, image.string])
    }

    /// Our writing of the peer's tree, and a copy of what it wrote.
    private func measureWriting(_ results: inout Results) throws {
        let image = directory.appending("ours.ext4")
        let copy = directory.appending("copy.ext4")
        for (name, flag) in [(Results.write, "--digest"), (Results.plainWrite, "--no-digest")] {
            try removeTree(at: image)
            try prepare()
            let ended = try run([
                try thisProgram(), "write-tree", flag, "--tree", tree.string, "--image", image.string,
            ])
            let step = try JSONDecoder().decode(Step.self, from: Data(ended.output))
            note("  \(name): \(fixed(step.seconds, 2)) s")
            results.add(name, step.seconds)
            if flag == "--digest" { results.add(Results.writeMemory, Double(step.peak) / 1_048_576) }
        }
        results.add(
            Results.copy, try timed(Results.copy, ["cp", "--reflink=never", image.string, copy.string]).seconds)
        for path in [image, copy] { try removeTree(at: path) }
    }

    /// How much of the image is other than before at the same place when little changes; `update` names a package.
    func measureVersions(updating update: String, into results: inout Results) throws {
        try buildFirst()
        let blocks = VersionBlocks(
            program: program, repository: repository, store: store,
            before: outputs.appending("\(lock.recipe).ext4"), lock: lock, work: directory)
        for change in [try blocks.newFile(), try blocks.removedFile(), try blocks.updatedPackage(update)] {
            results.add(change)
        }
    }

    /// How long the difference of two versions takes to tell, so many times; `updates` names the packages that one of them
    /// has newer.
    func measureDiff(updating updates: [String], rounds: Int, into results: inout Results) throws {
        try buildFirst()
        let update = try PackageUpdate(of: updates, in: lock, repository: repository, store: store, work: directory)
        let updated = directory.appending("updated")
        try removeTree(at: updated)
        defer { try? removeTree(at: updated) }
        _ = try run(
            [program, update.recipe, "--offline", "--cache", store.string, "-o", updated.string, "--quiet"]
                + update.options, in: repository)
        let diff = VersionDiff(
            program: program, old: outputs, new: updated, image: "\(lock.recipe).ext4", work: directory,
            prepare: prepare)
        try diff.measure(rounds: rounds, into: &results)
    }

    /// The recipe's outputs, as the versions are compared with them.
    private func buildFirst() throws {
        try removeTree(at: outputs)
        _ = try run(
            [program, Self.recipe, "--offline", "--cache", store.string, "-o", outputs.string, "--quiet"],
            in: repository)
    }

    private func measureKernel(_ results: inout Results) throws {
        let (ours, peer) = (directory.appending("vmlinux"), directory.appending("vmlinux.peer"))
        results.add(
            Results.kernel,
            try timed(
                Results.kernel, [program, "kernel", "extract", kernel.image.string, "-o", ours.string, "--quiet"]
            )
            .seconds)
        // What scripts/extract-vmlinux of the kernel does: foreign bytes stand behind the stream, which is an error.
        let pipe = "tail -c+\(kernel.offset + 1) \(kernel.image) | \(kernel.decompressor) -dc > \(peer) 2>/dev/null"
        results.add(Results.pipe, try timed(Results.pipe, ["sh", "-c", "\(pipe) || true"]).seconds)
        _ = try run(["cmp", ours.string, peer.string])
        let bare = "\(kernel.decompressor) -dc < \(kernel.stream) > \(peer)"
        results.add(Results.bare, try timed(Results.bare, ["sh", "-c", bare]).seconds)
    }

    private func measureSolving(_ results: inout Results) throws {
        results.add(
            Results.solve,
            try timed(
                Results.solve,
                [program, "lock", Self.recipe, "--update", "--offline", "--cache", store.string, "--quiet"],
                in: repository
            ).seconds)
        results.add(
            Results.apt,
            try timed(Results.apt, ["apt-get"] + aptOptions + ["-qq", "--print-uris", "install"] + peer.requests)
                .seconds)
    }

    private func timed(
        _ name: String, _ arguments: [String], in directory: FilePath? = nil, watchingMemory: Bool = false
    ) throws -> Run {
        try prepare()
        let ended = try run(arguments, in: directory, watchingMemory: watchingMemory)
        note("  \(name): \(fixed(ended.seconds, 2)) s")
        return ended
    }

    /// What was written before is on the disk, so that nobody waits for another's writing. And there is memory that was
    /// used before: on a virtual machine memory of its own that it uses for the first time may have to be had from the
    /// host, which would be laid to whoever comes first.
    private func prepare() throws {
        let path = directory.appending("memory")
        _ = try run(["dd", "if=/dev/zero", "of=\(path)", "bs=1M", "count=3072", "status=none"])
        sync()
        try removeTree(at: path)
    }
}
