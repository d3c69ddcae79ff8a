internal import Debian
internal import RootfsModel

// From the name that was asked for to the package that is meant.
extension Universe {
    /// The package a request means; a version asked for becomes the candidate of this run.
    func resolve(_ request: Request, _ candidates: inout [Int32]) throws(Failure) -> Int32 {
        if let wanted = request.architecture, wanted != architecture, wanted != "all", wanted != "native" {
            throw Failure(
                "cannot install \(request): the root file system is \(architecture)",
                hint: "packages of one architecture only can be requested")
        }
        guard let name = names.number(of: request.name), providerStarts[Int(name)] < providerStarts[Int(name) + 1]
        else { throw missing(request.name, message: "cannot find package \(request.name)") }
        if let version = try namedVersion(of: name, request) {
            candidates[Int(name)] = Int32(version)
            return name
        }
        if candidates[Int(name)] >= 0 { return name }
        if excluded.contains(name) { throw isExcluded(request.name) }
        if let hold = held[name] {
            throw Failure(
                "cannot install \(request.name): no version of it fits \(hold.description)",
                notes: versionList(of: name).map { version in
                    let source = madeFrom(version)
                    return "\(request.name) \(versionText(version)) in \(pocket(of: version)) is made from "
                        + "\(source.name) \(source.version)"
                }, hint: "take the request out, or change the pin of \(hold.pin.package)")
        }
        if firstVersion[Int(name)] >= 0 {
            throw Failure(
                "cannot install \(request.name): no version of it is a candidate",
                notes: versionList(of: name).map { version in
                    let source = sources[Int(versions[version].source)]
                    return "\(source.pocket) has \(versionText(version)) at priority \(source.priority)"
                })
        }
        return try onlyProvider(of: name, candidates)
    }

    /// The version that a request names, by its number or by its suite; nil where it names none.
    func namedVersion(of name: Int32, _ request: Request) throws(Failure) -> Int? {
        if request.version == nil && request.suite == nil { return nil }
        let offered = versionList(of: name)
        if offered.isEmpty {
            throw missing(request.name, message: "cannot find package \(request.name)", at: request.location)
        }
        let found: Int?
        if let suite = request.suite {
            let pockets = sources.map(\.pocket)
            guard pockets.contains(suite) else {
                let near = nearestName(to: suite, among: pockets)
                throw Failure(
                    "cannot install \(request): the recipe's archive has no suite `\(suite)`", at: request.location,
                    notes: ["it has \(Set(pockets).sorted().joined(separator: ", "))"],
                    hint: near.map { "did you mean \(request.name)/\($0)?" }
                        ?? "archive.pockets and archive.extra say which there are")
            }
            found = offered.filter { pocket(of: $0) == suite }.max { compare($0, $1) < 0 }
        } else {
            let wanted = DebianVersion(request.version ?? "")
            found = offered.first { DebianVersion(versionText($0)) == wanted }
        }
        guard let found else {
            throw Failure(
                "cannot find "
                    + (request.suite.map { "\(request.name) in \($0)" }
                        ?? "version \(request.version ?? "") of \(request.name)"),
                at: request.location,
                notes: offered.map { "\(pocket(of: $0)) has \(request.name) \(versionText($0))" })
        }
        if excluded.contains(name) { throw isExcluded(request.name) }
        try checkHold(of: name, at: found, for: request)
        return found
    }

    /// A virtual name stands for its provider where there is one only.
    private func onlyProvider(of name: Int32, _ candidates: [Int32]) throws(Failure) -> Int32 {
        var found = Set<Int32>()
        for index in Int(providerStarts[Int(name)])..<Int(providerStarts[Int(name) + 1]) {
            let version = providers[index].version
            let provider = versions[Int(version)].name
            if candidates[Int(provider)] == version { found.insert(provider) }
        }
        if let only = found.first, found.count == 1 { return only }
        let text = names[name]
        if found.isEmpty { throw missing(text, message: "cannot find package \(text)") }
        throw Failure(
            "cannot install \(text): it is virtual and has several providers",
            notes: found.map { "\(names[$0]) \(versionText(Int(candidates[Int($0)])))" }.sorted(),
            hint: "request one of them by its name")
    }

    func missing(_ name: String, message: String, at location: SourceLocation? = nil) -> Failure {
        let nearest = nearestName(to: name, among: candidateNames.lazy.filter { $0 != name })
        return Failure(message, at: location, hint: nearest.map { "did you mean \($0)?" })
    }

    func isExcluded(_ name: String, at location: SourceLocation? = nil) -> Failure {
        Failure(
            "cannot install \(name): the recipe excludes it", at: location,
            hint: "take \(name) out of the recipe's exclude list, or out of its packages")
    }
}
