public import RootfsModel

// The rules of the names that a recipe writes down.

extension ValueFormat where Value == String {
    /// A recipe's or a layer's own name: it becomes part of file names.
    static func name(of noun: String, longest: Int = 64) -> Self {
        .text("the name of \(noun)", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$") { text in
            if text.utf8.count > longest { return TextMistake("`\(shortened(text))` is longer than \(longest) bytes") }
            let first = text.utf8.first ?? 0
            let rest = text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "._-".utf8.contains($0) }
            if (isLetter(first) || isDigit(first)) && rest { return nil }
            return TextMistake(
                "`\(shortened(text))` cannot name \(noun)",
                hint: "use letters, digits, `.`, `_` and `-`, beginning with a letter or a digit")
        }
    }

    /// A finding's id: the rule and what it found.
    static let findingID = text("a finding's id", pattern: "^[a-z][a-z0-9-]*/[a-z0-9][a-z0-9-]*$") { text in
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.hasPrefix("-")
                && part.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "-") || (0x61...0x7a).contains($0) }
        }
        if parts.count == 2, isPlain, let first = text.utf8.first, !isDigit(first) { return nil }
        return TextMistake(
            "`\(shortened(text))` is not the id of a finding",
            hint: "write it as the check tells it, for example `exec/missing`")
    }

    /// A service's own name: a part of its unit's name, where a point would begin an ending.
    static let serviceName = text("the name of a service", pattern: "^[A-Za-z0-9][A-Za-z0-9_-]*$") {
        serviceNameMistake($0)
    }

    /// What a service starts after: another one, or a unit of systemd's own by its full name.
    static let serviceOrUnit = text(
        "the name of a service or a unit",
        pattern: "^[A-Za-z0-9][A-Za-z0-9_-]*$|^[A-Za-z0-9:_.\\\\@-]+\\.(\(unitEndings.joined(separator: "|")))$"
    ) { text in
        if isUnitName(text) { return nil }
        guard let mistake = serviceNameMistake(text) else { return nil }
        return TextMistake(
            mistake.message,
            hint: text.contains(".")
                ? "a unit of systemd's own ends in one of \(unitEndings.map { "." + $0 }.joined(separator: ", "))"
                : mistake.hint)
    }

    /// One of some words.
    static func word(_ noun: String, among words: [String], note: String? = nil) -> Self {
        .text("\(noun): one of \(words.joined(separator: ", "))", pattern: wordPattern(words)) { text in
            words.contains(text) ? nil : unknownWord(text, noun: noun, words: words, note: note)
        }
    }

    /// The name of a suite: a code name such as `bookworm`, or `stable`.
    static let suite = text("a suite", pattern: "^[A-Za-z0-9][A-Za-z0-9+._/-]*$") { suiteMistake($0) }

    static let component = text("a component", pattern: "^[a-z0-9][A-Za-z0-9+._/-]*$") { text in
        suite.checks(text)
            ? nil : TextMistake("`\(shortened(text))` is not the name of a component", hint: "write for example `main`")
    }

    static let architectures = architectureNames

    static let architecture = text("an architecture", pattern: wordPattern(architectures)) { text in
        if architectures.contains(text) { return nil }
        let others = [
            "x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "i686": "i386",
            "ppc64le": "ppc64el",
        ]
        let meant = others[text] ?? nearestName(to: text, among: architectures)
        return TextMistake(
            "unknown architecture `\(shortened(text))`",
            hint: meant.map { "did you mean `\($0)`?" } ?? "known: \(architectures.joined(separator: ", "))")
    }

    /// Debian Policy 5.6.7: lower-case letters, digits, `+`, `-`, `.`, at least two, beginning with a letter or a
    /// digit.
    static let packageName = text("the name of a package", pattern: "^[a-z0-9][a-z0-9+.-]+$") { text in
        isPackageName(text) ? nil : badPackageName(text)
    }

    /// A version of a package, or a pattern of one.
    static let versionPattern = text("a version or a pattern of one", pattern: "^[A-Za-z0-9.+:~*?-]+$") { text in
        let isPattern = text.utf8.allSatisfy { isLetter($0) || isDigit($0) || ".+:~*?-".utf8.contains($0) }
        if isPattern && !text.isEmpty { return nil }
        return TextMistake(
            "`\(shortened(text))` is neither a version nor a pattern of one",
            hint: text.hasPrefix("/")
                ? "regular expressions are not taken: write for example `18.*`"
                : "write for example `18.*`: `*` is any run of characters, `?` any one")
    }

    /// A user or a group, as Debian's adduser and systemd both allow them.
    static func account(_ noun: String) -> Self {
        .text("the name of \(noun)", pattern: "^[a-z_][a-z0-9_-]{0,31}$") { text in
            isAccountName(text) ? nil : badAccountName(text, of: noun)
        }
    }

    /// A host name of RFC 1123: labels of 1 … 63 letters, digits and inner hyphens, 64 bytes in all for Linux.
    static let hostname = text("a host name", pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$") {
        hostnameMistake($0)
    }

    /// `UTC`, `Europe/Berlin`: a path of the time zone database. Whether it exists there is seen later.
    static let timezone = text("a time zone", pattern: "^[A-Za-z]") { text in
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let good =
            parts.count <= 3
            && parts.allSatisfy { part in
                part.utf8.first.map(isLetter) == true
                    && part.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_+-".utf8.contains($0) }
            }
        return good
            ? nil
            : TextMistake(
                "`\(shortened(text))` is not the name of a time zone",
                hint: "write for example `UTC` or `Europe/Berlin`")
    }

    /// `C.UTF-8`, `de_DE.UTF-8`, `ca_ES.UTF-8@valencia`.
    static let locale = text("a locale", pattern: "^[A-Za-z]") { text in
        let good =
            text.utf8.first.map(isLetter) == true && text.utf8.count <= 64
            && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_.@-".utf8.contains($0) }
        return good
            ? nil
            : TextMistake("`\(shortened(text))` is not a locale", hint: "write for example `C.UTF-8` or `de_DE.UTF-8`")
    }

    /// A path of this machine: absolute, or relative to the root folder.
    static func hostPath(_ noun: String) -> Self {
        .text("the path of \(noun)") { $0.isEmpty ? TextMistake("the path of \(noun) is empty") : nil }
    }

    static let environmentName = text("the name of an environment variable", pattern: "^[A-Za-z_][A-Za-z0-9_]*$") {
        text in
        let good =
            text.utf8.first.map { isLetter($0) || $0 == UInt8(ascii: "_") } == true
            && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
        return good ? nil : TextMistake("`\(shortened(text))` is not the name of an environment variable")
    }

    /// Whether a text passes the format's own check.
    private func checks(_ text: String) -> Bool {
        var reader = RecipeReader()
        let place = Place(file: 0, line: 1, column: 1)
        return read(RecipeNode(.scalar(.init(text: text, isPlain: false)), at: place), &reader) != nil
    }
}

