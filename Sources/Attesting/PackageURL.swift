/// A package's purl (the `deb` type): `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm`.
public func packageURL(
    name: String, version: String, architecture: String, namespace: String, release: String?
) -> String {
    var text =
        "pkg:deb/\(encoded(namespace.lowercased()))/\(encoded(name))@\(encoded(version))?arch=\(encoded(architecture))"
    if let release { text += "&distro=\(encoded(release))" }
    return text
}

extension AttestedImage {
    /// An archive's own name is the namespace where it is known: a package of somebody else's is not the distribution's.
    func url(of package: Package) -> String {
        packageURL(
            name: package.name, version: package.version, architecture: package.architecture,
            namespace: package.origin ?? distribution, release: release)
    }

    func url(ofSource source: (name: String, version: String), of package: Package) -> String {
        packageURL(
            name: source.name, version: source.version, architecture: "source",
            namespace: package.origin ?? distribution, release: release)
    }
}

/// Percent-encoded but for what RFC 3986 calls unreserved, and the colon, which purls keep.
private func encoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
        let character = Character(UnicodeScalar(byte))
        if byte < 0x80, character.isLetter || character.isNumber || "-._~:".contains(character) {
            result.append(character)
        } else {
            let digits = String(byte, radix: 16, uppercase: true)
            result += "%" + (digits.count < 2 ? "0" : "") + digits
        }
    }
    return result
}
