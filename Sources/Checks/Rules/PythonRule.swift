import RootfsModel

/// Services in Python that end at an import: a module, an extension module's library or a typelib is not there, or not
/// for this interpreter.
struct PythonRule: Rule {
    static let name = "python"
    static let reason = "an import that fails ends a Python service before its first line of work"
    static let specification =
        "Python's documentation: The import system, site, sys.path; PEP 3149, PEP 384; dlopen(3); GObject Introspection"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        var findings = [Finding]()
        for invocation in try subject.pythonInvocations() {
            guard let program = subject.tree.resolve(invocation.launched),
                let build = try PythonBuild(program, invocation.load.process, in: subject)
            else { continue }
            let walk = try PythonWalk(invocation, build, in: subject)
            try walk.run()
            findings += walk.findings
            findings += try extensionFindings(walk, invocation, in: subject)
        }
        return findings
    }

    /// What extension modules lack when the interpreter opens them, one after the other.
    private func extensionFindings(
        _ walk: PythonWalk, _ invocation: PythonInvocation, in subject: CheckSubject
    ) throws -> [Finding] {
        guard let program = invocation.load.process.objects.first,
            let loader = try subject.makeLoaders().loader(for: program.file)
        else { return [] }
        var process = invocation.load.process
        let setting = try subject.loaderSetting(of: invocation.load)
        var findings = [Finding]()
        for (path, chain, certainty) in walk.extensions where certainty != .optional {
            guard let file = try subject.elfFile(at: path) else {
                findings.append(
                    finding(
                        "\(path) is no shared object", path, invocation, chain, certainty, remedy: "install it anew"))
                continue
            }
            if file.machine != program.file.machine || file.isWide != program.file.isWide {
                findings.append(
                    finding(
                        "\(path) is for another machine: \(file.machineName)", path, invocation, chain, certainty,
                        remedy: "take its build for this image's architecture"))
                continue
            }
            let before = process.lacks.count
            let first = process.objects.count
            process = try ProcessLoader(opening: path, file, in: process, loader, setting).process
            for lack in process.lacks[before...] {
                let name = String(decoding: lack.name, as: UTF8.self)
                let object = lack.object.map { process.objects[$0].path } ?? path
                findings.append(
                    finding(
                        "\(object) needs \(name), which \(lack.unreadable.isEmpty ? "the loader does not find" : "the service's user may not read")",
                        object, invocation, chain + (lack.object.map(process.chain) ?? []), certainty,
                        remedy: "add the package that brings \(name)",
                        missing: process.systemDirectories.first { $0.starts(with: "/usr".utf8) }.flatMap {
                            TreePath(normalizing: $0 + [UInt8(ascii: "/")] + lack.name)
                        }))
            }
            for index in process.objects.indices.dropFirst(first) {
                let object = process.objects[index]
                for (provider, versions) in unmet(
                    of: object.file,
                    by: { name in process.objects.first { $0.names.contains(name) }.map { ($0.path, $0.file) } })
                {
                    findings.append(
                        finding(
                            "\(object.path) needs \(versions.joined(separator: ", ")), which \(provider.path) does not have",
                            object.path, invocation, chain + process.chain(to: index), certainty,
                            remedy: "take a build of it made for this distribution's release"))
                }
            }
        }
        return findings
    }

    private func finding(
        _ message: String, _ path: TreePath, _ invocation: PythonInvocation, _ chain: [String],
        _ certainty: PythonImport.Certainty, remedy: String, missing: TreePath? = nil
    ) -> Finding {
        Finding(
            "python/extension", min(certainty == .always ? .error : .warning, invocation.severity), message,
            service: invocation.load.service, path: path, reasons: invocation.reasons + chain, remedy: remedy,
            missing: missing, location: invocation.load.launch.location)
    }
}
