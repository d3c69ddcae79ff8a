public import RootfsModel

// The kinds of single values: what each accepts, and what it says to what it does not accept.

extension ValueFormat where Value == Bool {
    /// `true` or `false`; YAML 1.1's `yes`, `on` and the like are refused.
    static let truth = Self(
        schema: .anyOf([.object([.init("type", .string("boolean"))]), .textWithVariables]),
        read: { node, reader in
            guard let scalar = reader.scalar(node, expected: "true or false") else { return nil }
            switch (scalar.text, scalar.isPlain) {
            case ("true", true): return true
            case ("false", true): return false
            case (let text, _):
                let meant = ["yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"]
                let word = text.lowercased()
                let hint = (meant[word] ?? (["true", "false"].contains(word) ? word : nil)).map { "write `\($0)`" }
                reader.report(expected: "true or false", found: node, hint: hint)
                return nil
            }
        },
        write: { .bool($0) })
}

extension ValueFormat where Value == Int {
    /// A whole number in plain decimal digits.
    static func number(_ range: ClosedRange<Int>) -> Self {
        Self(
            schema: .anyOf([
                .object([
                    .init("type", .string("integer")), .init("minimum", .number(Int64(range.lowerBound))),
                    .init("maximum", .number(Int64(range.upperBound))),
                ]), .textWithVariables,
            ]),
            read: { node, reader in
                guard let scalar = reader.scalar(node, expected: "a whole number") else { return nil }
                guard scalar.isPlain else {
                    let hint = decimal(scalar.text) == nil ? nil : "write it without quotes"
                    reader.report(expected: "a whole number", found: node, hint: hint)
                    return nil
                }
                guard let value = decimal(scalar.text) else {
                    let stripped = String(scalar.text.drop { $0 == "0" })
                    reader.report(
                        expected: "a whole number in decimal digits", found: node,
                        hint: decimal(stripped) == nil ? nil : "write `\(stripped)`")
                    return nil
                }
                guard range.contains(value) else {
                    reader.report(
                        "\(scalar.text) is out of range: \(range.lowerBound) to \(range.upperBound)", at: node.place)
                    return nil
                }
                return value
            },
            write: { .number(Int64($0)) })
    }
}

/// A whole number as it is written in decimal: no sign, no leading zero, no separators.
func decimal(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy(isDigit), text == "0" || text.utf8.first != UInt8(ascii: "0") else {
        return nil
    }
    return Int(text)
}

extension ValueFormat where Value == ByteCount {
    static let size = parsed(
        "a size such as 512MiB", pattern: #"^[0-9]+(\.[0-9]+)? ?([KMGT]iB|[kMGT]B|B)$"#, neverNumber: true,
        write: \.description
    ) { text, reader, place in
        if let size = ByteCount(text) { return size }
        let mistake = quantityMistake(
            text, noun: "size", units: ByteCount.units.map(\.name), example: ("MiB", "MB"), fits: "below 2^63 bytes")
        reader.report(mistake.message, at: place, hint: mistake.hint)
        return nil
    }
}

extension ValueFormat where Value == Duration {
    static let duration = parsed(
        "a duration such as 30s", pattern: #"^[0-9]+(\.[0-9]+)? ?(h|min|m|s|ms)$"#, neverNumber: true,
        write: \.recipeText
    ) { text, reader, place in
        if let duration = Duration(recipeText: text) { return duration }
        let mistake = durationMistake(text)
        reader.report(mistake.message, at: place, hint: mistake.hint)
        return nil
    }
}

func durationMistake(_ text: String) -> TextMistake {
    quantityMistake(
        text, noun: "duration", units: Duration.recipeUnits.map(\.name), example: ("s", "ms"),
        fits: "a whole number of milliseconds within a year")
}

