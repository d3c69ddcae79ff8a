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
        if let wanted = request.version {
            let offered = versionList(of: name)
            guard let version = offered.first(where: { DebianVersion(versionText($0)) == DebianVersion(wanted) }) else {
                if offered.isEmpty { throw missing(request.name, message: "cannot find package \(request.name)") }
                throw Failure(
                    "cannot find version \(wanted) of \(request.name)",
                    notes: offered.map { "the archive has \(request.name) \(versionText($0))" })
            }
            guard !excluded.contains(name) else { throw isExcluded(request.name) }
            candidates[Int(name)] = Int32(version)
            return name
        }
        if candidates[Int(name)] >= 0 { return name }
        if excluded.contains(name) { throw isExcluded(request.name) }
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

    func missing(_ name: String, message: String) -> Failure {
        let nearest = nearestName(to: name, among: candidateNames.lazy.filter { $0 != name })
        return Failure(message, hint: nearest.map { "did you mean \($0)?" })
    }

    private func isExcluded(_ name: String) -> Failure {
        Failure(
            "cannot install \(name): the recipe excludes it",
            hint: "take \(name) out of the recipe's exclude list, or out of its packages")
    }
}
