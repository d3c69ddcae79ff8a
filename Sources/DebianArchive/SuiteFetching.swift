import Debian
import LibArchive
import RootfsModel
import Storage
import SystemPackage

extension ArchiveClient {
    /// Finds, verifies and reads suites: for each its InRelease from the first candidate that is right, and the package
    /// indexes of the wanted components.
    ///
    /// A candidate of the host's sources that fails in any way is passed over for the next; one that somebody chose
    /// is passed over only when it has no such suite. Online, each InRelease is asked for again (cheaply, where the
    /// server can say that it is unchanged) and must be valid at `now`, or at its snapshot's moment; offline, the last
    /// one that was believed counts, expired or not.
    ///
    /// - Parameter now: the present moment, seconds since 1970.
    /// - Returns: in the order of the requests.
    public mutating func fetchSuites(
        _ requests: [SuiteRequest], now: Int64, progress: (FetchProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { Task.isCancelled }
    ) throws -> [FetchedSuite] {
        let found = try findReleases(requests, now: now, isCancelled: isCancelled)
        var wanted = [WantedIndex]()
        for (position, release) in found.enumerated() {
            do throws(Failure) {
                wanted += try wantedIndexes(of: release, for: requests[position], position: position)
            } catch {
                throw requests[position].owning(error)
            }
        }
        let indexes = try fetchIndexes(wanted, progress: progress, isCancelled: isCancelled)
        return found.enumerated().map { position, release in
            FetchedSuite(
                name: requests[position].name, suite: requests[position].suite, mirrors: release.mirrors,
                release: release.release,
                inReleaseDigest: release.digest, signers: release.signers,
                indexes: zip(wanted, indexes).filter { $0.0.position == position }.map { $0.1 })
        }
    }
}

/// A believed InRelease.
struct FoundRelease {
    var url: String
    /// The mirror it is from, then those that were not tried.
    var mirrors: [String]
    var release: ReleaseFile
    /// It says that the index of an architecture holds the packages of `all` too.
    var keepsAllApart: Bool
    var digest: Digest
    var signers: [String]
}

extension ArchiveClient {
    private mutating func findReleases(_ requests: [SuiteRequest], now: Int64, isCancelled: () -> Bool) throws
        -> [FoundRelease]
    {
        let verifier = try SignatureVerifier(searching: verifierDirectories)
        var found = [FoundRelease?](repeating: nil, count: requests.count)
        var rejected = [[(candidate: MirrorCandidate, failure: Failure, isMissing: Bool)]](
            repeating: [], count: requests.count)
        // Round n tries everybody's n-th candidate, all at the same time.
        for round in 0..<(requests.map(\.candidates.count).max() ?? 0) {
            let open = requests.indices.filter { found[$0] == nil && round < requests[$0].candidates.count }
            if open.isEmpty { break }
            let texts = try releaseTexts(
                open.map { (requests[$0].suite, requests[$0].candidates[round]) }, isCancelled: isCancelled)
            for (index, text) in zip(open, texts) {
                let request = requests[index]
                let candidate = request.candidates[round]
                do {
                    let checked = try check(text, of: request, from: candidate, now: now, verifier: verifier)
                    let others = request.candidates.dropFirst(round + 1).map(\.uri)
                    found[index] = checked
                    found[index]?.mirrors = [candidate.uri] + others
                    if !isOffline, case .success(let fetched) = text {
                        try remember(fetched, from: candidate, request.suite)
                    }
                } catch let error as RejectedRelease {
                    if candidate.origin == nil && !error.isMissing { throw request.owning(error.failure) }
                    rejected[index].append((candidate, error.failure, error.isMissing))
                }
            }
        }
        var failures = [Failure]()
        var missingOffline = [String]()
        for index in requests.indices where found[index] == nil {
            if isOffline && rejected[index].allSatisfy(\.isMissing) {
                missingOffline.append(
                    "InRelease of \(requests[index].suite) (\(requests[index].candidates.map(\.uri).joined(separator: ", ")))"
                )
            } else {
                let failure = Self.rejection(of: requests[index], rejected[index].map { ($0.failure, $0.isMissing) })
                failures.append(requests[index].owning(failure))
            }
        }
        if !missingOffline.isEmpty { throw offlineFailure(missingOffline) }
        if failures.count == 1 { throw failures[0] }
        if !failures.isEmpty { throw Failures(failures) }
        return found.compactMap { $0 }
    }

