public import RootfsModel

// A lock's text: one stanza for the whole, one for each pocket, each request set, each package, each file.
extension Lock {
    /// The text; equal locks give equal bytes.
    public var text: String {
        var header = Stanza()
        header.set("Lock-Version", to: layerMoments.isEmpty ? "1" : "2")
        header.set("Recipe", to: recipe)
        header.set("Architecture", to: architecture)
        header.set("Moment", to: String(moment))
        if !layerMoments.isEmpty {
            let moments = layerNames.compactMap { name in layerMoments[name].map { "\(name) \($0)" } }
            header.set("Layer-Moments", to: moments.joined(separator: ", "))
        }
        header.set("Solver", to: solver)
        if let snapshot { header.set("Snapshot", to: archiveDate(snapshot)) }
        if !exclude.isEmpty { header.set("Exclude", to: exclude.joined(separator: ", ")) }
        if !pins.isEmpty {
            header.set(
                "Pins", to: pins.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        }
        var stanzas = [header]
        for archive in archives {
            var stanza = Stanza()
            stanza.set("Archive", to: archive.name)
            stanza.set("Origin", to: archive.origin)
            stanza.set("Suite", to: archive.suite)
            stanza.set("Codename", to: archive.codename)
            stanza.set("Components", to: archive.components.joined(separator: " "))
            stanza.set("InRelease-SHA256", to: archive.inRelease.hex)
            stanza.set("Date", to: archiveDate(archive.date))
            if let pin = archive.pin { stanza.set("Pin", to: String(pin)) }
            stanzas.append(stanza)
        }
        for set in requests {
            var stanza = Stanza()
            stanza.set("Request", to: set.names.joined(separator: ", "))
            stanza.set(set.purpose)
            stanzas.append(stanza)
        }
        for package in packages {
            var stanza = Stanza()
            stanza.set("Package", to: package.name)
            stanza.set("Version", to: package.version)
            stanza.set("Architecture", to: package.architecture)
            stanza.set("Size", to: String(package.size))
            stanza.set("SHA256", to: package.sha256.hex)
            stanza.set("Filename", to: package.filename)
            stanza.set("Pocket", to: package.pocket)
            stanza.set(package.purpose)
            stanzas.append(stanza)
        }
        for file in files {
            var stanza = Stanza()
            stanza.set("File", to: file.name)
            stanza.set("Size", to: String(file.size))
            stanza.set("SHA256", to: file.sha256.hex)
            stanzas.append(stanza)
        }
        return String(decoding: Stanza.write(stanzas), as: UTF8.self)
    }

    /// Whose lock a text has to be.
    public struct Owner: Hashable, Sendable {
        /// The recipe's name.
        public var recipe: String
        public var architecture: String
        /// What to do with another's lock.
        public var hint: String

        public init(recipe: String, architecture: String, hint: String) {
            self.recipe = recipe
            self.architecture = architecture
            self.hint = hint
        }
    }

    /// Parses a lock strictly: an unknown, missing or bad field is a Failure with its place in `file`; all of them are
    /// reported at once. The order of the stanzas does not count. With an owner, another's lock is refused.
    public init(parsing bytes: [UInt8], file: String, owner: Owner? = nil) throws(Failures) {
        let stanzas: [Stanza]
        do throws(Failure) {
            stanzas = try Stanza.parse(bytes, file: file)
        } catch {
            throw Failures([Self.mergeConflict(error) ?? error])
        }
        var reader = LockReader(
            text: SourceText(name: file, text: String(decoding: bytes, as: UTF8.self)), owner: owner)
        guard let lock = reader.read(stanzas), reader.mistakes.isEmpty else { throw Failures(reader.mistakes) }
        self = lock
    }

    /// What a line is that no stanza can have, if it is one of those that version control leaves.
    private static func mergeConflict(_ failure: Failure) -> Failure? {
        guard var place = failure.location,
            ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].contains(where: place.text.hasPrefix)
        else { return nil }
        place.column = 1
        place.length = 7
        return Failure(
            "this lock has the marks of a merge conflict", at: place,
            hint: "take one side as a whole, then run rootfs-build lock --update for its recipe")
    }
}

