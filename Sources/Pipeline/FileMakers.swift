internal import Recipes
internal import RootfsModel
internal import Storage

/// What made the paths of an image, as far as the image and its recipe tell: dpkg's lists of files, the recipe's overlays
/// and files, and, for what is in none of them, the maintainer scripts that have its name in them.
struct FileMakers {
    /// A maintainer script of the image.
    private struct Script {
        /// `postinst of hello`.
        var name: String
        var bytes: [UInt8]
    }

    private var packages: [TreePath: String] = [:]
    private var recipe: [TreePath: String] = [:]
    private var scripts: [Script] = []

    /// - Parameters:
    ///   - tree: an image's tree, its contents at hand.
    ///   - recipe: what the image was made from, with its overlays' folders.
    init(of tree: FileTree, recipe: Recipe, overlays: [(overlay: Recipe.Overlay, content: FileTree)]) throws {
        for file in recipe.files { self.recipe[file.path.value] = "the recipe's files" }
        for (overlay, content) in overlays {
            for node in content.nodes where !node.isDirectory {
                self.recipe[overlay.target.value.appending(node.path)] = "the overlay \(overlay.source.value)"
            }
        }
        for (package, paths) in try tree.packageFileLists() {
            for path in paths { packages[tree.resolve(path, followingLast: false) ?? path] = package }
        }
        for node in tree.children(of: "var/lib/dpkg/info") {
            guard let blob = node.blob else { continue }
            let file = String(decoding: node.path.name, as: UTF8.self)
            guard let dot = file.lastIndex(of: ".") else { continue }
            let package = String(file[..<dot].prefix { $0 != ":" })
            let kind = file[file.index(after: dot)...]
            if ["preinst", "postinst", "config", "triggers"].contains(kind) {
                scripts.append(Script(name: "\(kind) of \(package)", bytes: try blob.readAll()))
            }
        }
    }

    /// Who made a path, as a clause.
    func maker(of path: TreePath) -> String {
        if let recipe = recipe[path] { return "from \(recipe)" }
        let named = naming(path)
        let words = named.isEmpty ? "" : ": \(named.joined(separator: ", ")) \(named.count == 1 ? "names" : "name") it"
        if let package = packages[path] { return "from the package \(package), changed by a script\(words)" }
        return words.isEmpty
            ? "made by a script or by the build itself: no package, overlay or file of the recipe has it"
            : "made by a script\(words)"
    }

    /// The scripts that have the path in them; where none has, those that have the folder it is in.
    private func naming(_ path: TreePath) -> [String] {
        for candidate in [path, path.parent].compactMap({ $0 }) where candidate.components.count > 1 {
            let text = [UInt8(ascii: "/")] + candidate.bytes
            let found = scripts.filter { $0.bytes.firstRange(of: text) != nil }.map(\.name)
            if !found.isEmpty { return Array(found.prefix(5)) }
        }
        return []
    }
}
