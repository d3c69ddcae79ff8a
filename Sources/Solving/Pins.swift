internal import Debian
public import RootfsModel

/// A recipe's pin: the versions of this package that match the pattern, whatever their priority, and of the packages
/// made from the same source those of the same source version.
public struct Pin: Hashable, Sendable {
    public var package: String
    /// A version, or a pattern of one: `18.*`. `*` is any run of characters, `?` any one. An epoch counts.
    public var pattern: String
    /// Where somebody wrote it, for the failure that it may cause.
    public var location: SourceLocation?

    public init(package: String, pattern: String, location: SourceLocation? = nil) {
        self.package = package
        self.pattern = pattern
        self.location = location
    }

    func matches(_ version: String) -> Bool {
        Array(version.utf8).matches(wildcards: Array(pattern.utf8))
    }
}

/// A package that is never taken.
public struct Exclusion: Hashable, Sendable {
    public var package: String
    /// Where somebody wrote it.
    public var location: SourceLocation?

    public init(_ package: String, location: SourceLocation? = nil) {
        self.package = package
        self.location = location
    }
}

/// The source version that a pin holds a package to.
struct Hold: Hashable, Sendable {
    var pin: Pin
    var source: MadeFrom

    /// `the pin nodejs 18.*, which holds all that is made from nodejs to 18.20.4`.
    var description: String {
        "the pin \(pin.package) \(pin.pattern), which holds all that is made from \(source.name) to \(source.version)"
    }
}

/// A source package in one version.
struct MadeFrom: Hashable, Sendable {
    var name: String
    var version: String
}

extension Universe {
    /// A pin whose package is there, with the versions that match, the best first.
    private struct MatchedPin {
        var pin: Pin
        var name: Int32
        var versions: [Int]
    }

    /// Moves the candidates of the pinned packages and of all that is made from the same sources. A sibling without a
    /// version of that source version has no candidate any more.
    mutating func apply(_ pins: [Pin]) -> [Failure] {
        var mistakes = [Failure]()
        var groups = [(source: String, pins: [MatchedPin])]()
        for pin in pins {
            do throws(Failure) {
                let matched = try match(pin)
                let source = madeFrom(matched.versions[0]).name
                if let index = groups.firstIndex(where: { $0.source == source }) {
                    groups[index].pins.append(matched)
                } else {
                    groups.append((source, [matched]))
                }
            } catch {
                mistakes.append(error)
            }
        }
        for group in groups {
            do throws(Failure) {
                try hold(group.pins)
            } catch {
                mistakes.append(error)
            }
        }
        return mistakes
    }

    private func match(_ pin: Pin) throws(Failure) -> MatchedPin {
        guard let name = names.number(of: pin.package), firstVersion[Int(name)] >= 0 else {
            throw noPackage(pin.package, to: "pin", at: pin.location)
        }
        let offered = versionList(of: name)
        let matching = offered.filter { pin.matches(versionText($0)) }.sorted { isPreferred($0, to: $1) }
        if !matching.isEmpty { return MatchedPin(pin: pin, name: name, versions: matching) }
        // `7.*` where all are `5:7.0.15-1`.
        let epoch = offered.lazy.map { versionText($0) }.first { version in
            version.firstIndex(of: ":").map { pin.matches(String(version[version.index(after: $0)...])) } ?? false
        }?.prefix { $0 != ":" }
        throw Failure(
            "cannot pin \(pin.package): no version matches `\(pin.pattern)`", at: pin.location,
            notes: offered.map { "\(pocket(of: $0)) has \(pin.package) \(versionText($0))" },
            hint: epoch.map { "an epoch counts: write `\($0):\(pin.pattern)`" })
    }

