internal import RootfsModel

// The keys of `nightly:`.

extension ValueFormat where Value == Recipe.Nightly {
    static let nightly = Self.record(
        "nightly",
        keys: [
            RecipeKey(
                "findings", \.findings, ValueFormat<Recipe.Nightly.Findings>.choice("finding"),
                "the least finding of the check that is in the way: error, warning or none; default error"),
            RecipeKey(
                "boot", \.boot, .truth, "whether the image is booted, and has to be proven; default true"),
            RecipeKey(
                "new-setuid", \.newSetuid, .gate,
                "a program that is setuid or setgid, or has capabilities, and had not; default refuse"),
            RecipeKey(
                "package-removed", \.packageRemoved, .gate, "a package that the image no longer has; default refuse"),
            RecipeKey(
                "size-growth", \.sizeGrowth, .percentage,
                "by how much its files may grow over the last good image; default 20%"),
            RecipeKey(
                "reproduced", \.reproduced, .truth,
                "whether the image is built twice, and has to be the same; default false"),
            RecipeKey("unpinned", \.unpinned, .gate, "what neither recipe nor lock pins; default refuse"),
            RecipeKey(
                "allow", \.allow, ValueFormat<Recipe.Nightly.Moves>.choice("kind of moves"),
                "what may move without a person: security, all or none; default all"),
            RecipeKey("keep", \.keep, .retention, "which builds are kept; default 14 nights, 8 weeks"),
            RecipeKey(
                "report", \.report,
                TextFormat.text("a directory", pattern: nil) { text in
                    text.isEmpty ? TextMistake("a directory without a name is none") : nil
                }.located(), "a directory for each night's reports; default: beside the kept builds alone"),
        ],
        initial: { Recipe.Nightly() })
}

extension ValueFormat where Value == Recipe.Nightly.Gate {
    static let gate = choice("gate")
}

extension ValueFormat where Value == Int {
    /// `10%`, from 0 to 1000.
    static let percentage = parsed(
        "a percentage such as 10%", pattern: "^(0|[1-9][0-9]{0,3})%$", neverNumber: true, write: { "\($0)%" },
        parse: { text, reader, place in
            guard let value = decimal(text.hasSuffix("%") ? text.dropLast() : text[...]) else {
                reader.report("`\(shortened(text))` is not a percentage", at: place, hint: "write for example `10%`")
                return nil
            }
            guard text.hasSuffix("%") else {
                reader.report("`\(shortened(text))` has no unit", at: place, hint: "write `\(shortened(text))%`")
                return nil
            }
            guard (0...1000).contains(value) else {
                reader.report("\(shortened(text)) is out of range: 0% to 1000%", at: place)
                return nil
            }
            return value
        })
}

extension ValueFormat where Value == Recipe.Nightly.Retention {
    static let retention = Self.record(
        "keep",
        keys: [
            RecipeKey("nights", \.nights, .number(1...3650), "how many nights that have a build; default 14"),
            RecipeKey("weeks", \.weeks, .number(0...520), "how many weeks that have a build; default 8"),
        ],
        initial: { Recipe.Nightly.Retention() }
    ).orShort(words)

    /// `14 nights, 8 weeks`; without weeks none of them.
    private static let words = parsed(
        "what is kept, such as 14 nights, 8 weeks",
        pattern: "nights?", neverNumber: true,
        write: { "\($0.nights) nights, \($0.weeks) weeks" },
        parse: { text, reader, place in
            var kept = Recipe.Nightly.Retention()
            kept.weeks = 0
            var units = Set<String>()
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let words = part.split(separator: " ")
                guard words.count == 2, let count = decimal(words[0]),
                    let unit = ["nights", "weeks"].first(where: { $0 == words[1] || $0.dropLast() == words[1] }),
                    units.insert(unit).inserted
                else {
                    reader.report(
                        "`\(shortened(text))` does not say what is kept", at: place,
                        hint: "write for example `14 nights, 8 weeks`")
                    return nil
                }
                guard unit == "nights" ? (1...3650).contains(count) : (0...520).contains(count) else {
                    reader.report(
                        "\(count) \(unit) are out of range: \(unit == "nights" ? "1 to 3650" : "0 to 520")", at: place)
                    return nil
                }
                if unit == "nights" { kept.nights = count } else { kept.weeks = count }
            }
            guard units.contains("nights") else {
                reader.report(
                    "`\(shortened(text))` keeps no night", at: place, hint: "write for example `14 nights, \(text)`")
                return nil
            }
            return kept
        })
}
