import ArgumentParser
import Debian
import Dpkg
import Glibc
import Normalization
import Recipes
import RootfsModel
import Storage
import SystemPackage

/// Compares what a build makes of a recipe's packages with what mmdebstrap makes of the same packages.
///
/// On our side that is the tree that the build keeps in its store: all layers, normalised, before anything else of the
/// recipe is laid over them. Theirs is normalised by the same rules, and its scripts have the same environment.
struct Equivalence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "equivalence",
        abstract: "Compare the packages' trees of recipes with those that mmdebstrap makes.",
        discussion: """
            Path by path: kind, mode, owner, group, device, link target, content, extended attributes, hard links; \
            dpkg's status database entry by entry. Needs root, mmdebstrap, dpkg-dev and the host's APT sources. What the \
            store given has need not be downloaded. Exit status: 0 the same but for what is allowed; 1 another \
            difference, or an allowance that allows nothing.
            """)

    @Option(help: "The program.")
    var program = ".build/release/rootfs-build"

    @Option(help: "The differences that have a reason.")
    var allow = "docs/equivalence.allow"

    @Option(help: "An existing directory to work in, on a disk with 6 GB free.")
    var work = ".build"

    @Option(help: "A store whose downloads are used; it is not changed. (default: the user's)")
    var store: String?

    @Argument(help: "The recipes; a lock is written beside those that have none.")
    var recipes = ["recipes/minimal.manifest", "recipes/browser.manifest"]

    func run() throws {
        let allowances = try Allowances(
            parsing: String(decoding: try readFile(at: FilePath(allow)), as: UTF8.self), name: allow)
        var mistakes = [String]()
        for recipe in recipes {
            let directory = try TemporaryDirectory(beside: absolutePath(work).appending("rootfs-equivalence"))
            let name = FilePath(recipe).stem ?? recipe
            let (ours, lock) = try build(recipe, in: directory.path)
            let theirs = try bootstrap(recipe, lock, in: directory.path)
            let differences = try TreeComparison.differences(ours, theirs, read: { try $0.readAll() })
            let wrong = allowances.judge(differences, of: name)
            mistakes += wrong
            note(
                "\(name): \(ours.nodes.count) paths, \(differences.count) differences, "
                    + (wrong.isEmpty ? "all allowed" : "\(wrong.count) mistakes"))
        }
        for mistake in mistakes { print(mistake) }
        if !mistakes.isEmpty { throw ExitCode(ExitStatus.negative.rawValue) }
    }

    /// The tree of the packages as the build's store has it.
    private func build(_ recipe: String, in directory: FilePath) throws -> (FileTree, Lock) {
        let own = directory.appending("store")
        try seedStore(from: absolutePath(store ?? userStore()), at: own)
        note("building \(recipe)")
        let output = directory.appending("ours").string
        let command = [absolutePath(program).string, recipe, "--cache", own.string, "-o", output, "--quiet"]
        _ = try rootfs_bench.run(command)
        let lockFile = FilePath(recipe).removingLastComponent().appending("\(FilePath(recipe).stem ?? "").lock")
        let lock = try Lock(parsing: try readFile(at: lockFile), file: lockFile.string)
        let trees = own.appending("trees")
        let kept = try directoryNames(at: trees).flatMap { shelf in
            let shelf = trees.appending(String(decoding: shelf, as: UTF8.self))
            return try directoryNames(at: shelf).map { shelf.appending(String(decoding: $0, as: UTF8.self)) }
        }
        guard kept.count == 1, let tree = kept.first?.appending("tree") else {
            throw Failure("the build kept \(kept.count) trees in \(trees), not one")
        }
        return (try TreeSnapshot.parse(try readFile(at: tree), below: own.string, name: tree.string).tree, lock)
    }

    private func bootstrap(_ recipe: String, _ lock: Lock, in directory: FilePath) throws -> FileTree {
        let peer = try Peer(lock, from: directory.appending("store"), at: directory.appending("archive"))
        let tree = directory.appending("theirs")
        note("installing the same \(lock.packages.count) packages with mmdebstrap")
        let moment = Timestamp(seconds: lock.moment)
        let environment = MaintainerScripts.environment(moment: moment).map { "\($0)=\($1)" }
        let command = peer.command(
            variant: "minbase", installing: ["apt", "usr-is-merged"] + (try Self.requests(of: recipe)), into: tree)
        _ = try rootfs_bench.run(["env"] + environment + command)
        return try Normalization.normalise(
            try scanDirectory(tree, digesting: true), by: Normalization.rules, moment: moment,
            read: { try $0.readAll() }
        ).tree
    }

    /// What the recipe asks for, in its order, by which apt chooses between alternatives.
    private static func requests(of recipe: String) throws -> [String] {
        let recipe = try Recipe.load(path: recipe, read: { try readFile(at: FilePath($0)) })
        var requests = recipe.layers.flatMap { $0.packages.map(\.value.description) }
        if case .package(let node)? = recipe.node { requests.append(node.value.description) }
        return requests
    }
}