    /// Why no candidate of a suite was right, as one failure.
    private static func rejection(of request: SuiteRequest, _ rejected: [(failure: Failure, isMissing: Bool)])
        -> Failure
    {
        if rejected.isEmpty { return Failure("no mirror is known for the suite \(request.suite)") }
        if rejected.allSatisfy(\.isMissing) {
            let places = request.candidates.map { $0.uri + "/dists/\(request.suite)/InRelease" }
            if let moment = request.snapshot, !request.isExtra {
                return Failure(
                    "the snapshot of \(archiveDate(moment)) lacks \(request.suite): there is no "
                        + places.joined(separator: " and no "), at: request.location,
                    hint: "take a moment that has it, or take it out of archive.pockets; the snapshot archive's "
                        + "address comes from --mirror, archive.mirror or the host's APT sources")
            }
            let near = nearestName(to: request.suite, among: Distribution.allCases.flatMap(\.knownSuites))
            return Failure(
                "unknown suite `\(request.suite)`: there is no \(places.joined(separator: " and no "))",
                hint: near.flatMap { $0 == request.suite ? nil : "did you mean `\($0)`?" }
                    ?? "check archive.suite and archive.pockets in the recipe, and that the mirror keeps this suite")
        }
        if rejected.count == 1 { return rejected[0].failure }
        return Failure(
            "none of \(rejected.count) mirrors serves the suite \(request.suite)",
            notes: rejected.map(\.failure.message), hint: rejected.compactMap(\.failure.hint).first)
    }
}

/// Why a candidate's InRelease is not taken.
private struct RejectedRelease: Error {
    var failure: Failure
    var isMissing = false
}

/// An InRelease file as it came, or as it was kept.
private struct ReleaseText {
    var bytes: [UInt8]
    /// nil where it was not fetched but kept.
    var validators: Validators?
}

extension ArchiveClient {
    private static func url(_ suite: String, at uri: String) -> String {
        location(of: "dists/\(suite)/InRelease", at: uri)
    }

    private static func recordName(_ url: String) -> String {
        "inrelease-\(Digest(hashing: url).hex)"
    }

    /// The InRelease files of these suites and mirrors, fetched together or from the store.
    private mutating func releaseTexts(_ wanted: [(suite: String, candidate: MirrorCandidate)], isCancelled: () -> Bool)
        throws
        -> [Result<ReleaseText, RejectedRelease>]
    {
        let urls = wanted.map { Self.url($0.suite, at: $0.candidate.uri) }
        let kept = urls.map { store.record(Self.recordName($0)) }
        if isOffline {
            return zip(urls, kept).map { url, bytes in
                if let bytes { return .success(ReleaseText(bytes: bytes)) }
                return .failure(RejectedRelease(failure: Failure("the store has no \(url)"), isMissing: true))
            }
        }
        let requests = wanted.indices.map { index in
            FetchRequest(
                what: "the Release file of \(wanted[index].suite)", locations: [urls[index]],
                content: .unpinned(limit: 64 << 20),
                validators: kept[index].flatMap { keptValidators(urls[index], of: $0) })
        }
        let scratch = try store.makeTemporaryDirectory("inrelease")
        let outcomes = try transport.fetch(requests, into: scratch.path, isCancelled: isCancelled)
        return try outcomes.indices.map { index in
            switch outcomes[index] {
            case .success(.file(let path, _, _, _, let validators)):
                return .success(ReleaseText(bytes: try readFile(at: path), validators: validators))
            case .success(.unchanged):
                if let bytes = kept[index] { return .success(ReleaseText(bytes: bytes)) }
                return .failure(
                    RejectedRelease(
                        failure: Failure("\(urls[index]): the server says that it is unchanged, but we have none")))
            case .failure(let failure):
                return .failure(RejectedRelease(failure: failure.failure, isMissing: failure.isMissing))
            }
        }
    }

    /// What the server said of the kept version, if it was this very text.
    private func keptValidators(_ url: String, of bytes: [UInt8]) -> Validators? {
        guard let record = store.record(Self.recordName(url) + ".validators"),
            let stanza = try? Stanza.parse(record, file: url).first,
            stanza["Digest"].flatMap({ Digest(hex: $0) }) == Digest(hashing: bytes)
        else { return nil }
        let validators = Validators(entityTag: stanza["ETag"], lastModified: stanza["Last-Modified"])
        return validators == Validators() ? nil : validators
    }

