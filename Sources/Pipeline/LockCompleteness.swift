internal import Debian
internal import RootfsModel
internal import Solving
internal import SystemPackage

/// Whether a lock has all that its packages need. A resolved one has; one that somebody edited may lack something,
/// which dpkg would say much later and in other words.
struct LockCompleteness {
    let lock: Lock
    let places: LockPlaces
    private var packages = PackageSet()

    init(of lock: Lock, at path: FilePath, recipePath: String) {
        self.lock = lock
        places = LockPlaces(path: path, recipePath: recipePath)
    }

    /// Adds one more layer. Throws for each of its packages that depends on what neither it nor the layers below have.
    mutating func add(_ layer: [PackageStanza]) throws {
        for package in layer { packages.add(package) }
        let failures = layer.sorted { $0.name < $1.name }.flatMap { package in
            packages.unsatisfied(of: package).map { group in
                places.failure(
                    "\(package.name) \(package.version) depends on \(group), which the lock does not have",
                    at: "Package", where: { $0["Package"] == package.name && $0["Layer"] != nil })
            }
        }
        if !failures.isEmpty { throw Failures(failures) }
    }

    /// Throws where a layer's request has come to nothing. All layers are added before.
    func checkRequests() throws {
        var failures = [Failure]()
        for set in lock.requests {
            guard case .layer(let layer) = set.purpose else { continue }
            for request in try set.requests() where !isThere(request) {
                failures.append(
                    places.failure(
                        "the layer \(layer) asks for \(request), which the lock does not have",
                        at: "Request", where: { $0["Request"] != nil && $0["Layer"] == layer }))
            }
        }
        if !failures.isEmpty { throw Failures(failures) }
    }

    /// A package, or one that provides it. Of which suite it is, only the archives know.
    private func isThere(_ request: Request) -> Bool {
        let relation =
            request.version.map { Relation(request.name, .equal, DebianVersion($0)) } ?? Relation(request.name)
        return packages.satisfier(of: relation) != nil
    }
}
