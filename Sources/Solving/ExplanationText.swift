internal import Debian
internal import RootfsModel

/// The words of a failed solution: a tree of reasons, two blanks a level, each package explained once.
struct ReasonWriter {
    let universe: Universe
    let candidates: [Int32]
    /// What is in the base set rather than asked for.
    let base: Set<Int32>
    private(set) var lines: [String] = []
    private var explained: Set<Int32> = []
    /// Further down a reason helps nobody, and the thread's stack has an end.
    private static let deepest = 60

    init(_ universe: Universe, candidates: [Int32], base: Set<Int32>) {
        self.universe = universe
        self.candidates = candidates
        self.base = base
    }

    /// The message of a contradiction: why the package must be there, and why it cannot.
    mutating func failure(_ explanation: Explanation, _ package: Int32) -> Failure {
        writeNeed(explanation, package, level: 0)
        lines.append("but:")
        writeObstacle(explanation, package, level: 1)
        return Failure("cannot install \(universe.names[package])", notes: lines)
    }

    /// The message where the choices that were made, not the requests alone, lead nowhere.
    mutating func failure(_ solver: Solver, _ package: Int32) -> Failure {
        writeChoice(solver, package, level: 0)
        lines.append("but:")
        writeSetback(solver, package, level: 1)
        return Failure(
            "cannot install \(universe.names[package])", notes: lines,
            hint: "a choice between alternatives is not gone back on: request by name the alternative that fits")
    }

    private mutating func write(_ text: String, _ level: Int) {
        lines.append(String(repeating: "  ", count: level) + text)
    }

    private func name(_ package: Int32) -> String { universe.names[package] }

    /// From the request down to the package.
    private mutating func writeNeed(_ explanation: Explanation, _ package: Int32, level: Int) {
        var chain = [Int32]()
        var current: Int32? = package
        while let step = current {
            chain.append(step)
            current = nil
            if case .dependency(let owner, _)? = explanation.needs[step] { current = owner }
        }
        for step in chain.reversed() {
            guard case .dependency(let owner, let group)? = explanation.needs[step] else {
                writeRequest(step, level)
                continue
            }
            let text = universe.text(of: group, owner: Int(candidates[Int(owner)]))
            let others = satisfiers(of: group, owner: owner).filter { $0 != step }
            let isPlain = group.count == 1 && universe.relations[group.lowerBound].name == step
            if isPlain && others.isEmpty {
                write("\(name(owner)) depends on \(text)", level)
            } else if others.isEmpty {
                write("\(name(owner)) depends on \(text), which only \(name(step)) satisfies", level)
            } else {
                write("\(name(owner)) depends on \(text), and only \(name(step)) is left:", level)
                for other in others { writeObstacle(explanation, other, level: level + 1) }
            }
        }
    }

    private mutating func writeObstacle(_ explanation: Explanation, _ package: Int32, level: Int) {
        guard let obstacle = explanation.obstacles[package] else { return }
        if level > Self.deepest { return write("… and so on", level) }
        guard explained.insert(package).inserted else {
            return write("\(name(package)) cannot be installed, as said above", level)
        }
        switch obstacle {
        case .unsatisfied(let group):
            writeUnsatisfied(package, group, level) { writer, other in
                writer.writeObstacle(explanation, other, level: level + 1)
            }
        case .conflict(let rival, let declarer):
            if declarer == package {
                write("\(name(package)) conflicts with \(name(rival))", level)
            } else {
                write("\(name(rival)) conflicts with \(name(package))", level)
            }
            writeNeed(explanation, rival, level: level + 1)
        }
    }

    /// From the request down to a package that was chosen.
    private mutating func writeChoice(_ solver: Solver, _ package: Int32, level: Int) {
        var chain = [package]
        var seen: Set<Int32> = [package]
        while let last = chain.last, let owner = solver.choosers[last]?.owner, seen.insert(owner).inserted {
            chain.append(owner)
        }
        for step in chain.reversed() {
            guard let (owner, group) = solver.choosers[step] else {
                writeRequest(step, level)
                continue
            }
            let text = universe.text(of: group, owner: Int(candidates[Int(owner)]))
            let isPlain = group.count == 1 && universe.relations[group.lowerBound].name == step
            write("\(name(owner)) depends on \(text)" + (isPlain ? "" : ", of which \(name(step)) was chosen"), level)
        }
    }

    private mutating func writeSetback(_ solver: Solver, _ package: Int32, level: Int) {
        guard let setback = solver.setbacks[package] else { return }
        if level > Self.deepest { return write("… and so on", level) }
        guard explained.insert(package).inserted else {
            return write("\(name(package)) was given up, as said above", level)
        }
        switch setback {
        case .unsatisfied(let group):
            writeUnsatisfied(package, group, level) { writer, other in
                writer.writeSetback(solver, other, level: level + 1)
            }
        case .conflict(let rival):
            write("\(name(package)) conflicts with \(name(rival))", level)
            writeChoice(solver, rival, level: level + 1)
        case .displaced(let rival):
            write("\(name(rival)) conflicts with \(name(package))", level)
            writeChoice(solver, rival, level: level + 1)
        }
    }

    private mutating func writeRequest(_ package: Int32, _ level: Int) {
        write(base.contains(package) ? "\(name(package)) is in the base set" : "\(name(package)) was requested", level)
    }

    /// A group that nothing satisfies: its packages' own reasons, or what the archive has of each name.
    private mutating func writeUnsatisfied(
        _ package: Int32, _ group: Range<Int>, _ level: Int, _ explain: (inout ReasonWriter, Int32) -> Void
    ) {
        let owner = Int(candidates[Int(package)])
        write("\(name(package)) needs \(universe.text(of: group, owner: owner)), which cannot be satisfied:", level)
        let found = satisfiers(of: group, owner: package)
        for other in found { explain(&self, other) }
        if !found.isEmpty { return }
        for place in group { write(absence(universe.relations[place].name), level + 1) }
    }

    private func absence(_ wanted: Int32) -> String {
        let text = name(wanted)
        if universe.excluded.contains(wanted) { return "\(text) is excluded by the recipe" }
        let version = candidates[Int(wanted)]
        if version >= 0 {
            let source = universe.sources[Int(universe.versions[Int(version)].source)]
            let held = universe.held[wanted].map { ", by \($0.description)" } ?? ""
            return "\(text) is \(universe.versionText(Int(version))) in \(source.pocket)" + held
        }
        if let hold = universe.held[wanted] { return "no version of \(text) fits \(hold.description)" }
        if universe.firstVersion[Int(wanted)] >= 0 { return "no version of \(text) is a candidate" }
        let providers = Int(universe.providerStarts[Int(wanted)])..<Int(universe.providerStarts[Int(wanted) + 1])
        let available = providers.filter {
            let version = universe.providers[$0].version
            return candidates[Int(universe.versions[Int(version)].name)] == version
        }
        if !available.isEmpty { return "no package provides that version of \(text)" }
        let named = Set(providers.map { universe.versions[Int(universe.providers[$0].version)].name })
        let shut = named.intersection(universe.excluded).map { name($0) }.sorted()
        if shut.isEmpty { return "\(text) is not in the archive" }
        return "\(text) is provided by \(shut.joined(separator: ", ")), which the recipe excludes"
    }

    private func satisfiers(of group: Range<Int>, owner: Int32) -> [Int32] {
        universe.satisfiers(of: group, owner: Int(candidates[Int(owner)]), among: candidates)
    }
}
