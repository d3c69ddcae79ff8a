public import RootfsModel

extension Recipe {
    /// Reads a recipe and those it builds on.
    ///
    /// - Parameters:
    ///   - path: The recipe's path, as messages show it.
    ///   - root: The folder that its paths are relative to; nil: found from the path (`rootFolder(ofRecipeAt:)`).
    ///   - set: Values for variables that the recipe has, in order; of several for one name the last holds.
    ///   - read: Gives a file's bytes. What it throws becomes a mistake at the place that names the file.
    /// - Throws: `Failures`: every mistake of all files, each file's in the order of its text. A value for a variable
    ///   that the recipe does not have comes first, with the status `usage`.
    public static func load(
        path: String, root: String? = nil, set: [(String, String)] = [], read: (String) throws -> [UInt8]
    ) throws(Failures) -> Recipe {
        var loader = RecipeLoader(root: root ?? rootFolder(ofRecipeAt: path))
        return try loader.load(path: path, set: set, read: read)
    }
}

/// Brings the files of one recipe together and reads them.
private struct RecipeLoader {
    let root: String
    var reader = RecipeReader()
    var sources: [Recipe.Source] = []

    /// More recipes on top of each other than anybody can follow.
    static let longestChain = 16

    init(root: String) {
        self.root = root
    }

    mutating func load(
        path: String, set: [(String, String)], read: (String) throws -> [UInt8]
    ) throws(Failures) -> Recipe {
        let bytes: [UInt8]
        do {
            bytes = try read(path)
        } catch {
            throw Failures([readFailure(path: path, error)])
        }
        guard let merged = merge(path: path, bytes: bytes, chain: [], read: read) else {
            try reader.check()
            throw Failures([Failure("cannot read \(path): nothing in it can be read")])
        }
        if reader.hasGaps { try reader.check() }
        var variables = RecipeVariables(of: merged, set: set, into: &reader)
        let expanded = variables.expand(root: merged, into: &reader)
        let value = ValueFormat<Recipe>.recipe.read(expanded, &reader)
        if let value {
            for failure in value.unsupported() { reader.report(failure) }
        }
        try reader.check()
        guard var recipe = value else { throw Failures([Failure("cannot read \(path)")]) }
        recipe.variables = variables.resolved
        recipe.sources = sources
        recipe.root = root
        return recipe
    }

    /// What `read` threw, said once.
    private func readFailure(path: String, _ error: any Error) -> Failure {
        (error as? Failure) ?? Failure("cannot read \(path): \(error)")
    }

    /// The node of a file with its bases below it; nil when there is nothing to go on with.
    private mutating func merge(
        path: String, bytes: [UInt8], chain: [String], read: (String) throws -> [UInt8]
    ) -> RecipeNode? {
        sources.append(Recipe.Source(path: path, digest: Digest(hashing: bytes)))
        guard let node = YamlDocument.read(bytes, path: path, into: &reader) else { return nil }
        guard node.entries != nil else {
            reader.report(
                expected: "the recipe with its keys", found: node,
                hint: "a recipe begins with `recipe: 1` and `name: …`")
            return nil
        }
        checkVersion(node)
        guard let from = node.value("from"), !from.isNull else { return node }
        guard let wanted = reader.scalar(from, expected: "the path of a recipe")?.text else { return nil }
        if wanted.isEmpty || wanted.contains("${") {
            reader.report(
                wanted.isEmpty ? "the path of a recipe is empty" : "variables cannot stand in `from`", at: from.place)
            return nil
        }
        let chain = chain + [simplifiedPath(path)]
        if chain.count > Self.longestChain {
            reader.report("more than \(Self.longestChain) recipes on top of each other", at: from.place)
            return nil
        }
        guard let (basePath, baseBytes) = find(wanted, beside: path, at: from.place, chain: chain, read: read),
            let base = merge(path: basePath, bytes: baseBytes, chain: chain, read: read)
        else { return nil }
        return ValueFormat<Recipe>.recipe.merge(base, node)
    }

    /// A base's path and bytes: relative to the root folder, else beside the recipe that names it.
    private mutating func find(
        _ wanted: String, beside path: String, at place: Place, chain: [String], read: (String) throws -> [UInt8]
    ) -> (String, [UInt8])? {
        var candidates = [simplifiedPath(joinPath(root, wanted))]
        let beside = simplifiedPath(joinPath(directoryOf(path), wanted))
        if beside != candidates[0] { candidates.append(beside) }
        var causes = [String]()
        for candidate in candidates {
            if let start = chain.firstIndex(of: candidate) {
                let circle = chain[start...] + [candidate]
                reader.report("recipes that build on each other: \(circle.joined(separator: " → "))", at: place)
                return nil
            }
            do {
                return (candidate, try read(candidate))
            } catch {
                causes.append(readFailure(path: candidate, error).message)
            }
        }
        reader.report(
            "cannot read the recipe `\(shortened(wanted))`", at: place, notes: causes,
            hint: "a path is relative to the folder that holds `recipes/`, or to the recipe")
        return nil
    }

    /// Every file says which version of the format it is written in.
    private mutating func checkVersion(_ node: RecipeNode) {
        guard let version = node.value("recipe") else {
            // Where the merged recipe has none either, that is said when it is read.
            if node.value("from") != nil || reader.texts.count > 1 {
                reader.report("the recipe needs `recipe`", at: node.place, hint: "write `recipe: 1`")
            }
            return
        }
        if version.isNull { return }
        guard let number = ValueFormat<Int>.number(0...Int.max).read(version, &reader) else { return }
        if number != 1 {
            reader.hasGaps = true
            reader.report(
                "version \(number) of the recipe format is not known", at: version.place,
                hint: "this program reads version 1")
        }
    }
}
