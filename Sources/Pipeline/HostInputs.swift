internal import Booting
internal import Glibc
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Every mistake about the files of the host that a recipe names: overlays, the layers' scripts, the kernel's file,
/// Node's tarball, the keyrings; and a kernel command line that no kernel reads. Looked for before anything is resolved,
/// so that a long build does not end with one of them. Not the mirror: a complete store needs none.
func hostMistakes(_ recipe: Recipe) throws -> [Failure] {
    var mistakes = [Failure]()
    func check(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as Failure {
            mistakes.append(failure)
        }
    }
    let keyrings = [recipe.archive.keyring].compactMap { $0 } + recipe.archive.extra.map(\.keyring)
    for keyring in keyrings { try check { try checkFile(keyring, of: recipe, "keyring") } }
    if case .archive(let archive)? = recipe.node {
        try check {
            try checkFile(archive.file, of: recipe, "tarball of Node")
            try TarballTree.checkDigest(of: archive, recipe: recipe)
        }
    }
    if let kernel = recipe.kernel {
        if case .file(let file) = kernel.source {
            try check {
                try checkFile(file, of: recipe, "kernel")
                if let digest = kernel.sha256 { try checkDigest(digest, of: file, recipe) }
            }
        }
        try check { try checkCommandLine(of: kernel) }
    }
    for script in recipe.layers.flatMap(\.run) { try check { try checkFile(script, of: recipe, "script") } }
    for overlay in recipe.overlays {
        try check {
            let path = FilePath(recipe.resolve(overlay.source.value))
            if isDirectory(path) { return }
            throw exists(path)
                ? Failure("\(path) is no folder to lay over the tree", at: overlay.source.location)
                : missing("there is no folder \(path) to lay over the tree", path, at: overlay.source.location)
        }
    }
    return mistakes
}

/// The mirror that the recipe names, as an address: a directory's absolute path, any other as it is written. nil where
/// it names none, or `--mirror` takes its place, whose directory must be there too.
func recipeMirror(_ recipe: Recipe, _ settings: BuildSettings) throws(Failure) -> String? {
    if let chosen = settings.mirror {
        guard chosen.hasPrefix("/"), !settings.offline, !isDirectory(FilePath(chosen)) else { return nil }
        throw missing(
            "--mirror: there is no directory \(chosen) to take packages from", FilePath(chosen), at: nil,
            otherwise: mirrorHint)
    }
    guard let mirror = recipe.archive.mirror else { return nil }
    return try address(mirror, of: recipe, settings)
}

/// An archive that the recipe names, as an address: a directory's absolute path, any other as it is written.
func address(_ archive: Located<String>, of recipe: Recipe, _ settings: BuildSettings) throws(Failure) -> String {
    if archive.value.contains("://") { return archive.value }
    let path = FilePath(recipe.resolve(archive.value))
    // The store alone may do; a directory that is not there now has its name all the same.
    if path.isAbsolute && settings.offline { return path.string }
    guard isDirectory(path), let absolute = realpath(path.string, nil) else {
        throw missing(
            "there is no directory \(path) to take packages from", path, at: archive.location,
            otherwise: mirrorHint)
    }
    defer { free(absolute) }
    return path.isAbsolute ? path.string : String(cString: absolute)
}

private let mirrorHint = "a server's address begins with http:// or https://"

/// That a file can be opened and is none of the things that cannot be read to an end.
func checkFile(_ file: Located<String>, of recipe: Recipe, _ what: String) throws(Failure) {
    let path = FilePath(recipe.resolve(file.value))
    if !exists(path) { throw missing("there is no \(what) \(path)", path, at: file.location) }
    if isDirectory(path) { throw Failure("\(path) is a folder, not a \(what)", at: file.location) }
    if access(path.string, R_OK) != 0 {
        let failure = systemFailure("read", path)
        throw Failure(failure.message, at: file.location, hint: failure.hint)
    }
}

private func checkDigest(_ wanted: Located<Digest>, of file: Located<String>, _ recipe: Recipe) throws(Failure) {
    let digest = try Blob(file: FilePath(recipe.resolve(file.value))).takeDigest()
    if digest == wanted.value { return }
    throw Failure(
        "\(file.value) is not the file that the recipe means", at: wanted.location,
        notes: ["the recipe says \(wanted.value)", "the file has    \(digest)"],
        hint: "fetch it again, or correct the digest if the file is right")
}

/// Each argument by itself, with its place; then the line in all, as the longest of the boots has it.
private func checkCommandLine(of kernel: Recipe.Kernel) throws(Failure) {
    for argument in kernel.arguments {
        do throws(Failure) {
            _ = try KernelCommandLine([argument.value])
        } catch {
            throw Failure(error.message, at: argument.location, hint: error.hint)
        }
    }
    do throws(Failure) {
        _ = try FirecrackerConfiguration(
            initrd: kernel.initrd == .never ? nil : "initrd", image: "image", arguments: kernel.arguments.map(\.value),
            vcpus: 1, memory: 1
        ).text()
    } catch {
        throw Failure(error.message, at: kernel.arguments.first?.location, hint: error.hint)
    }
}

/// A failure about a path that is not there, with the nearest name in the deepest folder that is.
private func missing(_ message: String, _ path: FilePath, at location: SourceLocation?, otherwise: String? = nil)
    -> Failure
{
    // `overlay/supervisor` for `overlays/supervisor`: the folder is what is misspelt.
    var missing = path
    var parent = path.removingLastComponent()
    var rest = [FilePath.Component]()
    while !parent.isEmpty, !isDirectory(parent) {
        if let name = missing.lastComponent { rest.insert(name, at: 0) }
        missing = parent
        parent = parent.removingLastComponent()
    }
    let folder = parent.isEmpty ? FilePath(".") : parent
    let names = ((try? directoryNames(at: folder)) ?? []).map { String(decoding: $0, as: UTF8.self) }.sorted()
    var meant = nearestName(to: missing.lastComponent?.string ?? "", among: names).map { parent.appending($0) }
    for name in rest { meant?.append(name) }
    let near = meant.flatMap { exists($0) ? $0 : nil }
    return Failure(message, at: location, hint: near.map { "did you mean \($0)?" } ?? otherwise)
}