func suiteMistake(_ text: String) -> TextMistake? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let good = parts.allSatisfy { part in
        part.utf8.first.map { isLetter($0) || isDigit($0) } == true
            && part.utf8.allSatisfy { isLetter($0) || isDigit($0) || "+._-".utf8.contains($0) }
    }
    if good { return nil }
    return TextMistake(
        "`\(shortened(text))` is not the name of a suite",
        hint: text.hasSuffix("/") && text.count > 1
            ? "a flat archive, without dists/, is not taken" : "write for example `bookworm`")
}

func isPackageName(_ text: some StringProtocol) -> Bool {
    let isLower = { (byte: UInt8) in (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte) }
    return text.utf8.count >= 2 && text.utf8.first.map(isLower) == true
        && text.utf8.allSatisfy { isLower($0) || "+.-".utf8.contains($0) }
}

func badPackageName(_ text: String) -> TextMistake {
    let lower = text.lowercased()
    return TextMistake(
        "`\(shortened(text))` is not the name of a package",
        hint: lower != text && isPackageName(lower)
            ? "did you mean `\(lower)`?"
            : text.contains(" ")
                ? "write each package as an item of its own"
                : "it has lower-case letters, digits, `+`, `-` and `.`, at least two in all")
}

func isAccountName(_ text: some StringProtocol) -> Bool {
    let isLower = { (byte: UInt8) in (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
    }
    return text.utf8.count <= 32 && text.utf8.first.map(isLower) == true
        && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
}

func badAccountName(_ text: String, of noun: String) -> TextMistake {
    TextMistake(
        "`\(shortened(text))` cannot name \(noun)",
        hint: "use at most 32 lower-case letters, digits, `_` and `-`, beginning with a letter or `_`")
}

func hostnameMistake(_ text: String) -> TextMistake? {
    if text.utf8.count > 64 { return TextMistake("the host name is longer than 64 bytes") }
    if isHostname(text) { return nil }
    return TextMistake(
        "`\(shortened(text))` is not a host name",
        hint: "use letters, digits and inner hyphens; labels are joined by dots")
}

func serviceNameMistake(_ text: String) -> TextMistake? {
    if text.utf8.count > 64 { return TextMistake("`\(shortened(text))` is longer than 64 bytes") }
    let first = text.utf8.first ?? 0
    let rest = text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_-".utf8.contains($0) }
    if (isLetter(first) || isDigit(first)) && rest { return nil }
    return TextMistake(
        "`\(shortened(text))` cannot name a service",
        hint: "use letters, digits, `_` and `-`, beginning with a letter or a digit")
}

/// systemd.unit(5): the kinds of units that something can start after.
private let unitEndings = [
    "target", "service", "socket", "mount", "automount", "path", "timer", "device", "swap", "slice", "scope",
]

/// Whether a text is a unit's full name (systemd.unit(5)).
public func isUnitName(_ text: String) -> Bool {
    guard let dot = text.utf8.lastIndex(of: UInt8(ascii: ".")), dot != text.startIndex, text.utf8.count < 256 else {
        return false
    }
    return unitEndings.contains(String(text[text.index(after: dot)...]))
        && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || ":_.\\@-".utf8.contains($0) }
}

