internal import Debian
public import RootfsModel

/// A package that is to stay what it is.
public struct HeldPackage: Hashable, Sendable {
    public var name: String
    public var version: String
    public var sha256: Digest

    public init(name: String, version: String, sha256: Digest) {
        self.name = name
        self.version = version
        self.sha256 = sha256
    }
}

// Moving a few packages of a solution, and of the others only what they force.
extension Universe {
    /// Whether an index has this very package.
    public func has(_ package: HeldPackage) throws(Failure) -> Bool { try number(of: package) != nil }

    /// Makes the held packages the candidates, but for those that have to move after all: what a package that moves
    /// cannot do with, and what cannot do with it. Gives why, by name, of each whose candidate is another one now.
    ///
    /// - Parameters:
    ///   - moving: packages of the same solution that may move.
    ///   - requests: a version asked for counts more than a held one.
    public mutating func hold(_ held: [HeldPackage], moving: [String], requests: [Request]) throws(Failure)
        -> [String: String]
    {
        var holding = Holding(free: candidates)
        for package in held {
            guard let name = names.number(of: package.name) else { continue }
            holding.add(name)
            guard let version = try number(of: package), !excluded.contains(name) else { continue }
            let asked = requests.first { $0.name == package.name && $0.version != nil }?.version
            if let asked, DebianVersion(asked) != DebianVersion(package.version) { continue }
            holding.candidates[Int(name)] = Int32(version)
            holding.isHeld.insert(name)
        }
        for name in moving + requests.map(\.name) { names.number(of: name).map { holding.add($0) } }
        while releaseOne(&holding) {}
        candidates = holding.candidates
        return holding.because
    }

    /// What is held, and what is looked at: it grows by what new versions ask for.
    private struct Holding {
        /// The candidates if nothing was held.
        let free: [Int32]
        var candidates: [Int32]
        var isHeld = Set<Int32>()
        var because: [String: String] = [:]
        private(set) var inPlay: [Int32] = []
        private(set) var isInPlay = Set<Int32>()

        init(free: [Int32]) {
            self.free = free
            candidates = free
        }

        mutating func add(_ name: Int32) {
            if isInPlay.insert(name).inserted { inPlay.append(name) }
        }

        /// Whether letting go of a package makes it another one.
        func canMove(_ name: Int32) -> Bool {
            isHeld.contains(name) && free[Int(name)] >= 0 && free[Int(name)] != candidates[Int(name)]
        }

        mutating func release(_ name: Int32, _ text: String, because reason: String) {
            isHeld.remove(name)
            candidates[Int(name)] = free[Int(name)]
            because[text] = reason
        }
    }

    /// Lets go of one held package that cannot stay; false where all can.
    private func releaseOne(_ holding: inout Holding) -> Bool {
        // What is added on the way is looked at too.
        var next = 0
        while next < holding.inPlay.count {
            let package = holding.inPlay[next]
            next += 1
            let version = Int(holding.candidates[Int(package)])
            if version < 0 { continue }
            for group in groups(version, from: .preDepends, to: .conflicts) {
                let satisfying = satisfiers(of: group, owner: version, among: holding.candidates)
                if let first = satisfying.first {
                    if !satisfying.contains(where: holding.isInPlay.contains) { holding.add(first) }
                    continue
                }
                let reason = "\(label(version)) depends on \(text(of: group, owner: version))"
                let movable = satisfiers(of: group, owner: version, among: holding.free).first(where: holding.canMove)
                if let movable {
                    holding.release(movable, names[movable], because: reason)
                    return true
                }
                if holding.canMove(package) {
                    holding.release(package, names[package], because: reason)
                    return true
                }
            }
            for place in relationRange(version, from: .conflicts, to: .recommends) {
                for victim in satisfiers(of: place, owner: version, among: holding.candidates)
                where victim != package && holding.isInPlay.contains(victim) {
                    let reason = "\(label(version)) does not go with \(text(of: place, owner: version))"
                    let isFree = !satisfiers(of: place, owner: version, among: holding.free).contains(victim)
                    if isFree, holding.canMove(victim) {
                        holding.release(victim, names[victim], because: reason)
                        return true
                    }
                    if holding.canMove(package) {
                        holding.release(package, names[package], because: reason)
                        return true
                    }
                }
            }
        }
        return false
    }

    private func label(_ version: Int) -> String { "\(names[versions[version].name]) \(versionText(version))" }

    /// The version that is this very package: the candidate, where several indexes have it.
    private func number(of package: HeldPackage) throws(Failure) -> Int? {
        guard let name = names.number(of: package.name) else { return nil }
        var found: Int?
        for version in versionList(of: name) where versionText(version) == package.version {
            guard try stanza(of: version).sha256 == package.sha256 else { continue }
            if version == Int(candidates[Int(name)]) { return version }
            found = found ?? version
        }
        return found
    }
}
