import RootfsModel

/// The modules of PAM (pam.conf(5)): one that must succeed and cannot be opened refuses everybody.
func authenticationFindings(_ modules: ModuleCheck) throws -> [Finding] {
    let subject = modules.subject
    guard let folder = subject.tree.resolve("etc/pam.d"), !modules.authenticationFolders.isEmpty else { return [] }
    // A program's file has its name; getty starts login.
    var users = [String: ServiceLoad]()
    for load in try subject.serviceLoads() {
        guard let program = load.launch.program else { continue }
        let name = String(decoding: program.name, as: UTF8.self)
        users[name == "agetty" ? "login" : name] = load
    }
    var findings = [Finding]()
    for index in subject.tree.indices(below: folder) where subject.tree.nodes[index].path.isChild(of: folder) {
        let path = subject.tree.nodes[index].path
        guard let content = try subject.content(of: path, limit: 1 << 18) else { continue }
        let user = users[String(decoding: path.name, as: UTF8.self)]
        for (number, line) in String(decoding: content, as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            guard let entry = AuthenticationLine(line), !modules.hasAuthenticationModule(entry.module) else { continue }
            let place = "\(path):\(number + 1): \(line.trimmed)"
            let severity: Severity = !entry.mustSucceed ? .note : user == nil ? .warning : .error
            findings.append(
                Finding(
                    "modules/pam", severity,
                    "\(path) names \(entry.module), which the image does not have"
                        + (entry.mustSucceed ? ": it refuses everybody" : ""), service: user?.service, path: path,
                    reasons: (user?.launch.reasons ?? []) + [place],
                    remedy: "add the package that brings \(entry.module), or take the line out",
                    missing: modules.authenticationFolders.first.map {
                        $0.appending(Array(baseName(entry.module).utf8))
                    }))
        }
    }
    return findings
}

/// A line of PAM's that names a module.
private struct AuthenticationLine {
    var module: String
    /// Whether all is refused without it.
    var mustSucceed: Bool

    /// nil for comments, includes, and lines whose module may be missing (`-auth …`).
    init?(_ line: Substring) {
        var rest = line.prefix { $0 != "#" }.drop { $0.isWhitespace }
        guard !rest.hasPrefix("-"), !rest.hasPrefix("@") else { return nil }
        rest = rest.drop { !$0.isWhitespace }.drop { $0.isWhitespace }
        let control: Substring
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            control = rest[...end]
            rest = rest[rest.index(after: end)...]
        } else {
            control = rest.prefix { !$0.isWhitespace }
            rest = rest.dropFirst(control.count)
        }
        let name = rest.drop { $0.isWhitespace }.prefix { !$0.isWhitespace }
        guard name.hasSuffix(".so"), !["include", "substack"].contains(control) else { return nil }
        module = String(name)
        mustSucceed = control == "required" || control == "requisite"
    }
}
