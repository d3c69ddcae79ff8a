internal import RootfsModel

/// What a package's copyright file says of its licences.
public struct PackageLicence: Hashable, Sendable, Encodable {
    /// One licence, with the files of the source that it is said of.
    public struct Term: Hashable, Sendable, Encodable {
        /// As the file has it.
        public var name: String
        /// SPDX's identifier or expression, or a `LicenseRef-`.
        public var spdx: String
        /// Patterns, in the order of the file.
        public var files: [String]
    }

    public enum Form: String, Hashable, Sendable, Encodable {
        case machineReadable = "machine-readable"
        case freeText = "free text"
        /// There is no file.
        case missing
    }

    /// What stands for not being known, in SPDX and here.
    public static let unknown = "NOASSERTION"

    public var package: String
    public var version: String
    public var architecture: String
    /// The copyright file in the image, links followed; nil where there is none.
    public var file: String?
    public var form: Form
    /// An SPDX expression of all that the file declares, or `NOASSERTION`.
    public var expression: String
    /// Why nothing is asserted; nil where it is.
    public var because: String?
    /// By name.
    public var terms: [Term]
    /// The files of /usr/share/common-licenses that it names.
    public var references: [String]

    /// - Parameters:
    ///   - copyright: nil where the image has none.
    ///   - book: takes the words of licences that SPDX has no identifier for.
    public init(
        package: String, version: String, architecture: String, file: String?, copyright: CopyrightFile?,
        book: inout LicenceBook
    ) {
        (self.package, self.version, self.architecture, self.file) = (package, version, architecture, file)
        (expression, terms) = (Self.unknown, [])
        references = copyright?.references ?? []
        guard let copyright else {
            form = .missing
            because = "the image has no /usr/share/doc/\(package)/copyright"
            return
        }
        form = copyright.isMachineReadable ? .machineReadable : .freeText
        guard copyright.isMachineReadable else {
            because =
                references.isEmpty
                ? "the copyright file is free text"
                : "the copyright file is free text that names \(references.joined(separator: ", "))"
            return
        }
        var found = [LicenceExpression]()
        var files = [String: [String]]()
        for stanza in copyright.stanzas {
            guard let expression = LicenceExpression(parsing: stanza.synopsis) else { continue }
            found.append(expression)
            for name in expression.names { files[name, default: []] += stanza.files }
        }
        if found.isEmpty {
            because = "the copyright file declares no licence"
            return
        }
        terms = files.keys.sorted().map { name in
            Term(
                name: name, spdx: LicenceNames.identifier(of: name) ?? book.reference(to: name, in: copyright),
                files: files[name] ?? [])
        }
        let identifiers = Dictionary(terms.map { ($0.name, $0.spdx) }, uniquingKeysWith: { first, _ in first })
        expression = LicenceExpression.all(of: found).spdx { identifiers[$0] ?? Self.unknown }
    }
}

/// The licences that SPDX has no identifier for: each has one made from its name and its words, so that equal words are
/// one licence, whichever packages have them.
public struct LicenceBook: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var name: String
        public var text: String

        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// By `LicenseRef-…`.
    public private(set) var entries: [String: Entry] = [:]

    public init() {}

    /// The reference to a licence of this file.
    mutating func reference(to name: String, in copyright: CopyrightFile) -> String {
        let text = copyright.texts[name] ?? "The copyright file says no more of it than its name: \(name)"
        let word = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") ? $0 : "-" }
        let reference = "LicenseRef-\(String(word.prefix(64)))-\(Digest(hashing: text).hex.prefix(8))"
        entries[reference] = Entry(name: name, text: text)
        return reference
    }
}
