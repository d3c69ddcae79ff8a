internal import RootfsModel

/// Whether a service can write to a path once it runs: mounts, a read-only root, what systemd makes at boot, owners and
/// modes.
struct WriteAccess {
    enum Answer: Hashable {
        case yes
        /// Why not, a clause.
        case no(String)

        var reason: String? {
            if case .no(let reason) = self { reason } else { nil }
        }
    }

    let subject: CheckSubject
    let mounts: MountPlan
    let made: TemporaryFiles
    let accounts: Accounts

    /// Whether a file of this path can be made or written to. With `makesParents` the directories above it are made too.
    func mayWrite(
        _ path: TreePath, as identity: Identity?, of service: Service, makesParents: Bool = false
    ) -> Answer {
        if let writable = service.writablePaths, !isApi(path), !(service.hasPrivateTmp && isTemporary(path)),
            !writable.contains(where: { path.isWithin($0) })
        {
            return .no("the service may write to \(list(writable)) only")
        }
        if service.made.contains(where: { path.isWithin($0) && !isOnReadOnlyRoot($0) }) { return .yes }
        if service.hasPrivateTmp && isTemporary(path) { return .yes }
        // Where the path really is, links followed.
        let place = subject.tree.placement(of: subject.tree.resolve(path) ?? path)
        if place.isChild(of: "/run"), let identity, identity.uid != 0, !makesParents, !made.makes(place) {
            return .no("/run belongs to root, and \(identity.name) is \(identity.uid)")
        }
        if isMadeAtBoot(place) { return .yes }
        if let mount = mounts.mount(of: place) {
            if mount.options.contains("ro") { return .no("\(mount.source) mounts \(mount.point) for reading only") }
            return answer(mount, place, identity, makesParents: makesParents)
        }
        if mounts.hasReadOnlyRoot {
            return .no(
                "the root file system is mounted for reading only, and nothing is mounted over \(nearest(to: place))")
        }
        guard let identity else { return .yes }
        if let node = subject.tree[place], !node.isDirectory {
            return identity.uid == 0 || identity.may(2, node) ? .yes : .no(owner(node, identity))
        }
        let parent = subject.tree[place]?.isDirectory ?? false ? place : place.parent ?? .root
        if let entry = made.entries[parent] { return answer(entry, parent, identity) }
        let directory = nearest(to: parent)
        if directory != parent, made.makes(parent) { return .yes }
        if directory != parent, !makesParents { return .no("the directory \(parent) does not exist") }
        if let entry = made.entries[directory] { return answer(entry, directory, identity) }
        guard let node = subject.tree[directory] else { return .yes }
        if !node.isDirectory { return .no("\(directory) is no directory") }
        if identity.uid == 0 { return .yes }
        return identity.may(3, node) ? .yes : .no(owner(node, identity))
    }

    /// By what systemd-tmpfiles gives a directory at boot.
    private func answer(_ entry: TemporaryFiles.Entry, _ directory: TreePath, _ identity: Identity) -> Answer {
        if identity.uid == 0 { return .yes }
        let there = subject.tree[directory]?.metadata
        let uid = accounts.identity(user: entry.user, group: nil, supplementary: [])?.uid
        guard let uid, let gid = accounts.number(ofGroup: entry.group) else { return .yes }
        let node = FileNode(
            path: directory, kind: .directory,
            metadata: Metadata(mode: entry.mode ?? there?.mode ?? 0o755, uid: uid, gid: gid))
        return identity.may(3, node) ? .yes : .no(owner(node, identity))
    }

    /// By what a mount has at boot: a tmpfs its root alone, of the mode that it is given, and what systemd-tmpfiles makes.
    private func answer(
        _ mount: MountPlan.Mount, _ path: TreePath, _ identity: Identity?, makesParents: Bool
    ) -> Answer {
        guard mount.isTemporary, let parent = path.parent else { return .yes }
        if parent != mount.point {
            if made.makes(parent) { return .yes }
            if !makesParents {
                return .no(
                    "\(mount.source) mounts an empty \(mount.type) over \(mount.point), and nothing makes \(parent)")
            }
        }
        guard let identity, identity.uid != 0 else { return .yes }
        let option = mount.options.first { $0.hasPrefix("mode=") }.flatMap {
            UInt16($0.dropFirst("mode=".count), radix: 8)
        }
        let owner = mount.options.first { $0.hasPrefix("uid=") }.flatMap { UInt32($0.dropFirst("uid=".count)) }
        let node = FileNode(
            path: mount.point, kind: .directory, metadata: Metadata(mode: option ?? 0o1777, uid: owner ?? 0))
        return identity.may(3, node) ? .yes : .no(self.owner(node, identity))
    }

    /// Whether it is on the root and that is for reading only.
    func isOnReadOnlyRoot(_ path: TreePath) -> Bool {
        let place = subject.tree.placement(of: path)
        return mounts.hasReadOnlyRoot && !isMadeAtBoot(place) && mounts.mount(of: place) == nil
    }

    /// The path, or the nearest directory above it that is there.
    private func nearest(to path: TreePath) -> TreePath {
        var path = path
        while subject.tree.resolvedNode(path) == nil, let parent = path.parent { path = parent }
        return subject.tree.resolve(path) ?? path
    }

    private func owner(_ node: FileNode, _ identity: Identity) -> String {
        "\(node.path) has mode \(octal(node.metadata.mode)) and belongs to "
            + "\(node.metadata.uid):\(node.metadata.gid), and \(identity.name) is \(identity.uid)"
    }

    private func list(_ paths: [TreePath]) -> String {
        paths.isEmpty ? "nothing" : paths.map(\.description).joined(separator: ", ")
    }

    private func isApi(_ path: TreePath) -> Bool {
        ["/dev", "/proc", "/sys"].contains { path.isWithin($0) }
    }

    private func isTemporary(_ path: TreePath) -> Bool {
        path.isWithin("/tmp") || path.isWithin("/var/tmp")
    }
}
