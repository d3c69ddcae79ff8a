internal import RootfsModel

/// The licences of an image's packages; what `licenses` tells.
public struct LicenceReport: Sendable, Encodable {
    /// As the user named it.
    public var image: String
    /// By name.
    public var packages: [PackageLicence]
    /// How many are of each form.
    public var machineReadable: Int
    public var freeText: Int
    public var missing: Int

    public init(image: String, packages: [PackageLicence]) {
        self.image = image
        self.packages = packages
        machineReadable = packages.count { $0.form == .machineReadable }
        freeText = packages.count { $0.form == .freeText }
        missing = packages.count { $0.form == .missing }
    }

    private var heading: String {
        "\(image): \(packages.count == 1 ? "1 package" : "\(packages.count) packages"): \(machineReadable) with a "
            + "machine-readable copyright file, \(freeText) with free text, \(missing) with none\n"
    }

    /// A paragraph for each licence: who has it. Those without an assertion last, by the reason.
    public func textByLicence() -> String {
        var owners = [String: Set<String>]()
        for package in packages {
            for term in package.terms { owners[term.spdx, default: []].insert(package.package) }
        }
        var text = heading
        for licence in owners.keys.sorted(by: { ($0.lowercased(), $0) < ($1.lowercased(), $1) }) {
            text += paragraph(licence, owners[licence] ?? [])
        }
        var silent = [String: Set<String>]()
        for package in packages {
            guard let because = package.because else { continue }
            let reason = package.form == .missing ? "no copyright file" : because
            silent[reason, default: []].insert(package.package)
        }
        for reason in silent.keys.sorted() {
            text += paragraph("\(PackageLicence.unknown), \(reason)", silent[reason] ?? [])
        }
        return text
    }

    /// A line for each package: what it declares.
    public func textByPackage() -> String {
        let names = packages.map { "\($0.package) \($0.version)" }
        let width = min(names.map(\.count).max() ?? 0, 48)
        return zip(packages, names).reduce(into: heading + "\n") { text, pair in
            let (package, name) = pair
            let padding = String(repeating: " ", count: max(0, width - name.count))
            text += "\(name)\(padding)  \(package.expression)"
            text += package.because.map { " (\($0))\n" } ?? "\n"
        }
    }

    private func paragraph(_ title: String, _ names: Set<String>) -> String {
        var text = "\n\(title) (\(names.count))\n"
        var line = " "
        for (index, name) in names.sorted().enumerated() {
            let word = " " + name + (index < names.count - 1 ? "," : "")
            if line.count + word.count > 100 {
                text += line + "\n"
                line = " "
            }
            line += word
        }
        return text + line + "\n"
    }
}
