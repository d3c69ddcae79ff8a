internal import Comparing
internal import Debian
internal import Dpkg
internal import Provisioning
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The files of the host that go into an image, read once: what is compared with the previous build is what is used.
struct LocalFiles: Sendable {
    var overlays: [(overlay: Recipe.Overlay, content: FileTree)]
    /// The kernel that the recipe names as a file.
    var kernel: [UInt8]?
    /// What each layer runs, by the layers' names.
    var scripts: [String: [LayerScript]] = [:]

    init(of recipe: Recipe) throws {
        overlays = try recipe.overlays.map { overlay in
            let folder = try scanDirectory(FilePath(recipe.resolve(overlay.source.value)), digesting: true)
            return (overlay, try overlayContent(folder))
        }
        if case .file(let path)? = recipe.kernel?.source { kernel = try Self.read(path, of: recipe) }
        for layer in recipe.layers where !layer.run.isEmpty {
            scripts[layer.name.value] = try layer.run.map {
                LayerScript(name: $0.value, bytes: try Self.read($0, of: recipe))
            }
        }
    }

    private static func read(_ path: Located<String>, of recipe: Recipe) throws(Failure) -> [UInt8] {
        do {
            return try readFile(at: FilePath(recipe.resolve(path.value)))
        } catch {
            throw Failure(error.message, at: path.location, hint: error.hint)
        }
    }

    /// The overlays' sources; one that is laid several times has a number from the second time on.
    var overlayNames: [String] {
        overlays.indices.map { index in
            let source = overlays[index].overlay.source.value
            let count = overlays[..<index].count { $0.overlay.source.value == source }
            return source + (count > 0 ? " (\(count + 1))" : "")
        }
    }

    /// How many paths of an overlay are listed: build.json is read by every comparison.
    private static let mostPaths = 5000

    /// What each overlay has, by the paths that it has in this tree.
    func overlayEntries(in tree: FileTree) -> [BuildRecord.OverlayEntry] {
        zip(overlayNames, overlays).map { name, entry in
            let (overlay, content) = entry
            if content.nodes.count > Self.mostPaths { return .init(name: name, paths: nil) }
            let paths = content.nodes.map { node in
                shownPath(tree.placement(of: overlay.target.value.appending(node.path)))
            }
            return .init(name: name, paths: paths.sorted())
        }
    }

    /// A layer that installs nothing is none, and its scripts would run nowhere.
    func checkScripts(of recipe: Recipe, lock: Lock) throws(Failure) {
        let made = Set(lock.layers.map(\.name))
        for layer in recipe.layers where !made.contains(layer.name.value) {
            guard let script = layer.run.first else { continue }
            throw Failure(
                "the layer \(layer.name.value) has scripts and installs nothing: the layers below have all its packages",
                at: script.location, hint: "let a layer run them that installs something")
        }
    }
}

/// All that decides the bytes of a build's outputs, and nothing else: not where packages and outputs lie, not how much
/// is done at once. Equal inputs and untouched outputs are a fresh build.
///
/// The program counts as a whole, for any part of it may write into an image; layers, which are dear, have a format of
/// their own. A Node tarball is here by the digest in the recipe, which it is checked against before.
func buildInputs(_ recipe: Recipe, _ held: HeldLock, files: LocalFiles, settings: BuildSettings) throws -> [Input] {
    var inputs = [
        Input("version of rootfs-build", settings.toolVersion), Input("program", settings.program),
    ]
    if !settings.kept.isEmpty { inputs.append(Input("kept", settings.keptRules.joined(separator: ", "))) }
    inputs += recipe.settings.map { Input("recipe \($0.name)", $0.value) }
    inputs.append(Input("lock", held.digest.description))
    // The lock names them too; here they have names of their own, as the packages of layers have.
    for package in held.lock.packages {
        guard case .role(let role) = package.purpose else { continue }
        inputs.append(
            Input(
                "\(role) package \(package.name) (\(package.architecture))", "\(package.version) \(package.sha256)"))
    }
    for (name, (_, content)) in zip(files.overlayNames, files.overlays) {
        inputs.append(Input("overlay \(name)", Digest(hashing: try Listing.bytes(of: content)).description))
    }
    for layer in recipe.layers {
        for (index, script) in (files.scripts[layer.name.value] ?? []).enumerated() {
            let name = "script \(index + 1) of layer \(layer.name.value) \(script.name)"
            inputs.append(Input(name, Digest(hashing: script.bytes).description))
        }
    }
    if let kernel = files.kernel { inputs.append(Input("kernel file", Digest(hashing: kernel).description)) }
    return inputs
}
