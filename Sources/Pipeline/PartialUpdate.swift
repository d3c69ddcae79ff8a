internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Solving
internal import Storage
internal import SystemPackage

/// The update of some packages of a lock. The others stay, as long as they can be had and those that move let them.
struct PartialUpdate {
    private let old: Lock
    /// The names of what is to move.
    private let moving: [String]
    /// What the recipe asks for now.
    private let wanted: Lock.Requests
    private let store: Store
    /// Why others move, by name.
    private(set) var because: [String: String] = [:]
    /// What stays although the archive no longer has it: `hello 2.10-3`.
    private(set) var kept: [String] = []

    /// Of the names, those that the lock has count.
    init(of old: Lock, moving names: [String], wanted: Lock.Requests, store: Store) {
        self.old = old
        moving = names
        self.wanted = wanted
        self.store = store
    }

    /// What the layers install before the update.
    var present: [String] { old.layers.flatMap { $0.packages.map(\.name) } }

    /// The packages that stay, if they can.
    private func held(besides repinned: Set<String> = []) -> [Lock.Package] {
        old.layers.flatMap(\.packages).filter { !moving.contains($0.name) && !repinned.contains($0.name) }
    }

    /// Indexes of the packages that stay and that the archive no longer has, from their .debs in the store.
    mutating func sources(missingFrom universe: Universe) throws -> [Universe.Source] {
        var stanzas = [String: [UInt8]]()
        for package in held() where try !universe.has(HeldPackage(package)) {
            guard isOfAnArchive(package) else { continue }
            guard let control = try controlText(of: package) else {
                because[package.name] = "neither the archive nor the store has \(package.version) any more"
                continue
            }
            kept.append(package.label)
            stanzas[package.pocket, default: []] += control
        }
        return try stanzas.sorted { $0.key < $1.key }.map { pocket, text in
            // What is not held is never taken from here.
            Universe.Source(
                pocket: pocket, index: try PackageIndex(parsing: text, file: "the store's packages of \(pocket)"),
                priority: 0)
        }
    }

    /// Holds what stays.
    mutating func hold(in universe: inout Universe, requests: [Request]) throws {
        let repinned = wanted.pins.filter { old.pins[$0.key] != $0.value }.map(\.key)
        let reasons = try universe.hold(
            held(besides: Set(repinned)).map { HeldPackage($0) }, moving: moving + repinned, requests: requests)
        because.merge(reasons) { first, _ in first }
    }

    /// What is locked for a use besides the layers, if it stays: it is asked for in the same words, and can be had.
    mutating func companion(for purpose: Lock.Purpose, in universe: Universe) throws -> Lock.Package? {
        guard let package = old.packages(for: purpose).first,
            let set = old.requests.first(where: { $0.purpose == purpose }),
            let asked = wanted.sets.first(where: { $0.purpose == purpose }), set.names == asked.names.sorted(),
            !moving.contains(package.name), try !set.requests().contains(where: { moving.contains($0.name) })
        else { return nil }
        // A pin of one package is one of all that is made from the same sources: which concern it shows only anew.
        guard wanted.pins == old.pins, wanted.exclude.sorted() == old.exclude else {
            because[package.name] = "the recipe pins or excludes other packages than the lock"
            return nil
        }
        guard isOfAnArchive(package) else { return nil }
        if try universe.has(HeldPackage(package)) { return package }
        guard try controlText(of: package) != nil else {
            because[package.name] = "neither the archive nor the store has \(package.version) any more"
            return nil
        }
        kept.append(package.label)
        return package
    }

    /// Whether the recipe still has the package's archive: without, a lock with the package could not be read.
    private mutating func isOfAnArchive(_ package: Lock.Package) -> Bool {
        if wanted.archives[package.pocket] != nil { return true }
        because[package.name] = "the recipe no longer has the archive \(package.pocket)"
        return false
    }

    /// A package's stanza as an index has it.
    private func controlText(of package: Lock.Package) throws -> [UInt8]? {
        guard let path = try store.intactFile(package.sha256),
            let control = try DebFile(at: path, label: package.label).controlMember("control")
        else { return nil }
        let text = control.reversed().drop { $0 == UInt8(ascii: "\n") }.reversed()
        let place = "\nFilename: \(package.filename)\nSize: \(package.size)\nSHA256: \(package.sha256.hex)\n\n"
        return text + Array(place.utf8)
    }
}

extension HeldPackage {
    fileprivate init(_ package: Lock.Package) {
        self.init(name: package.name, version: package.version, sha256: package.sha256)
    }
}