/// The rules of names as the reading of a recipe has them, for those who make recipes' values in another way.
extension Recipe {
    /// Throws if this cannot be a host's name.
    public static func checkHostname(_ name: Located<String>) throws(Failure) {
        if let mistake = hostnameMistake(name.value) { throw Failure(mistake, at: name.location) }
    }

    /// Throws if this cannot be the name of `noun`: `a user`, `a group`.
    public static func checkAccountName(_ name: Located<String>, of noun: String) throws(Failure) {
        if !isAccountName(name.value) { throw Failure(badAccountName(name.value, of: noun), at: name.location) }
    }

    /// Throws if this cannot be a service's name.
    public static func checkServiceName(_ name: Located<String>) throws(Failure) {
        if let mistake = serviceNameMistake(name.value) { throw Failure(mistake, at: name.location) }
    }

    /// Throws if this is no number for a user of one's own.
    public static func checkUserNumber(_ uid: Located<UInt32>) throws(Failure) {
        if let mistake = userNumberMistake(Int(uid.value)) { throw Failure(mistake, at: uid.location) }
    }
}

extension Failure {
    fileprivate init(_ mistake: TextMistake, at location: SourceLocation?) {
        self.init(mistake.message, at: location, hint: mistake.hint)
    }
}

func isHostname(_ text: String) -> Bool {
    text.utf8.count <= 64
        && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
        }
}

func wordPattern(_ words: [String]) -> String {
    "^(" + words.joined(separator: "|") + ")$"
}

func unknownWord(_ text: String, noun: String, words: [String], note: String? = nil) -> TextMistake {
    TextMistake(
        "unknown \(noun) `\(shortened(text))`",
        hint: nearestName(to: text, among: words).map { "did you mean `\($0)`?" }
            ?? note ?? "known: \(words.joined(separator: ", "))")
}

/// Debian's names of the architectures that a recipe can be for.
public let architectureNames = [
    "amd64", "arm64", "armel", "armhf", "i386", "loong64", "mips64el", "mipsel", "ppc64el", "riscv64", "s390x",
]
