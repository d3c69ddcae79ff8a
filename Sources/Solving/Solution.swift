public import Debian
internal import RootfsModel

/// What the requests became.
public struct Solution: Sendable {
    public struct Package: Sendable {
        public var stanza: PackageStanza
        /// The pocket of the index it comes from.
        public var pocket: String
        /// The layer that it belongs to.
        public var layer: String
    }

    /// Sorted by name.
    public var packages: [Package]

    /// The packages of one layer, sorted by name.
    public func packages(in layer: String) -> [PackageStanza] {
        packages.filter { $0.layer == layer }.map(\.stanza)
    }
}

extension Universe {
    /// The packages that every root file system gets: those whose candidate is Essential or of priority required, and
    /// apt itself where it is wanted. Sorted by name.
    public func baseRequests(withApt: Bool = true) -> [Request] {
        var result = [String]()
        for name in candidates.indices where candidates[name] >= 0 {
            let version = versions[Int(candidates[name])]
            if version.isEssential || version.rank == 1 { result.append(names[Int32(name)]) }
        }
        if withApt, let apt = names.number(of: "apt"), candidates[Int(apt)] >= 0, !result.contains("apt") {
            result.append("apt")
        }
        return result.sorted().map { Request($0) }
    }

    /// Solves the requests of all layers, the base set first, as one request. Every mistake in a request is reported
    /// at once (`Failures`); a request that cannot be satisfied is a Failure whose notes are the chain of reasons.
    ///
    /// `present` names packages of an earlier solution: as with those that are installed, no other is chosen in their
    /// place, and what nothing needs any more goes.
    public func solve(_ layers: [LayerRequests], present: [String] = []) throws -> Solution {
        var candidates = self.candidates
        var mistakes = [Failure]()
        var packages = [[Int32]]()
        // What is asked for in a version or from a suite of its own.
        var named = [Int32: Request]()
        for layer in layers {
            var numbers = [Int32]()
            for request in layer.requests {
                do throws(Failure) {
                    let before = candidates
                    let number = try resolve(request, &candidates)
                    if let other = named[number], before[Int(number)] != candidates[Int(number)] {
                        throw Failure("cannot install \(request): \(other) is asked for too")
                    }
                    if request.version != nil || request.suite != nil { named[number] = request }
                    numbers.append(number)
                } catch {
                    var mistake = error
                    mistake.location = mistake.location ?? request.location
                    mistakes.append(mistake)
                }
            }
            packages.append(numbers)
        }
        if mistakes.count == 1 { throw mistakes[0] }
        if !mistakes.isEmpty { throw Failures(mistakes) }

        var seen = Set<Int32>()
        let fixed = Set(named.keys)
        for name in fixed.sorted() {
            guard let suite = named[name]?.suite else { continue }
            follow(suite, from: name, &candidates, fixed: fixed)
        }
        let requests = packages.joined().filter { seen.insert($0).inserted }
        var solver = Solver(self, candidates: candidates)
        let isThere = present.compactMap { names.number(of: $0) }.filter { candidates[Int($0)] >= 0 }
        if let failed = solver.run(requests, present: isThere) ?? solver.firstViolation() {
            let isBase = zip(layers, packages).filter { $0.0.layer == LayerRequests.base }.flatMap(\.1)
            let isAsked = zip(layers, packages).filter { $0.0.layer != LayerRequests.base }.flatMap(\.1)
            var writer = ReasonWriter(self, candidates: candidates, base: Set(isBase).subtracting(isAsked))
            let explanation = Explanation(self, candidates: candidates, requests: requests)
            guard let contradiction = explanation.contradiction else { throw writer.failure(solver, failed) }
            throw writer.failure(explanation, contradiction)
        }
        let kept = solver.kept(requests)
        let layerOf = attribute(kept, layers: packages, candidates: candidates)
        return Solution(
            packages: try kept.map { name in
                let version = Int(candidates[Int(name)])
                return Solution.Package(
                    stanza: try stanza(of: version), pocket: sources[Int(versions[version].source)].pocket,
                    layer: layerOf[Int(name)] >= 0 ? layers[layerOf[Int(name)]].layer : LayerRequests.base)
            }.sorted { $0.stanza.name < $1.stanza.name })
    }
}
