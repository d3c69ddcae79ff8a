internal import RootfsModel

/// What every machine of an image would share and must not, and what the making left behind.
public struct HygieneRule: Rule {
    public static let name = "hygiene"
    public static let reason = "a secret in an image is every machine's, and what anybody may write to is nobody's"
    public static let specification =
        "machine-id(5), systemd-random-seed(8), sshd(8), shadow(5), Debian Policy 10.9, RFC 7468"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        try machineID(subject) + seeds(subject) + hostKeys(subject) + passwords(subject) + Secrets.findings(in: subject)
            + modes(subject) + leftovers(subject)
    }

    private func machineID(_ subject: CheckSubject) throws -> [Finding] {
        try (["etc/machine-id", "var/lib/dbus/machine-id"] as [TreePath]).compactMap { path in
            guard subject.tree[path]?.blob != nil, let bytes = try subject.content(of: path, limit: 4096) else {
                return nil
            }
            let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
            if text.isEmpty || text == "uninitialized" { return nil }
            return Finding(
                "hygiene/machine-id", .error, "every machine of this image would have the same id", path: path,
                reasons: ["\(path) holds \(text.prefix(32))", "DHCP leases, journals and cluster members go by it"],
                remedy: "leave \(path) \(path == "etc/machine-id" ? "empty: systemd fills it" : "out") at first boot")
        }
    }

    private func seeds(_ subject: CheckSubject) -> [Finding] {
        let paths: [TreePath] = [
            "var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/systemd/credential.secret",
        ]
        return paths.filter { (subject.tree[$0]?.blob?.size ?? 0) > 0 }.map { path in
            Finding(
                "hygiene/random-seed", .error, "every machine of this image would begin with the same secret",
                path: path, reasons: ["\(path) has \(subject.tree[path]?.blob?.size ?? 0) bytes"],
                remedy: "take \(path) out: each machine makes its own")
        }
    }

    private func hostKeys(_ subject: CheckSubject) -> [Finding] {
        subject.tree.resolvedChildren(of: "etc/ssh").filter {
            $0.name.hasPrefix("ssh_host_") && $0.name.hasSuffix("_key") && ($0.blob?.size ?? 0) > 0
        }.map { node in
            Finding(
                "hygiene/ssh-host-key", .error, "every machine of this image would have the same ssh host key",
                path: node.path, reasons: ["who has the image can pose as any of them"],
                remedy: "take it out, and let ssh-keygen -A run before sshd at first boot")
        }
    }

    /// shadow(5): the second field is a hash, unless it begins with `!` or `*`.
    private func passwords(_ subject: CheckSubject) throws -> [Finding] {
        var findings = [Finding]()
        for path in ["etc/shadow", "etc/passwd"] as [TreePath] {
            for (index, line) in try subject.lines(of: path).enumerated() {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false)
                guard fields.count >= 7, !line.hasPrefix("#") else { continue }
                let (user, hash) = (fields[0], fields[1])
                if hash.hasPrefix("!") || hash.hasPrefix("*") || hash == "x" { continue }
                // The line itself is the secret.
                let place = SourceLocation(file: path.description, line: index + 1, column: 1, text: "\(user):…")
                let isOpen = hash.isEmpty
                findings.append(
                    Finding(
                        isOpen ? "hygiene/empty-password" : "hygiene/password-hash", .error,
                        isOpen
                            ? "\(user) needs no password"
                            : "the hash of \(user)'s password can be tried out at leisure",
                        path: path, reasons: ["\(path) has it in the second field of \(user)'s line"],
                        remedy: "lock the account with `!` or `*` there, and let machines get their keys at boot",
                        location: place))
            }
        }
        return findings
    }

    private static let systemDirectories: [TreePath] = [
        "bin", "boot", "etc", "lib", "lib32", "lib64", "root", "sbin", "usr",
    ]
    /// Other mounts' places, and where everybody writes.
    private static let openDirectories: [TreePath] = ["dev", "proc", "run", "sys", "tmp", "var/tmp"]

    /// World-writable paths, and setuid or setgid programs that no package brings.
    private func modes(_ subject: CheckSubject) throws -> [Finding] {
        let (open, system) = (Self.openDirectories, Self.systemDirectories)
        var findings = [Finding]()
        var privileged = [TreePath: FileNode]()
        for node in subject.tree.nodes {
            let mode = node.metadata.mode
            guard mode & 0o6002 != 0 else { continue }
            if node.blob != nil, mode & 0o6000 != 0, mode & 0o111 != 0 { privileged[node.path] = node }
            guard mode & 0o2 != 0, node.blob != nil || node.isDirectory, mode & 0o1000 == 0,
                !open.contains(where: node.path.isWithin)
            else { continue }
            let isSystem = node.path.isRoot || system.contains(where: node.path.isWithin)
            findings.append(
                Finding(
                    "hygiene/world-writable", isSystem ? .error : .warning,
                    "every user of the machine can \(node.isDirectory ? "replace what is in" : "change") \(node.path)",
                    path: node.path, reasons: ["its mode is \(octal(mode))"],
                    remedy: "give it mode \(octal(mode & ~0o2)): in its folder, or with mode: in its overlay"))
        }
        let packaged = try subject.packaged(Set(privileged.keys))
        for (path, node) in privileged.sorted(by: { $0.key < $1.key }) where !packaged.contains(path) {
            let isRoots = node.metadata.mode & 0o4000 != 0 && node.metadata.uid == 0
            findings.append(
                Finding(
                    "hygiene/set-id", .warning,
                    "\(path) runs with \(isRoots ? "root's rights" : "its owner's rights") whoever starts it, and no package brings it",
                    path: path,
                    reasons: [
                        "its mode is \(octal(node.metadata.mode)), its owner \(node.metadata.uid):\(node.metadata.gid)"
                    ],
                    remedy: "give it a mode without the bit, or suppress this with the reason for it"))
        }
        return findings
    }

    private func leftovers(_ subject: CheckSubject) -> [Finding] {
        let tree = subject.tree
        func below(_ directory: TreePath) -> [FileNode] {
            tree.resolve(directory).map { tree.nodes[tree.indices(below: $0)].filter { ($0.blob?.size ?? 0) > 0 } }
                ?? []
        }
        var found = [(severity: Severity, what: String, paths: [TreePath])]()
        func add(_ severity: Severity, _ what: String, _ nodes: [FileNode]) {
            if !nodes.isEmpty { found.append((severity, what, nodes.map(\.path))) }
        }
        let policy = tree["usr/sbin/policy-rc.d"]
        add(
            .warning, "a build's ban on starting services was left",
            policy?.blob == nil ? [] : [policy].compactMap { $0 })
        add(
            .warning, "a shell's history was left",
            tree.nodes.filter { node in
                node.path.isWithin("root") || node.path.isWithin("home")
            }.filter {
                [".bash_history", ".python_history", ".node_repl_history", ".lesshst"].contains($0.name)
                    && ($0.blob?.size ?? 0) > 0
            })
        add(
            .warning, "dpkg's half-written files were left",
            tree.nodes.filter {
                $0.blob != nil && ($0.name.hasSuffix(".dpkg-new") || $0.name.hasSuffix(".dpkg-tmp"))
            })
        add(
            .note, "downloaded packages were left", below("var/cache/apt/archives").filter { $0.name.hasSuffix(".deb") }
        )
        add(.note, "apt's indexes were left", below("var/lib/apt/lists"))
        add(.note, "temporary files were left", below("tmp") + below("var/tmp"))
        return found.map { severity, what, paths in
            Finding(
                "hygiene/leftover", severity, what, path: paths[0],
                reasons: paths.prefix(5).map(\.description) + (paths.count > 5 ? ["and \(paths.count - 5) more"] : []),
                remedy: "take them out with remove: in the recipe")
        }
    }
}