/// What is wrong with a number and its unit.
private func quantityMistake(
    _ text: String, noun: String, units: [String], example: (String, String), fits: String
) -> TextMistake {
    guard let (_, unit) = splitQuantity(text) else {
        return TextMistake("`\(shortened(text))` is not a \(noun)", hint: "write for example `30\(example.0)`")
    }
    if unit.isEmpty {
        return TextMistake(
            "`\(shortened(text))` has no unit", hint: "write `\(text)\(example.0)` or `\(text)\(example.1)`")
    }
    if units.contains(unit) {
        return TextMistake("`\(shortened(text))` is not \(fits)")
    }
    let lower = unit.lowercased()
    let words = ["sec": "s", "seconds": "s", "minutes": "min", "hours": "h", "bytes": "B"]
    let meant =
        units.first { [lower, lower + "b", lower + "ib"].contains($0.lowercased()) && lower.count < 4 }
        ?? words[lower].flatMap { units.contains($0) ? $0 : nil }
    return TextMistake(
        "unknown unit `\(shortened(unit))`",
        hint: meant.map { "did you mean `\(text.dropLast(unit.count))\($0)`?" }
            ?? "known: \(units.joined(separator: ", "))")
}

extension ValueFormat where Value == UInt16 {
    /// Octal: in a string, or plain with the prefix 0 or 0o.
    static let mode = Self(
        schema: .anyOf([
            .object([.init("type", .string("string")), .init("pattern", .string(#"^(0o?)?[0-7]{3,4}$|\$\{"#))]),
            .object([.init("type", .string("integer"))]),
        ]),
        read: { node, reader in
            let expected = "a mode such as 0755"
            guard let scalar = reader.scalar(node, expected: expected) else { return nil }
            let text = Substring(scalar.text)
            let hasPrefix = text.hasPrefix("0")
            let digits =
                text.hasPrefix("0o") ? text.dropFirst(2) : hasPrefix && text.count > 3 ? text.dropFirst() : text
            guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
                let mode = UInt16(digits, radix: 8)
            else {
                reader.report(expected: expected, found: node, hint: "a mode has three or four octal digits")
                return nil
            }
            if scalar.isPlain && !hasPrefix {
                reader.report(
                    "`\(text)` may be meant as decimal or as octal", at: node.place,
                    hint: "write `0\(text)` for the mode")
                return nil
            }
            return mode
        },
        write: { .string("0" + String($0, radix: 8)) })
}

extension ValueFormat where Value == TreePath {
    /// An absolute path inside the image.
    static func imagePath(_ noun: String, allowingRoot: Bool = false) -> Self {
        parsed("the path of \(noun)", pattern: "^/", write: \.description) { text, reader, place in
            guard text.hasPrefix("/") else {
                reader.report(
                    "the path of \(noun) must be absolute, found `\(shortened(text))`", at: place,
                    hint: text.isEmpty ? nil : "did you mean `/\(shortened(text))`?")
                return nil
            }
            guard let path = TreePath(normalizing: text) else {
                reader.report("the path of \(noun) has `..` in it", at: place)
                return nil
            }
            if path.isRoot && !allowingRoot {
                reader.report("the path of \(noun) cannot be `/`", at: place)
                return nil
            }
            return path
        }
    }
}

extension ValueFormat where Value == Digest {
    static let digest = parsed(
        "a SHA-256 digest", pattern: "^(sha256:)?[0-9A-Fa-f]{64}$", write: \.hex
    ) { text, reader, place in
        if let digest = Digest(hex: text) { return digest }
        let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : Substring(text)
        reader.report(
            "not a SHA-256 digest: \(digits.count) characters instead of 64 hexadecimal digits", at: place,
            hint: "`sha256sum FILE` prints it")
        return nil
    }
}

extension ValueFormat where Value == Recipe.PackageRequest {
    static let package = parsed(
        "the name of a package",
        pattern: "^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+|/[A-Za-z0-9][A-Za-z0-9+._/-]*)?$",
        write: \.description
    ) { text, reader, place in
        // A version has no slash in it, a suite may.
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let named = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        func refuse(_ mistake: TextMistake) -> Recipe.PackageRequest? {
            reader.report(mistake.message, at: place, hint: mistake.hint)
            return nil
        }
        guard isPackageName(named[0]) else { return refuse(badPackageName(String(named[0]))) }
        var request = Recipe.PackageRequest(name: String(named[0]))
        if named.count == 2 {
            let architecture = String(named[1])
            let known = ValueFormat<String>.architectures + ["all", "any", "native"]
            guard known.contains(architecture) else {
                return refuse(unknownWord(architecture, noun: "architecture", words: known))
            }
            request.architecture = architecture
        }
        if parts.count == 2 {
            let isVersion =
                parts[1].utf8.first.map(isDigit) == true
                && parts[1].utf8.allSatisfy { isLetter($0) || isDigit($0) || ".+:~-".utf8.contains($0) }
            guard isVersion else {
                return refuse(
                    TextMistake(
                        parts[1].isEmpty
                            ? "no version behind the `=`"
                            : "`\(shortened(String(parts[1])))` is not a package's version",
                        hint: "write for example `\(named[0])=1.2-3`"))
            }
            request.version = String(parts[1])
        }
        if halves.count == 2 {
            if let version = request.version {
                return refuse(
                    TextMistake(
                        "a package is asked for in a version or from a suite, not both",
                        hint: "write `\(halves[0])` or `\(named[0])/\(halves[1])`: version \(version) is in one suite"))
            }
            if let mistake = suiteMistake(String(halves[1])) { return refuse(mistake) }
            request.suite = String(halves[1])
        }
        return request
    }
}

extension ValueFormat where Value == Recipe.Owner {
    static let owner = parsed(
        "an owner such as agent:agent", pattern: "^[a-z0-9_][a-z0-9_-]*(:[a-z0-9_][a-z0-9_-]*)?$", write: \.description
    ) { text, reader, place in
        do throws(Failure) {
            return try Recipe.Owner(text)
        } catch {
            reader.report(error.message, at: place, hint: error.hint)
            return nil
        }
    }
}

extension Recipe.Owner {
    /// An owner from its text: `user` or `user:group`, names or numbers; a user alone stands for the group of the same
    /// name or number too. Throws what is wrong with it.
    public init(_ text: String) throws(Failure) {
        var principals = [Principal]()
        for part in text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false) {
            if let number = decimal(part), let id = UInt32(exactly: number), id != .max {
                principals.append(.number(id))
            } else if isAccountName(part) {
                principals.append(.name(String(part)))
            } else {
                let mistake = badAccountName(String(part), of: principals.isEmpty ? "a user" : "a group")
                throw Failure(mistake.message, hint: mistake.hint)
            }
        }
        self.init(user: principals[0], group: principals.last ?? principals[0])
    }
}

extension ValueFormat where Value == Timestamp {
    /// RFC 3339 in UTC, to the second.
    static let moment = parsed(
        "a moment such as 2026-11-20T00:00:00Z", pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        write: { CivilDate($0.seconds).momentText },
        parse: { text, reader, place in
            if let moment = parseMoment(text) { return moment }
            reader.report(
                "`\(shortened(text))` is not a moment in UTC", at: place,
                hint: "write for example `2026-11-20T00:00:00Z`")
            return nil
        })
}

private func parseMoment(_ text: String) -> Timestamp? {
    let bytes = Array(text.utf8)
    guard bytes.count == 20 else { return nil }
    for (index, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")] {
        guard bytes[index] == mark.utf8.first else { return nil }
    }
    var fields = [Int]()
    for range in [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19] {
        guard bytes[range].allSatisfy(isDigit), let value = Int(String(decoding: bytes[range], as: UTF8.self)) else {
            return nil
        }
        fields.append(value)
    }
    let (year, month, day) = (fields[0], fields[1], fields[2])
    guard year >= 1970, (1...12).contains(month), day >= 1, fields[3] < 24, fields[4] < 60, fields[5] < 60 else {
        return nil
    }
    let next =
        month == 12
        ? CivilDate.days(year: year + 1, month: 1, day: 1) : CivilDate.days(year: year, month: month + 1, day: 1)
    let number = CivilDate.days(year: year, month: month, day: day)
    guard number < next else { return nil }
    return Timestamp(seconds: Int64(number * 86_400 + fields[3] * 3600 + fields[4] * 60 + fields[5]))
}

typealias PackageFormat = ValueFormat<Recipe.PackageRequest>
typealias PathFormat = ValueFormat<TreePath>
