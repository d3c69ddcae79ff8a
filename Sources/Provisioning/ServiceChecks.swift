internal import Recipes
internal import RootfsModel

/// Checks that what the services need is in the finished tree: the supervisor, the program, the user, scripts among the
/// arguments. Throws every mistake at once.
func checkServices(
    _ services: [Recipe.Service], in tree: FileTree, read: (Blob) throws -> [UInt8]
) throws {
    guard let first = services.first else { return }
    var mistakes = [Failure]()
    let parts =
        hasSystemd(tree)
        ? [
            "/etc/systemd/system/app-.service.d/10-visible.conf", "/usr/lib/microvm/report-exit",
            "/usr/lib/microvm/ready",
        ]
        : ["/usr/lib/microvm/supervise", "/usr/lib/microvm/ready"]
    let missing = parts.filter { !isFile($0, in: tree) }
    if !missing.isEmpty {
        mistakes.append(
            Failure(
                "the recipe has services, but the image has no supervisor to watch them", at: first.name.location,
                notes: missing.map { "missing: \($0)" }, hint: "add overlays/supervisor to overlays:"))
    } else if let program = ["/usr/bin/perl", "/bin/bash"].first(where: { !isFile($0, in: tree) }) {
        mistakes.append(
            Failure(
                "the recipe has services, and what watches them needs \(program), which the image does not have",
                at: first.name.location, hint: "it comes with an essential package of the distribution; see remove:"))
    }
    let users = try AccountTable("/etc/passwd", in: tree, read: read)?.names ?? ["root"]
    let groups = try AccountTable("/etc/group", in: tree, read: read)?.names ?? ["root"]
    for service in services {
        mistakes += programMistakes(service.command, of: service, in: tree)
        if case .command(let words)? = service.ready?.probe.value {
            mistakes += programMistakes(words, of: service, in: tree)
        }
        mistakes += scriptMistakes(of: service, in: tree)
        let user = service.user.value
        if UInt32(user) == nil, !users.contains(user) {
            mistakes.append(
                Failure(
                    "service \(service.name.value) runs as \(quoted(user)), a user whom the image does not have",
                    at: service.name.location,
                    hint: nearestName(to: user, among: users).map { "did you mean \($0)?" } ?? "add it to users:"))
        }
        if let group = service.group, UInt32(group.value) == nil, !groups.contains(group.value) {
            mistakes.append(
                Failure(
                    "service \(service.name.value) runs in the group \(quoted(group.value)), which the image does not have",
                    at: group.location ?? service.name.location,
                    hint: nearestName(to: group.value, among: groups).map { "did you mean \($0)?" }
                        ?? "groups come with packages; see /etc/group of the image"))
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
}

private func isFile(_ path: String, in tree: FileTree) -> Bool {
    TreePath(normalizing: path).flatMap { tree.resolvedNode($0) }?.blob != nil
}

/// Where systemd looks for a program that is named without a directory.
private let programDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

/// That the program of one of a service's commands is there.
private func programMistakes(
    _ command: [Located<String>], of service: Recipe.Service, in tree: FileTree
) -> [Failure] {
    guard let first = command.first else { return [] }
    let program = first.value
    let location = first.location ?? service.name.location
    let candidates = program.hasPrefix("/") ? [program] : programDirectories.map { $0 + "/" + program }
    let nodes = candidates.compactMap { candidate in
        TreePath(normalizing: candidate).flatMap { tree.resolvedNode($0) }
    }
    let files = nodes.filter { $0.blob != nil }
    if files.contains(where: { $0.metadata.mode & 0o111 != 0 && $0.blob?.size != 0 }) { return [] }
    if let file = files.first {
        let isEmpty = file.blob?.size == 0
        return [
            Failure(
                "service \(service.name.value) runs \(program), which is "
                    + (isEmpty ? "an empty file" : "not executable"),
                at: location,
                hint: isEmpty
                    ? nil
                    : "its mode is \(octal(file.metadata.mode)); set the executable bit in the folder, or mode: in its overlay"
            )
        ]
    }
    if nodes.contains(where: \.isDirectory) {
        return [Failure("service \(service.name.value) runs \(program), which is a directory", at: location)]
    }
    let name = Array((TreePath(normalizing: program) ?? .root).name)
    let same = tree.nodes.filter { node in
        guard node.path.name.elementsEqual(name), let file = tree.resolvedNode(node.path) else { return false }
        return file.blob != nil && file.metadata.mode & 0o111 != 0
    }.map(\.path.description)
    let notes =
        same.isEmpty
        ? []
        : [
            "the image has \(same.prefix(5).joined(separator: ", "))"
                + (same.count > 5 ? " and \(same.count - 5) more" : "")
        ]
    var hint = same.first.map { "did you mean \($0)?" }
    if same.isEmpty {
        let text = String(decoding: name, as: UTF8.self)
        let names = programDirectories.compactMap { TreePath(normalizing: $0).flatMap { tree.resolve($0) } }
        let known = tree.nodes.lazy.filter { node in
            node.path.parent.map(names.contains) ?? false && !node.isDirectory
        }
        let nearest = nearestName(to: text, among: known.map { String(decoding: $0.path.name, as: UTF8.self) })
        hint =
            nearest.flatMap { near in known.first { $0.path.name.elementsEqual(near.utf8) } }
            .map { "did you mean \($0.path)?" } ?? "add the package or the overlay that brings it"
    }
    return [
        Failure(
            "service \(service.name.value) runs \(program), which the image does not have", at: location, notes: notes,
            hint: hint)
    ]
}

/// Scripts that an interpreter is given must be there.
private func scriptMistakes(of service: Recipe.Service, in tree: FileTree) -> [Failure] {
    let endings = [".js", ".mjs", ".cjs", ".py", ".sh"]
    return service.command.dropFirst().compactMap { word in
        let argument = word.value
        guard argument.hasPrefix("/"), endings.contains(where: argument.hasSuffix), !isFile(argument, in: tree),
            let path = TreePath(normalizing: argument)
        else { return nil }
        let same = tree.nodes.first { $0.blob != nil && $0.path.name.elementsEqual(path.name) }
        let siblings = tree.nodes.lazy.filter { $0.blob != nil && $0.path.parent == path.parent }
            .map(\.path.description)
        let meant = same?.path.description ?? nearestName(to: path.description, among: siblings)
        return Failure(
            "service \(service.name.value) is given the script \(argument), which the image does not have",
            at: word.location ?? service.name.location,
            hint: meant.map { "did you mean \($0)?" } ?? "add the package or the overlay that brings it")
    }
}
