internal import RootfsModel

extension ExecChain {
    /// The path that is executed for a program's name; nil where there is none, which is then reported, or none can be
    /// told.
    mutating func place(of program: String, _ launch: Launch) throws -> String? {
        if program.hasPrefix("/") { return program }
        if program.contains("/") {
            if launch.searchPath != nil {
                report(
                    "exec/relative", "\(program) is no absolute path, and systemd refuses such a command", launch,
                    remedy: "name the program by its whole path")
                return nil
            }
            return launch.directory.map { $0.isRoot ? "/" + program : "\($0)/\(program)" }
        }
        let list = launch.searchPath ?? launch.environment["PATH"] ?? ""
        if list.isEmpty { return nil }
        let folders = list.split(separator: ":").map(String.init)
        var refused: String?
        for folder in folders where folder.hasPrefix("/") {
            guard let path = TreePath(normalizing: folder), !isMadeAtBoot(path) else { return nil }
            let text = "\(path)/\(program)"
            guard let found = PathWalk(text, as: nil, in: subject.tree).found, let node = subject.tree[found],
                node.blob != nil
            else { continue }
            if launch.identity.map({ $0.may(1, node) }) ?? (node.metadata.mode & 0o111 != 0) { return text }
            refused = refused ?? text
        }
        // What is found and may not be executed is reported as such.
        if let refused { return refused }
        let same = sameNames(program)
        report(
            "exec/not-in-path", "\(program) is in no directory of the PATH \(list)", launch,
            remedy: same.first.map { "name it as \($0), or set PATH" } ?? "add the package that brings \(program)",
            missing: TreePath(normalizing: "/usr/bin/\(program)"))
        return nil
    }

    /// The file that a path leads to, where the launch's user may execute it; else reports what is in the way.
    mutating func executable(_ text: String, _ launch: Launch, isInterpreter: Bool = false) throws -> TreePath? {
        let tree = subject.tree
        guard let whole = TreePath(normalizing: text) ?? PathWalk(text, as: nil, in: tree).found else { return nil }
        // What stands where something is mounted or made at boot is not the image's to say.
        if isMadeAtBoot(whole) || service.made.contains(where: { whole.isWithin($0) }) { return nil }
        let id = isInterpreter ? "exec/interpreter-missing" : "exec/missing"
        let noun = isInterpreter ? "the interpreter \(text)" : text
        let walk = PathWalk(text, as: launch.identity, in: tree)
        let file: TreePath
        switch walk.outcome {
        case .found(let path): file = path
        case .missing(let path):
            if isMadeAtBoot(path) || mounts.mount(of: whole).map({ !$0.isTemporary }) ?? false { return nil }
            let same = sameNames(baseName(text))
            let nearest = same.isEmpty ? nearestProgram(to: baseName(text)) : nil
            let remedy =
                (same.first ?? nearest).map { "did you mean \($0)?" }
                ?? "add the package or the overlay that brings \(path)"
            if let link = walk.lastLink, tree.resolve(link) == nil {
                report(
                    isInterpreter ? id : "exec/dangling-link", "\(noun) is a link to nothing: \(path) does not exist",
                    launch, path: link, remedy: remedy, missing: path, reasons: walk.links)
            } else {
                report(
                    id, "\(noun) does not exist", launch, path: path, remedy: remedy, missing: whole,
                    reasons: (path == whole ? [] : ["\(path) is the first part of it that does not exist"])
                        + (same.isEmpty ? [] : ["the image has \(same.joined(separator: ", "))"]))
            }
            return nil
        case .loop(let link):
            report(
                "exec/link-loop", "\(noun) leads in a circle of symbolic links", launch, path: link, reasons: walk.links
            )
            return nil
        case .notDirectory(let path):
            report(id, "\(noun) does not exist: \(path) is no directory", launch, path: path, reasons: walk.links)
            return nil
        case .forbidden(let directory):
            report(
                "exec/unreachable",
                "\(launch.identity?.name ?? "the user") may not pass through \(directory) to \(text)",
                launch, path: directory, remedy: "give \(directory) mode 0755, or run the service as its owner",
                reasons: walk.links + [owner(of: directory)])
            return nil
        }
        guard let node = tree[file] else { return nil }
        guard let blob = node.blob else {
            let kind = node.isDirectory ? "a directory" : "no regular file"
            report("exec/not-a-file", "\(noun) is \(kind)", launch, path: file, reasons: walk.links)
            return nil
        }
        if blob.size == 0 {
            report(
                "exec/empty", "\(noun) is an empty file", launch, path: file, remedy: "put its content in place",
                reasons: walk.links)
            return nil
        }
        if node.metadata.mode & 0o111 == 0 || !(launch.identity?.may(1, node) ?? true) {
            report(
                "exec/not-executable",
                node.metadata.mode & 0o111 == 0
                    ? "\(noun) is not executable"
                    : "\(noun) may not be executed by \(launch.identity?.name ?? "the user")",
                launch, path: file, remedy: "set the executable bit in the folder, or mode: in its overlay",
                reasons: walk.links + [owner(of: file)])
            return nil
        }
        if let mount = mounts.mount(of: file) {
            if mount.isTemporary {
                report(
                    "exec/hidden",
                    "\(noun) is not seen: \(mount.source) mounts an empty \(mount.type) on \(mount.point)",
                    launch, path: file, remedy: "move the program, or leave the mount out", reasons: walk.links)
                return nil
            }
            if mount.forbidsExecution {
                report(
                    "exec/noexec", "\(noun) cannot be executed: \(mount.source) mounts \(mount.point) with noexec",
                    launch,
                    path: file, remedy: "move the program, or mount without noexec", reasons: walk.links)
                return nil
            }
        }
        return file
    }