extension Stanza {
    fileprivate mutating func set(_ purpose: Lock.Purpose) {
        switch purpose {
        case .layer(let name): set("Layer", to: name)
        case .role(let name): set("Role", to: name)
        }
    }
}

private struct LockReader {
    let text: SourceText
    let owner: Lock.Owner?
    var mistakes: [Failure] = []

    init(text: SourceText, owner: Lock.Owner?) {
        self.text = text
        self.owner = owner
    }

    mutating func read(_ stanzas: [Stanza]) -> Lock? {
        guard let header = stanzas.first, header.field("Lock-Version") != nil else {
            mistakes.append(
                Failure(
                    "a lock begins with the field Lock-Version",
                    at: text.location(line: stanzas.first?.line ?? 1, column: 1)))
            return nil
        }
        guard let version = number(header, "Lock-Version") else { return nil }
        if version < 1 || version > Int64(Lock.formatVersion) {
            fail(
                header, "Lock-Version",
                "this lock is of format \(version); this program reads formats up to \(Lock.formatVersion)")
            return nil
        }
        check(
            header,
            [
                "Lock-Version", "Recipe", "Architecture", "Moment", "Layer-Moments", "Solver", "Snapshot", "Exclude",
                "Pins",
            ])
        let recipe = required(header, "Recipe")
        let architecture = required(header, "Architecture")
        if let owner, let recipe, recipe != owner.recipe {
            fail(header, "Recipe", "this is the lock of \(recipe), not of \(owner.recipe)", hint: owner.hint)
        }
        if let owner, let architecture, architecture != owner.architecture {
            fail(
                header, "Architecture", "this lock is for \(architecture), the recipe for \(owner.architecture)",
                hint: owner.hint)
        }
        let moment = number(header, "Moment", in: Lock.moments)
        let solver = required(header, "Solver")
        let snapshot = header["Snapshot"].flatMap(parseArchiveDate)
        if header["Snapshot"] != nil, snapshot == nil { fail(header, "Snapshot", "this is no date in UTC") }
        var archives = [Lock.Archive]()
        var requests = [Lock.RequestSet]()
        var packages = [Lock.Package]()
        var files = [Lock.File]()
        for stanza in stanzas.dropFirst() {
            switch stanza.fields.first?.name {
            case "Archive": if let archive = archive(stanza) { archives.append(archive) }
            case "Request": if let set = requestSet(stanza) { requests.append(set) }
            case "Package": if let package = package(stanza) { packages.append(package) }
            case "File": if let entry = file(stanza) { files.append(entry) }
            default:
                mistakes.append(
                    Failure(
                        "a stanza of a lock begins with Archive, Request, Package or File",
                        at: text.location(line: stanza.line, column: 1, length: stanza.fields.first?.name.count ?? 1)))
            }
        }
        refuseRepeated(stanzas)
        guard let recipe, let architecture, let moment, let solver else { return nil }
        let lock = Lock(
            recipe: recipe, architecture: architecture, moment: moment, layerMoments: layerMoments(header),
            solver: solver, snapshot: snapshot, exclude: list(header["Exclude"] ?? ""),
            pins: pins(header), archives: archives, requests: requests, packages: packages, files: files)
        if mistakes.isEmpty { refuseStrangers(stanzas, lock) }
        return lock
    }

    /// What one stanza says of another that is not there.
    private mutating func refuseStrangers(_ stanzas: [Stanza], _ lock: Lock) {
        let pockets = Set(lock.archives.map(\.name))
        let layers = lock.layerNames
        for stanza in stanzas where stanza.fields.first?.name == "Package" {
            if let pocket = stanza["Pocket"], !pockets.contains(pocket) {
                fail(stanza, "Pocket", "the lock has no archive \(pocket)")
            }
            if let layer = stanza["Layer"], !layers.contains(layer) {
                fail(
                    stanza, "Layer", "the lock has no layer \(layer)",
                    hint: nearestName(to: layer, among: layers).map { "did you mean \($0)?" })
            }
            if let name = stanza["Package"], lock.exclude.contains(name) {
                fail(stanza, "Package", "the lock excludes \(name)", hint: owner?.hint)
            }
            if let architecture = stanza["Architecture"], ![lock.architecture, "all"].contains(architecture) {
                fail(stanza, "Architecture", "the lock is for \(lock.architecture)")
            }
        }
        for (layer, moment) in lock.layerMoments.sorted(by: { $0.key < $1.key }) {
            if !layers.contains(layer) { fail(stanzas[0], "Layer-Moments", "the lock has no layer \(layer)") }
            if moment > lock.moment { fail(stanzas[0], "Layer-Moments", "the layer \(layer) is later than Moment") }
        }
    }

