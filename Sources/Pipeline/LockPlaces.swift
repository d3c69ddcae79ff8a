internal import Debian
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Where a lock says what turns out to be wrong only later.
struct LockPlaces: Sendable {
    let path: FilePath
    let recipePath: String

    /// A failure at the line of a field of one stanza.
    func failure(_ message: String, at field: String, where isMeant: (Stanza) -> Bool) -> Failure {
        Failure(
            message, at: place(of: field, where: isMeant),
            hint: "take back what was edited, or run rootfs-build lock --update \(recipePath)")
    }

    private func place(of field: String, where isMeant: (Stanza) -> Bool) -> SourceLocation? {
        guard let bytes = try? readFile(at: path), let stanzas = try? Stanza.parse(bytes, file: path.string),
            let line = stanzas.first(where: isMeant)?.field(field)?.line
        else { return nil }
        var place = SourceText(name: path.string, text: String(decoding: bytes, as: UTF8.self))
            .location(line: line, column: 1)
        place.length = max(1, place.text.count)
        return place
    }

    /// Throws where a .deb's own control file says of it something else than the lock.
    func check(_ package: Lock.Package, against stanza: PackageStanza) throws(Failures) {
        let fields = [
            ("Package", package.name, stanza.name), ("Version", package.version, stanza.version.text),
            ("Architecture", package.architecture, stanza.architecture),
        ]
        let failures = fields.filter { $1 != $2 }.map { field, locked, own in
            failure("the .deb of \(package.label) has \(field) \(own), not \(locked)", at: field) {
                $0["SHA256"] == package.sha256.hex && $0["Package"] == package.name && $0.isOf(package.purpose)
            }
        }
        if !failures.isEmpty { throw Failures(failures) }
    }
}

extension Stanza {
    /// Whether it is of this layer or role.
    fileprivate func isOf(_ purpose: Lock.Purpose) -> Bool {
        switch purpose {
        case .layer(let name): self["Layer"] == name
        case .role(let name): self["Role"] == name
        }
    }
}
