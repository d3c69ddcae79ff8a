internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

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