    /// Holds the packages of one source to the best version that all these pins allow.
    private mutating func hold(_ pins: [MatchedPin]) throws(Failure) {
        let first = pins[0]
        let chosen = first.versions.first { version in
            let wanted = madeFrom(version)
            return pins.dropFirst().allSatisfy { $0.versions.contains { madeFrom($0) == wanted } }
        }
        guard let chosen else {
            let last = pins[pins.count - 1].pin
            throw Failure(
                "cannot pin \(last.package) to `\(last.pattern)` and \(first.pin.package) to `\(first.pin.pattern)`: "
                    + "they are made from one source and move together",
                at: last.location,
                notes: pins.flatMap { pin in
                    pin.versions.map { version in
                        let source = madeFrom(version)
                        return "`\(pin.pin.pattern)` is \(pin.pin.package) \(versionText(version)), "
                            + "made from \(source.name) \(source.version)"
                    }
                })
        }
        let source = madeFrom(chosen)
        let sourceBytes = Array(source.name.utf8)
        for number in firstVersion.indices where firstVersion[number] >= 0 {
            let name = Int32(number)
            let siblings = versionList(of: name).filter { isMade($0, from: sourceBytes) }
            if siblings.isEmpty { continue }
            let own = pins.first { $0.name == name }
            let fitting = siblings.filter { madeFrom($0) == source && (own?.pin.matches(versionText($0)) ?? true) }
            if let sibling = fitting.min(by: { isPreferred($0, to: $1) }) {
                candidates[number] = Int32(sibling)
            } else if candidates[number] >= 0, siblings.contains(Int(candidates[number])) {
                candidates[number] = -1
            } else {
                continue
            }
            held[name] = Hold(pin: (own ?? first).pin, source: source)
        }
    }

    mutating func apply(_ exclusions: [Exclusion]) -> [Failure] {
        var mistakes = [Failure]()
        for exclusion in exclusions {
            if let number = names.number(of: exclusion.package), firstVersion[Int(number)] >= 0 {
                excluded.insert(number)
                candidates[Int(number)] = -1
            } else {
                mistakes.append(noPackage(exclusion.package, to: "exclude", at: exclusion.location))
            }
        }
        return mistakes
    }

    /// Why a name cannot be pinned or excluded: nothing has it, or only provides it.
    private func noPackage(_ name: String, to verb: String, at location: SourceLocation?) -> Failure {
        var failure = missing(name, message: "cannot \(verb) \(name): no such package")
        if let number = names.number(of: name) {
            let range = Int(providerStarts[Int(number)])..<Int(providerStarts[Int(number) + 1])
            let found = Set(providers[range].map { names[versions[Int($0.version)].name] }).sorted()
            if !found.isEmpty {
                failure = Failure(
                    "cannot \(verb) \(name): it is virtual", notes: found.map { "\($0) provides it" },
                    hint: "name the packages themselves")
            }
        }
        failure.location = location
        return failure
    }

    /// The higher version, then the higher priority, then the first source.
    private func isPreferred(_ left: Int, to right: Int) -> Bool {
        let order = compare(left, right)
        if order != 0 { return order > 0 }
        let priorities = [left, right].map { sources[Int(versions[$0].source)].priority }
        return priorities[0] == priorities[1] ? left < right : priorities[0] > priorities[1]
    }

    /// Throws where a package's version is not one that a pin allows.
    func checkHold(of name: Int32, at version: Int, for request: Request) throws(Failure) {
        guard let hold = held[name] else { return }
        let isAllowed = names[name] != hold.pin.package || hold.pin.matches(versionText(version))
        if isAllowed && madeFrom(version) == hold.source { return }
        throw Failure(
            "cannot install \(request): against it is \(hold.description)", at: request.location,
            hint: "change one of the two: \(request), or the pin of \(hold.pin.package)")
    }

    /// The source package that a version is made from.
    func madeFrom(_ version: Int) -> MadeFrom {
        let text = self.text(of: .source, in: version)
        let source = SourceName(text.isEmpty ? names[versions[version].name] : text)
        return MadeFrom(name: source.name, version: source.version ?? versionText(version))
    }

    /// Whether the version's source package has this name; without making Strings, for it is asked of all versions.
    func isMade(_ version: Int, from source: [UInt8]) -> Bool {
        let index = sources[Int(versions[version].source)].index
        let stanza = Int(versions[version].stanza)
        var range = index.range(of: .source, in: stanza)
        if range.isEmpty { range = index.range(of: .package, in: stanza) }
        guard range.count >= source.count, index.bytes[range].starts(with: source) else { return false }
        if range.count == source.count { return true }
        let next = index.bytes[range.lowerBound + source.count]
        return next == UInt8(ascii: " ") || next == UInt8(ascii: "(")
    }
}
