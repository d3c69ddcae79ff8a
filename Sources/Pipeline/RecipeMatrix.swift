internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Recipes times architectures, as a CI system's matrix: `include` has a row for each job.
public struct RecipeMatrix: Encodable, Sendable {
    public struct Row: Encodable, Sendable {
        /// The recipe's name: its outputs are out/NAME.
        public var name: String
        public var recipe: String
        public var architecture: String
    }

    /// A part of a matrix: the `number`th of `count`, from 1.
    public struct Shard: Sendable {
        var number: UInt64
        var count: UInt64

        /// `2/3`; nil for anything else.
        public init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }),
                let number = UInt64(parts[0]), let count = UInt64(parts[1]), number >= 1, number <= count, count <= 1000
            else { return nil }
            (self.number, self.count) = (number, count)
        }

        /// By the digest of name and architecture alone: a row stays where it is when others come or go.
        func has(_ row: Row) -> Bool {
            let digest = Digest(hashing: "\(row.name) \(row.architecture)")
            return digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } % count == number - 1
        }
    }

    public var include: [Row]

    /// - Parameters:
    ///   - architectures: those wanted. A recipe that names its own is for that one alone.
    ///   - variables: values for the recipes' variables.
    /// - Throws: the mistakes of all recipes; an architecture that nobody has; two rows of one name and architecture.
    public init(
        recipes paths: [String], architectures: [String], variables: [(String, String)], shard: Shard?
    ) throws {
        for name in architectures where !architectureNames.contains(name) {
            throw Failure(
                "there is no architecture \(name)",
                hint: nearestName(to: name, among: architectureNames).map { "did you mean \($0)?" }
                    ?? "known: \(architectureNames.joined(separator: ", "))", status: .usage)
        }
        var rows = [Row]()
        var mistakes = [Failure]()
        for path in paths {
            let recipe: Recipe
            do {
                recipe = try Recipe.load(path: path, set: variables) { try readFile(at: FilePath($0)) }
            } catch {
                mistakes += error.all
                continue
            }
            let own = recipe.archive.architecture?.value
            for architecture in architectures where own == nil || own == architecture {
                let row = Row(name: recipe.name.value, recipe: path, architecture: architecture)
                if rows.contains(where: { $0.name == row.name && $0.architecture == architecture }) {
                    mistakes.append(
                        Failure(
                            "two recipes are named \(row.name): their outputs would share one directory",
                            at: recipe.name.location, status: .usage))
                }
                rows.append(row)
            }
        }
        if !mistakes.isEmpty { throw Failures(mistakes) }
        include = shard.map { shard in rows.filter(shard.has) } ?? rows
    }
}
