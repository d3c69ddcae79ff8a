internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Reads recipes that are to be built, and looks at all that they name on this host: mistakes in the last one show
/// before the first one is begun.
func loadRecipes(_ paths: [String], settings: BuildSettings) throws -> [(path: String, recipe: Recipe)] {
    var loaded = [(path: String, recipe: Recipe)]()
    var mistakes = [Failure]()
    for path in paths {
        do {
            let recipe = try loadRecipe(path, settings: settings)
            loaded.append((path, recipe))
            mistakes += try hostMistakes(recipe)
        } catch let failure as Failure {
            mistakes.append(failure)
        } catch let failures as Failures {
            mistakes += failures.all
        }
    }
    for (index, entry) in loaded.enumerated() {
        let name = entry.recipe.name.value
        do throws(Failure) {
            try OutputDirectory.check(settings.directory(of: entry.recipe), of: name)
        } catch {
            mistakes.append(error)
        }
        if loaded[..<index].contains(where: { $0.recipe.name.value == name }) {
            mistakes.append(
                Failure(
                    "two recipes are named \(name): their outputs would share one directory",
                    at: entry.recipe.name.location, status: .usage))
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return loaded
}

/// Reads a recipe and all it is made from.
func loadRecipe(_ path: String, settings: BuildSettings) throws -> Recipe {
    let file = FilePath(path)
    if file.extension == "lock" {
        throw Failure(
            "\(path) is a lock, not a recipe", hint: "name the recipe beside it, which ends in .manifest",
            status: .usage)
    }
    if !exists(file), !path.contains("/"), !path.contains("."),
        let near = nearestName(to: path, among: settings.subcommands)
    {
        throw Failure(
            "there is no recipe \(path), nor is it a subcommand", hint: "did you mean rootfs-build \(near)?",
            status: .usage)
    }
    if !exists(file) {
        throw Failure("cannot read \(path): No such file or directory", hint: nearestSibling(of: file))
    }
    let recipe = try Recipe.load(path: path, set: settings.variables) { try readFile(at: FilePath($0)) }
    if let layer = recipe.layers.first(where: { $0.name.value == "base" }) {
        throw Failure(
            "the layer name base is taken: it is the layer of essential packages that every image has",
            at: layer.name.location, hint: "call it something else, such as system")
    }
    return recipe
}

/// `did you mean …?`, for a path that is not there: the files of its kind beside it, compared without their extension.
private func nearestSibling(of path: FilePath) -> String? {
    let parent = path.removingLastComponent()
    let names = (try? directoryNames(at: parent.isEmpty ? "." : parent)) ?? []
    let siblings = names.compactMap { FilePath.Component(String(decoding: $0, as: UTF8.self)) }
        .filter { $0.extension == path.extension }
    guard let near = nearestName(to: path.stem ?? "", among: siblings.map(\.stem).sorted()),
        let sibling = siblings.first(where: { $0.stem == near })
    else { return nil }
    return "did you mean \(parent.appending(sibling))?"
}