    /// Mode and owner of a path, as a line.
    private func owner(of path: TreePath) -> String {
        guard let metadata = subject.tree[path]?.metadata else { return "\(path)" }
        return "\(path) has mode \(octal(metadata.mode)), owner \(metadata.uid):\(metadata.gid)"
    }

    /// Executable files of this name in the usual directories and elsewhere, at most five.
    private func sameNames(_ name: String) -> [String] {
        // Who has as many to read needs no more.
        if findings.count > 20 { return [] }
        let bytes = Array(name.utf8)
        var found = [String]()
        for node in subject.tree.nodes where node.path.name.elementsEqual(bytes) {
            guard let file = subject.tree.resolvedNode(node.path), file.blob.map({ $0.size > 0 }) ?? false,
                file.metadata.mode & 0o111 != 0
            else { continue }
            found.append(node.path.description)
            if found.count == 5 { break }
        }
        return found
    }

    /// A program with nearly this name.
    private func nearestProgram(to name: String) -> String? {
        // Of three letters everything is near.
        if name.utf8.count < 4 || findings.count > 20 { return nil }
        let folders = systemdPath.split(separator: ":").compactMap { folder in
            TreePath(normalizing: String(folder)).flatMap { subject.tree.resolve($0) }
        }
        var places = [String: String]()
        for folder in folders {
            for index in subject.tree.indices(below: folder) where subject.tree.nodes[index].path.isChild(of: folder) {
                let path = subject.tree.nodes[index].path
                guard subject.tree.resolvedNode(path)?.blob != nil else { continue }
                places[String(decoding: path.name, as: UTF8.self)] = path.description
            }
        }
        return nearestName(to: name, among: places.keys.sorted()).flatMap { places[$0] }
    }