    /// Keeps a believed InRelease for the next run.
    private func remember(_ text: ReleaseText, from candidate: MirrorCandidate, _ suite: String) throws(RejectedRelease)
    {
        guard let validators = text.validators else { return }
        let name = Self.recordName(Self.url(suite, at: candidate.uri))
        var stanza = Stanza()
        stanza.set("Digest", to: Digest(hashing: text.bytes).hex)
        if let tag = validators.entityTag { stanza.set("ETag", to: tag) }
        if let date = validators.lastModified { stanza.set("Last-Modified", to: date) }
        do throws(Failure) {
            try store.setRecord(name, text.bytes)
            try store.setRecord(name + ".validators", stanza.bytes)
        } catch {
            throw RejectedRelease(failure: error)
        }
    }

    /// Believes an InRelease or says why not.
    private func check(
        _ text: Result<ReleaseText, RejectedRelease>, of request: SuiteRequest, from candidate: MirrorCandidate,
        now: Int64,
        verifier: SignatureVerifier
    ) throws -> FoundRelease {
        let bytes = try text.get().bytes
        let url = Self.url(request.suite, at: candidate.uri)
        do {
            let scratch = try store.makeTemporaryDirectory("verify")
            let keyrings = candidate.keyrings.isEmpty ? request.keyrings : candidate.keyrings
            let verified: VerifiedText
            do {
                verified = try verifier.verify(
                    bytes, name: url, keyrings: keyrings, scratch: scratch.path, now: now)
            } catch let failure as Failure {
                throw clockFailure(url, bytes, now: now, because: failure) ?? failure
            }
            let release = try ReleaseFile(parsing: verified.bytes, file: url)
            let stanza = try Stanza.parse(verified.bytes, file: url).first
            let name = request.suite.split(separator: "/").first.map(String.init) ?? request.suite
            // An archive of somebody's own may call itself nothing.
            let names = [release.suite, release.codename].filter { !request.isExtra || !$0.isEmpty }
            guard names.contains(where: { $0 == request.suite || $0 == name }) || names.isEmpty else {
                throw Failure("\(url) is of suite `\(release.suite)` (\(release.codename)), not of \(request.suite)")
            }
            if let origin = candidate.origin, release.origin != origin {
                throw Failure("\(url) is of \(release.origin), not of \(origin)")
            }
            if let moment = request.snapshot {
                try checkSnapshot(url, release, moment)
            } else if let end = release.validUntil, end < now, !isOffline {
                throw Failure(
                    "\(url) has expired: it was made \(archiveDate(release.date)) and valid until \(archiveDate(end)); "
                        + "this host's clock says \(archiveDate(now))",
                    hint:
                        "the mirror no longer follows its archive, or this host's clock is wrong; name another mirror with --mirror"
                )
            }
            let apart = stanza?["No-Support-for-Architecture-all"]?.lowercased() != "packages"
            return FoundRelease(
                url: url, mirrors: [], release: release, keepsAllApart: apart, digest: Digest(hashing: bytes),
                signers: verified.signers)
        } catch let failure as Failure {
            throw RejectedRelease(failure: failure)
        }
    }
}

/// Throws where a Release file is not one of its snapshot's moment: the clock has no say here.
private func checkSnapshot(_ url: String, _ release: ReleaseFile, _ moment: Int64) throws(Failure) {
    if release.date > moment {
        throw Failure(
            "\(url) was made \(archiveDate(release.date)), after the snapshot's moment \(archiveDate(moment))",
            hint: "the address leads to an archive as it is now, or to a later moment")
    }
    if let end = release.validUntil, end < moment {
        throw Failure(
            "\(url) had expired at the snapshot's moment \(archiveDate(moment)): it was made "
                + "\(archiveDate(release.date)) and valid until \(archiveDate(end))",
            hint: "the snapshot archive has nothing newer of that moment; take another archive.snapshot")
    }
}

/// What is really wrong where a signature is refused and the file says that it is of the future: no signature is
/// believed that is older than its key by the host's clock. nil where that is not so. The date is not verified: it
/// decides only between two refusals.
private func clockFailure(_ url: String, _ inRelease: [UInt8], now: Int64, because cause: Failure) -> Failure? {
    let line = inRelease.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Date:".utf8) }
    guard let line, let date = parseArchiveDate(String(decoding: line.dropFirst(5), as: UTF8.self)),
        date > now + 86_400
    else { return nil }
    return Failure(
        "the signature of \(url) cannot be checked: it says that it was made \(archiveDate(date)), and this host's clock "
            + "says \(archiveDate(now))", notes: [cause.message], hint: SuiteRequest.clockHint)
}