    private mutating func layerMoments(_ header: Stanza) -> [String: Int64] {
        var moments = [String: Int64]()
        for entry in list(header["Layer-Moments"] ?? "") {
            let words = entry.split(separator: " ")
            if words.count == 2, let moment = Int64(words[1]), moment >= 0, moments[String(words[0])] == nil {
                if !Lock.moments.contains(moment) {
                    fail(header, "Layer-Moments", Self.outside(String(moment), Lock.moments))
                }
                moments[String(words[0])] = moment
            } else {
                fail(header, "Layer-Moments", "this is no list of layers, each once, and moments: `base 1783764997`")
                return [:]
            }
        }
        return moments
    }

    private mutating func archive(_ stanza: Stanza) -> Lock.Archive? {
        check(stanza, ["Archive", "Origin", "Suite", "Codename", "Components", "InRelease-SHA256", "Date", "Pin"])
        let digest = digest(stanza, "InRelease-SHA256")
        let date = required(stanza, "Date").flatMap(parseArchiveDate)
        if stanza["Date"] != nil, date == nil { fail(stanza, "Date", "this is no date in UTC") }
        let pin = stanza["Pin"].flatMap { Int($0) }
        if let text = stanza["Pin"], pin.map(String.init) != text { fail(stanza, "Pin", "`\(text)` is no number") }
        guard let name = required(stanza, "Archive"), let components = required(stanza, "Components"), let digest,
            let date
        else { return nil }
        return Lock.Archive(
            name: name, origin: stanza["Origin"] ?? "", suite: stanza["Suite"] ?? "",
            codename: stanza["Codename"] ?? "",
            components: components.split(separator: " ").map(String.init), inRelease: digest, date: date, pin: pin)
    }

    private mutating func requestSet(_ stanza: Stanza) -> Lock.RequestSet? {
        check(stanza, ["Request", "Layer", "Role"])
        guard let purpose = purpose(stanza) else { return nil }
        return Lock.RequestSet(purpose, list(stanza["Request"] ?? ""))
    }

    private mutating func package(_ stanza: Stanza) -> Lock.Package? {
        check(stanza, ["Package", "Version", "Architecture", "Size", "SHA256", "Filename", "Pocket", "Layer", "Role"])
        let size = number(stanza, "Size", in: Lock.sizes)
        let digest = digest(stanza, "SHA256")
        let purpose = purpose(stanza)
        guard let name = required(stanza, "Package"), let version = required(stanza, "Version"),
            let architecture = required(stanza, "Architecture"), let filename = required(stanza, "Filename"),
            let pocket = required(stanza, "Pocket"), let size, let digest, let purpose
        else { return nil }
        let parts = filename.split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains("") || parts.contains("..") || parts.contains(".") {
            fail(stanza, "Filename", "this is no path below an archive's root")
            return nil
        }
        return Lock.Package(
            name: name, version: version, architecture: architecture, size: UInt64(size), sha256: digest,
            filename: filename,
            pocket: pocket, purpose: purpose)
    }

    private mutating func file(_ stanza: Stanza) -> Lock.File? {
        check(stanza, ["File", "Size", "SHA256"])
        let size = number(stanza, "Size", in: Lock.sizes)
        let digest = digest(stanza, "SHA256")
        guard let name = required(stanza, "File"), let size, let digest else { return nil }
        return Lock.File(name: name, size: UInt64(size), sha256: digest)
    }

