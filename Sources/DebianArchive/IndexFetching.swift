import Debian
import LibArchive
import RootfsModel
import Storage
import SystemPackage

/// A package index that InRelease lists, in the forms it lists.
struct WantedIndex {
    struct Variant {
        /// Below the suite's directory.
        var path: String
        var file: ReleaseFile.File
        var compression: Compression
    }

    /// Of the suite's request.
    var position: Int
    var component: String
    var architecture: String
    /// The suite's directory.
    var base: String
    var directory: String
    var hasByHash: Bool
    /// What InRelease says of the text itself; nil where it lists compressed forms alone.
    var text: ReleaseFile.File?
    /// The best first.
    var variants: [Variant]

    /// Its URL without a compression.
    var name: String { location(of: directory + "/Packages", at: base) }

    /// By-hash first: it cannot change under our feet while the mirror is updated.
    func locations(of variant: Variant) -> [String] {
        let plain = location(of: variant.path, at: base)
        return hasByHash
            ? [location(of: "\(directory)/by-hash/SHA256/\(variant.file.digest.hex)", at: base), plain] : [plain]
    }
}

extension ArchiveClient {
    /// The indexes of the wanted components, in their order. Fails on a component or architecture that the suite
    /// does not have.
    func wantedIndexes(of found: FoundRelease, for request: SuiteRequest, position: Int) throws(Failure)
        -> [WantedIndex]
    {
        let release = found.release
        guard release.architectures.contains(request.architecture) else {
            throw Failure(
                "the archive \(found.mirrors[0]) has no architecture `\(request.architecture)` in \(request.suite): it has "
                    + release.architectures.joined(separator: ", "),
                hint: nearestName(to: request.architecture, among: release.architectures).map {
                    "did you mean `\($0)`?"
                })
        }
        var result = [WantedIndex]()
        for component in request.components {
            guard release.components.contains(component) else {
                throw Failure(
                    "the archive \(found.mirrors[0]) has no component `\(component)` in \(request.suite): it has "
                        + release.components.joined(separator: ", "),
                    hint: nearestName(to: component, among: release.components).map { "did you mean `\($0)`?" })
            }
            var architectures = [request.architecture]
            if release.architectures.contains("all") && found.keepsAllApart { architectures.append("all") }
            for architecture in architectures {
                let directory = "\(component)/binary-\(architecture)"
                let path = directory + "/Packages"
                let forms: [(String, Compression)] = [(".xz", .xz), (".gz", .gzip), ("", .none)]
                let variants = forms.compactMap { suffix, compression in
                    release.files[path + suffix].map {
                        WantedIndex.Variant(path: path + suffix, file: $0, compression: compression)
                    }
                }
                if variants.isEmpty {
                    if architecture == "all" { continue }
                    throw Failure("\(found.url) lists no index \(path)")
                }
                result.append(
                    WantedIndex(
                        position: position, component: component, architecture: architecture,
                        base: location(of: "dists/\(request.suite)", at: found.mirrors[0]), directory: directory,
                        hasByHash: release.acquireByHash, text: release.files[path], variants: variants))
            }
        }
        return result
    }

    /// The texts of these indexes, from the store or fetched, in their order.
    mutating func fetchIndexes(
        _ wanted: [WantedIndex], progress: (FetchProgress) -> Void, isCancelled: () -> Bool
    ) throws -> [FetchedIndex] {
        var found = try wanted.map { index throws(Failure) in try keptText(of: index) }
        if isOffline {
            let missing = wanted.indices.filter { found[$0] == nil }.map { wanted[$0].name }
            if !missing.isEmpty { throw offlineFailure(missing) }
        }
        // A form that the mirror does not have after all gives way to the next.
        var failures = [Int: FetchFailure]()
        for round in 0..<3 {
            let open = wanted.indices.filter { found[$0] == nil && round < wanted[$0].variants.count }
            if open.isEmpty { break }
            let requests = open.map { index in
                let variant = wanted[index].variants[round]
                return FetchRequest(
                    what: "the package index of \(wanted[index].component)",
                    locations: wanted[index].locations(of: variant),
                    content: .pinned(variant.file.digest, size: variant.file.size))
            }
            let scratch = try store.makeTemporaryDirectory("index")
            let store = store
            let outcomes = try transport.fetch(
                requests, into: scratch.path, progress: progress, isCancelled: isCancelled
            ) {
                number, arrival in
                guard case .file(let path, _, _, _, _) = arrival else { return }
                let index = open[number]
                let digest = try Self.keepText(
                    of: wanted[index], wanted[index].variants[round], compressed: path,
                    temporary: scratch.path.appending("text-\(number)"), in: store)
                found[index] = store.file(digest).map { (digest, $0) }
            }
            for (index, outcome) in zip(open, outcomes) {
                if case .failure(let failure) = outcome {
                    if !failure.isMissing { throw failure.failure }
                    failures[index] = failure
                }
            }
        }
        return try wanted.indices.map { index in
            guard let (digest, path) = found[index] else {
                throw failures[index]?.failure ?? Failure("cannot fetch \(wanted[index].name)")
            }
            return FetchedIndex(
                component: wanted[index].component, architecture: wanted[index].architecture, digest: digest,
                path: path,
                name: wanted[index].name)
        }
    }

    /// Where InRelease does not list the text itself, a record says what a compressed form held.
    private static func recordName(_ compressed: Digest) -> String { "index-\(compressed.hex)" }

    private func keptText(of wanted: WantedIndex) throws(Failure) -> (Digest, FilePath)? {
        var digests = [Digest]()
        if let text = wanted.text { digests.append(text.digest) }
        for variant in wanted.variants where wanted.text == nil {
            if let record = store.record(Self.recordName(variant.file.digest)),
                let digest = Digest(hex: String(decoding: record, as: UTF8.self))
            {
                digests.append(digest)
            }
        }
        for digest in digests {
            if let path = try store.intactFile(digest) {
                store.noteUse(files: [digest], payloads: [], layers: [], trees: [])
                return (digest, path)
            }
        }
        return nil
    }

    /// Decompresses a verified index into the store.
    private static func keepText(
        of wanted: WantedIndex, _ variant: WantedIndex.Variant, compressed: FilePath, temporary: FilePath,
        in store: Store
    ) throws(Failure) -> Digest {
        let name = location(of: variant.path, at: wanted.base)
        var hasher = DigestHasher()
        do {
            let file = try OpenFile(creating: temporary)
            // Longer than a package index can be read.
            let limit = wanted.text.flatMap { Int(exactly: $0.size) } ?? Int(UInt32.max)
            try decompress(try readFile(at: compressed), as: variant.compression, name: name, limit: limit) {
                (chunk) throws(Failure) in
                hasher.update(chunk)
                try writeAll(chunk, to: file.descriptor, path: temporary)
            }
        }
        let digest = hasher.finalized()
        if let text = wanted.text, text.digest != digest {
            throw Failure(
                "\(name) does not hold what InRelease says: its text has digest \(digest), not \(text.digest)")
        }
        try store.keep(fileAt: temporary, as: digest)
        if wanted.text == nil { try store.setRecord(recordName(variant.file.digest), digest.hexBytes) }
        return digest
    }
}
