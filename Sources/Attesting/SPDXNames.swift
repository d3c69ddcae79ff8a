/// The ids of a document's elements: letters, digits, dots and hyphens (SPDX 2.3, 7.2).
struct SPDXNames {
    static let image = "SPDXRef-Image"

    /// By the package's index.
    let packages: [String]
    /// Each source once, with one of its packages.
    let sources: [(id: String, example: Int)]

    init(_ image: AttestedImage) {
        packages = image.packages.map {
            "SPDXRef-Package-\(Self.plain($0.name))-\($0.architecture)"
                + ($0.isInstalled ? "" : "-\($0.purpose ?? "other")")
        }
        var seen = Set<String>()
        var sources = [(id: String, example: Int)]()
        for (index, package) in image.packages.enumerated() {
            if let id = Self.source(of: package), seen.insert(id).inserted { sources.append((id, index)) }
        }
        self.sources = sources.sorted { $0.id < $1.id }
    }

    static func id(of file: AttestedImage.BootFile) -> String { "SPDXRef-Boot-\(plain(file.name))" }
    static func overlay(_ number: Int) -> String { "SPDXRef-Overlay-\(number)" }
    static func file(_ number: Int) -> String { "SPDXRef-File-\(number + 1)" }

    /// Two versions of one source are two.
    static func source(of package: AttestedImage.Package) -> String? {
        package.source.map { "SPDXRef-Source-\(plain($0.name))-\(plain($0.version))" }
    }

    private static func plain(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let character = Character(UnicodeScalar(byte))
            if byte < 0x80, character.isLetter || character.isNumber || "-.".contains(character) {
                result.append(character)
            } else {
                result += "." + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