    private mutating func refuseRepeated(_ stanzas: [Stanza]) {
        var seen = [[String]: Int]()
        for stanza in stanzas.dropFirst() {
            guard let first = stanza.fields.first else { continue }
            let purpose = [stanza["Layer"] ?? "", stanza["Role"] ?? ""]
            let key =
                switch first.name {
                case "Request": ["Request"] + purpose
                // A package is in one layer.
                case "Package": ["Package", stanza["Package"] ?? "", stanza["Role"] ?? ""]
                default: [first.name, stanza[first.name] ?? ""]
                }
            if let line = seen[key] {
                fail(stanza, first.name, "this stanza stands in the lock twice, first in line \(line)")
            } else {
                seen[key] = stanza.line
            }
        }
    }

    private mutating func purpose(_ stanza: Stanza) -> Lock.Purpose? {
        switch (stanza["Layer"], stanza["Role"]) {
        case (let layer?, nil) where !layer.isEmpty: return .layer(layer)
        case (nil, let role?) where !role.isEmpty: return .role(role)
        default:
            mistakes.append(
                Failure(
                    "a stanza of this kind has one of the fields Layer and Role",
                    at: text.location(line: stanza.line, column: 1)))
            return nil
        }
    }

    private mutating func pins(_ header: Stanza) -> [String: String] {
        var pins = [String: String]()
        for pin in list(header["Pins"] ?? "") {
            let words = pin.split(separator: " ")
            if words.count == 2, pins[String(words[0])] == nil {
                pins[String(words[0])] = String(words[1])
            } else {
                fail(header, "Pins", "this is no list of packages, each once, and patterns: `nodejs 18.*`")
                return [:]
            }
        }
        return pins
    }

    private func list(_ text: String) -> [String] {
        text.split(separator: ",").map { String($0.drop { $0 == " " }) }.filter { !$0.isEmpty }
    }

    private mutating func required(_ stanza: Stanza, _ name: String) -> String? {
        if let value = stanza[name], !value.isEmpty {
            if !value.contains("\n") { return value }
            fail(stanza, name, "the field \(name) has one line")
        } else {
            mistakes.append(Failure("this stanza has no \(name)", at: text.location(line: stanza.line, column: 1)))
        }
        return nil
    }

    /// A count: not negative.
    private mutating func number(
        _ stanza: Stanza, _ name: String, in range: ClosedRange<Int64> = 0...Int64.max
    ) -> Int64? {
        guard let value = required(stanza, name) else { return nil }
        guard let number = Int64(value), number >= 0, String(number) == value else {
            fail(stanza, name, "`\(value)` is no number")
            return nil
        }
        if range.contains(number) { return number }
        fail(stanza, name, Self.outside(value, range))
        return nil
    }

    private static func outside(_ value: String, _ range: ClosedRange<Int64>) -> String {
        "\(value) is not from \(range.lowerBound) to \(range.upperBound)"
    }

    private mutating func digest(_ stanza: Stanza, _ name: String) -> Digest? {
        guard let value = required(stanza, name) else { return nil }
        if let digest = Digest(hex: value), digest.hex == value { return digest }
        fail(stanza, name, "this is no SHA-256: 64 hexadecimal digits in lower case")
        return nil
    }

    private mutating func check(_ stanza: Stanza, _ allowed: [String]) {
        for field in stanza.fields where !allowed.contains(field.name) {
            mistakes.append(
                Failure(
                    "unknown field \(field.name)",
                    at: text.location(line: field.line, column: 1, length: field.name.count),
                    hint: nearestName(to: field.name, among: allowed).map { "did you mean \($0)?" }))
        }
    }

    /// Points at the field's value.
    private mutating func fail(_ stanza: Stanza, _ name: String, _ message: String, hint: String? = nil) {
        guard let field = stanza.field(name) else { return }
        let location = text.location(line: field.line, column: 1)
        let before = location.text.prefix { $0 != ":" }.count + 1
        let blanks = location.text.dropFirst(before).prefix { $0 == " " || $0 == "\t" }.count
        let length = location.text.count - before - blanks
        mistakes.append(
            Failure(
                message, at: text.location(line: field.line, column: before + blanks + 1, length: length), hint: hint))
    }
}
