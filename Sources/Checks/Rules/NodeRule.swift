import RootfsModel

/// Scripts that Node cannot start: a module, an addon or one of its own files is not there, or not for this Node.
public struct NodeRule: Rule {
    public static let name = "node"
    public static let reason =
        "node exits at once with a module that is missing or built for another Node, on a console that nobody reads"
    public static let specification =
        "Node's documentation: Modules (All together), ECMAScript modules (Resolution algorithm), C++ addons, Node-API"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        let packages = NodePackages(subject)
        var findings = [Finding]()
        for invocation in try subject.nodeInvocations() {
            let build = try subject.nodeBuild(of: invocation.program)
            let walk = ModuleWalk(invocation, build: build, in: subject, packages: packages)
            try walk.run()
            findings += try invocation.asStarted(
                externalFindings(invocation, build, in: subject) + walk.findings
                    + addonFindings(walk, invocation, build, in: subject)
                    + engineFindings(walk, invocation, build, packages))
        }
        findings += packages.broken.map { path in
            Finding(
                "node/package-json", .error, "\(path) is no JSON: Node loads nothing of the package", path: path,
                remedy: "correct the file, or install the package anew")
        }
        return findings
    }

    /// Debian's Node reads some of its own modules from files when it starts.
    private func externalFindings(_ invocation: NodeInvocation, _ build: NodeBuild?, in subject: CheckSubject)
        -> [Finding]
    {
        guard let build else { return [] }
        return build.externalFiles.filter { subject.tree.resolvedNode($0)?.blob == nil }.map { path in
            Finding(
                "node/external-builtin", .error, "Node dies when it starts: it needs \(path)",
                service: invocation.service.name, path: build.path,
                reasons: [
                    "\(invocation.serviceCommand.role) runs \(invocation.program)",
                    "\(build.path) names \(path) as a built-in module that is outside of it",
                    "without it: Cannot load externalized builtin, SIGABRT",
                ], remedy: "install what brings \(path)", missing: path, location: invocation.location)
        }
    }

    private func addonFindings(
        _ walk: ModuleWalk, _ invocation: NodeInvocation, _ build: NodeBuild?, in subject: CheckSubject
    ) throws -> [Finding] {
        let addons = NodeAddons(subject: subject, build: build)
        var findings = [Finding]()
        var seen = Set<TreePath>()
        let start = "\(invocation.serviceCommand.role) runs \(invocation.program)"
        func look(_ path: TreePath, _ chain: [String], isSure: Bool) throws {
            guard seen.insert(path).inserted, let obstacle = try addons.obstacle(to: path) else { return }
            findings.append(
                Finding(
                    obstacle.id, isSure ? obstacle.severity : min(obstacle.severity, .warning), obstacle.message,
                    service: invocation.service.name, path: path, reasons: [start] + chain, remedy: obstacle.remedy,
                    location: invocation.location))
        }
        for addon in walk.addons { try look(addon.path, addon.chain, isSure: addon.certainty == .always) }
        for seeker in walk.addonSeekers {
            let built = addons.built(in: seeker.folder)
            for path in built {
                try look(path, seeker.chain + ["\(seeker.folder) loads its compiled addon"], isSure: true)
            }
            guard built.isEmpty, addons.addons(below: seeker.folder).isEmpty,
                subject.tree[seeker.folder.appending("binding.gyp".utf8)] != nil
            else { continue }
            findings.append(
                Finding(
                    "node/addon-missing", .error, "\(seeker.folder) has no compiled addon, which it loads",
                    service: invocation.service.name, path: seeker.folder,
                    reasons: [start] + seeker.chain
                        + ["it has a binding.gyp, and no .node file: it was installed without being built"],
                    remedy: "install it with its scripts (npm ci without --ignore-scripts), or npm rebuild",
                    location: invocation.location))
        }
        return findings
    }

    private func engineFindings(
        _ walk: ModuleWalk, _ invocation: NodeInvocation, _ build: NodeBuild?, _ packages: NodePackages
    ) throws -> [Finding] {
        guard let version = build?.version else { return [] }
        var others = [String]()
        var first: TreePath?
        for folder in walk.packageFolders {
            guard let package = try packages.package(in: folder), let text = package.engines,
                let range = VersionRange(text), !range.contains(version)
            else { continue }
            others.append("\(package.name ?? folder.description) asks for \(text) (\(folder)/package.json)")
            first = first ?? folder.appending("package.json".utf8)
        }
        guard !others.isEmpty else { return [] }
        return [
            Finding(
                "node/engines", .warning, "the service's packages ask for another Node than \(version)",
                service: invocation.service.name, path: first, reasons: others,
                remedy: "take a Node that they ask for, or versions of them for Node \(version.major)",
                location: invocation.location)
        ]
    }
}