    /// An ELF program's machine and its loader.
    mutating func checkElf(_ path: TreePath, _ launch: Launch) throws {
        guard let elf = try subject.elfFile(at: path) else { return }
        if let accepted = machines(of: subject.architecture), !accepted.contains(elf.machineName) {
            return report(
                "exec/machine", "\(path) is built for \(elf.machineName), and the image for \(accepted[0])", launch,
                path: path, remedy: "take the \(subject.architecture) build of it")
        }
        guard let loader = elf.interpreter else { return }
        let text = String(decoding: loader, as: UTF8.self)
        let walk = PathWalk(text, as: launch.identity, in: subject.tree)
        guard let file = walk.found, let node = subject.tree[file], node.blob.map({ $0.size > 0 }) ?? false else {
            return report(
                "exec/loader-missing",
                "\(path) needs the loader \(text), which the image does not have: the kernel says \"No such file or directory\" of the program itself",
                launch, path: path, remedy: "add the C library that brings \(text)",
                missing: TreePath(normalizing: text), reasons: walk.links)
        }
        if node.metadata.mode & 0o111 == 0 {
            report("exec/loader-missing", "the loader \(text) of \(path) is not executable", launch, path: file)
        }
    }

    /// A script that a shell or an interpreter is given; nil where it is not there, which is then reported.
    mutating func scriptArgument(_ text: String, _ launch: Launch, by interpreter: String) throws -> TreePath? {
        guard text.hasPrefix("/") || launch.directory != nil else { return nil }
        let tree = subject.tree
        let name = baseName(interpreter)
        let isNode = name.hasPrefix("node")
        // Node finds a module without its ending too.
        let endings = isNode ? ["", ".js", ".json", ".node", "/index.js", "/package.json"] : [""]
        let walks = endings.map {
            PathWalk(text + $0, from: launch.directory ?? .root, as: launch.identity, in: tree)
        }
        if let file = walks.compactMap(\.found).first(where: { tree[$0]?.blob != nil }), let node = tree[file] {
            if let identity = launch.identity, !identity.may(4, node), identity.uid != 0 {
                report(
                    "exec/unreadable", "\(text) cannot be read by \(identity.name)", launch, path: file,
                    remedy: "give it mode 0644", reasons: [owner(of: file)])
                return nil
            }
            if let mount = mounts.mount(of: file), mount.isTemporary {
                report(
                    "exec/hidden",
                    "\(text) is not seen: \(mount.source) mounts an empty \(mount.type) on \(mount.point)",
                    launch, path: file, remedy: "move it, or leave the mount out")
                return nil
            }
            return file
        }
        let absolute = text.hasPrefix("/") ? text : "\(launch.directory ?? .root)/\(text)"
        guard let path = TreePath(normalizing: absolute), !isMadeAtBoot(path), !path.isWithin("/tmp"),
            !service.made.contains(where: { path.isWithin($0) }),
            mounts.mount(of: path).map({ $0.isTemporary }) ?? true
        else { return nil }
        switch walks[0].outcome {
        case .forbidden(let directory):
            report(
                "exec/unreachable",
                "\(launch.identity?.name ?? "the user") may not pass through \(directory) to \(text)",
                launch, path: directory, reasons: [owner(of: directory)])
        case .found(let found) where tree[found]?.isDirectory ?? false && ["python", "python3", "node"].contains(name):
            // These start a directory with its own main file.
            break
        default:
            let same = tree.nodes.first { $0.blob != nil && $0.path.name.elementsEqual(baseName(text).utf8) }
            report(
                "exec/script-missing", "\(name) is given \(text), which the image does not have", launch, path: path,
                remedy: same.map { "did you mean \($0.path)?" } ?? "add the overlay that brings \(path)", missing: path)
        }
        return nil
    }
}

/// Names of machines whose programs run on an architecture; nil for one that is not known.
private func machines(of architecture: String) -> [String]? {
    switch architecture {
    case "amd64": ["x86_64", "i686", "x32"]
    case "i386": ["i686"]
    case "arm64": ["aarch64", "arm"]
    case "armhf", "armel": ["arm"]
    case "ppc64el": ["ppc64le"]
    case "s390x": ["s390x"]
    case "riscv64": ["riscv64"]
    default: nil
    }
}
