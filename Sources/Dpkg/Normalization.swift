public import RootfsModel

/// What is taken out of a tree after configuring, so that two builds of the same packages are identical and no image
/// shares a secret with another: a function of the tree alone.
public enum Normalization {
    public enum Action: Hashable, Sendable {
        case remove
        /// The file stays, with no content.
        case empty
    }

    public struct Step: Hashable, Sendable {
        public var path: TreePath
        public var action: Action
        public var reason: String
    }

    /// The paths that change and why, in path order. What goes with a directory above it is not named again.
    public static func steps(for tree: FileTree) -> [Step] {
        var steps = [Step]()
        for node in tree.nodes {
            if let last = steps.last, last.action == .remove, node.path.isWithin(last.path) { continue }
            if let (action, reason) = verdict(node) {
                steps.append(Step(path: node.path, action: action, reason: reason))
            }
        }
        return steps
    }

    /// The steps as one change.
    public static func change(for tree: FileTree) -> TreeChange {
        var change = TreeChange()
        for step in steps(for: tree) {
            switch step.action {
            case .remove: change.removals.append(step.path)
            case .empty:
                guard var node = tree[step.path] else { continue }
                node.kind = .file(Blob([]), linkGroup: 0)
                change.puts.append(node)
            }
        }
        return change
    }

    private static func verdict(_ node: FileNode) -> (Action, String)? {
        if node.path == machineID, let blob = node.blob {
            return blob.size == 0 ? nil : (.empty, "every machine makes its own at first boot")
        }
        if node.path == dbusMachineID, node.linkTarget == nil {
            return (.remove, "every machine has its own, and it is the one in /etc")
        }
        if let reason = paths[node.path] { return (.remove, reason) }
        for (directory, reason) in emptiedDirectories where node.path.isChild(of: directory) && node.path != runLock {
            return (.remove, reason)
        }
        if let reason = reason(forName: node) { return (.remove, reason) }
        return nil
    }

    private static let machineID: TreePath = "etc/machine-id"
    private static let dbusMachineID: TreePath = "var/lib/dbus/machine-id"
    private static let runLock: TreePath = "run/lock"

    private static let log = "a log of the build, with its times"

    private static let paths: [TreePath: String] = [
        "var/log/dpkg.log": log, "var/log/alternatives.log": log, "var/log/bootstrap.log": log,
        "var/log/fontconfig.log": "names directories in the order of the host's file system",
        "var/cache/ldconfig/aux-cache": "holds inode numbers and change times of the build's file system",
        "var/lib/systemd/random-seed": "a secret that images must not share",
        "var/lib/systemd/credential.secret": "a secret that images must not share",
        "etc/ssl/private/ssl-cert-snakeoil.key": "a secret that images must not share",
        "etc/ssl/certs/ssl-cert-snakeoil.pem": "the certificate of a random key",
        "var/lib/apt/extended_states": "written anew from what was asked for",
    ]

    /// What is in them goes; they stay.
    private static let emptiedDirectories: [(TreePath, String)] = [
        ("var/log/apt", log), ("run", "holds the state of a running system"), ("tmp", "temporary files"),
        ("var/tmp", "temporary files"),
        ("var/cache/man", "an index with times in it, which man-db makes anew"),
    ]

    private static let etc: TreePath = "etc"
    private static let certificates: TreePath = "etc/ssl/certs"
    private static let hostKeys: TreePath = "etc/ssh"
    private static let aptCache: TreePath = "var/cache/apt"
    private static let aptArchives: TreePath = "var/cache/apt/archives"
    private static let rewritten: [TreePath] = ["var/lib/dpkg", "var/cache/debconf"]
    private static let aptLists: [TreePath] = [
        "var/lib/apt/lists", "var/lib/apt/lists/auxfiles", "var/lib/apt/lists/partial",
    ]

    private static func reason(forName node: FileNode) -> String? {
        if node.isDirectory { return nil }
        let history = "a backup of how the file was one change before"
        let path = node.path
        let name = path.name
        func hasSuffix(_ suffix: String) -> Bool { name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) }
        func hasPrefix(_ prefix: String) -> Bool { name.starts(with: prefix.utf8) }
        if path.isWithin(etc) {
            let accounts = ["passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-"]
            if path.isChild(of: etc), accounts.contains(where: { name.elementsEqual($0.utf8) }) { return history }
            if path.isChild(of: hostKeys), hasPrefix("ssh_host_") { return "a secret that images must not share" }
            if path.isChild(of: certificates), node.linkTarget == Array("ssl-cert-snakeoil.pem".utf8) {
                return "the certificate of a random key"
            }
            return hasSuffix(".dpkg-old") ? history : nil
        }
        if rewritten.contains(where: path.isChild), hasSuffix("-old") { return history }
        if aptLists.contains(where: path.isChild) { return "an index of the moment, which apt fetches anew" }
        if path.isChild(of: aptCache), hasSuffix(".bin") { return "a cache that apt makes anew" }
        if path.isChild(of: aptArchives), hasSuffix(".deb") { return "a downloaded package, installed by now" }
        return nil
    }
}
