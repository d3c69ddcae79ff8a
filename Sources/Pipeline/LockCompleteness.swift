internal import Debian
internal import RootfsModel
internal import Solving
internal import Storage
internal import SystemPackage

/// Whether a lock has all that its packages need. A resolved one has; one that somebody edited may lack something,
/// which dpkg would say much later and in other words.
struct LockCompleteness {
    let lock: Lock
    let path: FilePath
    let recipePath: String
    private var packages = PackageSet()

    init(of lock: Lock, at path: FilePath, recipePath: String) {
        self.lock = lock
        self.path = path
        self.recipePath = recipePath
    }

    /// Adds one more layer. Throws for each of its packages that depends on what neither it nor the layers below have.
    mutating func add(_ layer: [PackageStanza]) throws {
        for package in layer { packages.add(package) }
        let failures = layer.sorted { $0.name < $1.name }.flatMap { package in
            packages.unsatisfied(of: package).map { group in
                failure(
                    "\(package.name) \(package.version) depends on \(group), which the lock does not have",
                    at: "Package: \(package.name)")
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
                    failure(
                        "the layer \(layer) asks for \(request), which the lock does not have",
                        at: "Request: \(set.names.joined(separator: ", "))"))
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

    private func failure(_ message: String, at line: String) -> Failure {
        Failure(
            message, at: place(of: line),
            hint: "take back what was edited, or run rootfs-build lock --update \(recipePath)")
    }

    private func place(of line: String) -> SourceLocation? {
        guard let bytes = try? readFile(at: path) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let index = lines.firstIndex(where: { $0 == line }) else { return nil }
        return SourceLocation(file: path.string, line: index + 1, column: 1, length: line.count, text: line)
    }
}
