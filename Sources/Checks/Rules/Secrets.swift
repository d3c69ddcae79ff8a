internal import RootfsModel

/// Private keys and tokens in files that no package brings: what is in a package is no secret any more.
enum Secrets {
    /// Where people put things.
    private static let places: [TreePath] = ["etc", "home", "opt", "root", "srv", "usr/local", "var/lib", "var/www"]
    /// What package managers and browsers keep for themselves below them.
    private static let others: [TreePath] = ["var/lib/apt", "var/lib/dpkg", "var/lib/systemd"]
    /// No file with a secret in it is longer, but for what has many other things in it.
    private static let longest: UInt64 = 64 << 10

    static func findings(in subject: CheckSubject) throws -> [Finding] {
        var candidates = [TreePath: FileNode]()
        for place in places {
            for node in subject.tree.nodes[subject.tree.indices(below: place)] {
                guard let blob = node.blob, blob.size > 0, blob.size <= longest,
                    !others.contains(where: node.path.isWithin)
                else { continue }
                candidates[node.path] = node
            }
        }
        let packaged = try subject.packaged(Set(candidates.keys))
        return try candidates.sorted { $0.key < $1.key }.flatMap { path, node in
            packaged.contains(path) ? [] : try findings(in: node, subject)
        }
    }

    private static func findings(in node: FileNode, _ subject: CheckSubject) throws -> [Finding] {
        guard let blob = node.blob else { return [] }
        // ssh's host keys are told by name.
        if node.path.isWithin("etc/ssh"), node.name.hasPrefix("ssh_host_") { return [] }
        // Keys and tokens stand in texts; a database has thousands of files that are none.
        if try subject.beginning(of: blob, count: 512).contains(0) { return [] }
        let bytes = try subject.read(blob, 0..<blob.size)
        let text = String(decoding: bytes, as: UTF8.self)
        var findings = [Finding]()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let what = privateKey(line) ?? token(line) ?? credentials(line, in: node) {
                let isKey = what.id == "hygiene/private-key"
                findings.append(
                    Finding(
                        what.id, what.severity, "\(what.name) is in the image, for all who have it", path: node.path,
                        reasons: ["\(node.path) has it in line \(index + 1), and no package brings the file"],
                        remedy: "give it to the machine at boot, and take it back: who had the image has it",
                        // Not the secret itself.
                        location: SourceLocation(
                            file: node.path.description, line: index + 1, column: 1, text: isKey ? String(line) : "…")))
            }
            // One a file is enough to look at it.
            if !findings.isEmpty { break }
        }
        return findings
    }

    private struct Secret {
        var id: String
        var severity = Severity.error
        var name: String
    }

    /// RFC 7468, and OpenSSH's and OpenPGP's own armour.
    private static func privateKey(_ line: Substring) -> Secret? {
        guard line.hasPrefix("-----BEGIN "), line.contains("PRIVATE KEY") else { return nil }
        let isEncrypted = line.contains("ENCRYPTED")
        return Secret(
            id: "hygiene/private-key", severity: isEncrypted ? .warning : .error,
            name: isEncrypted ? "an encrypted private key" : "a private key")
    }

    /// What issuers begin their tokens with, and how many letters and digits follow at least.
    private static let marks: [(prefix: String, length: Int, name: String)] = [
        ("AKIA", 16, "an access key of AWS"), ("ghp_", 36, "a token of GitHub"), ("gho_", 36, "a token of GitHub"),
        ("ghs_", 36, "a token of GitHub"), ("github_pat_", 60, "a token of GitHub"),
        ("glpat-", 20, "a token of GitLab"), ("xoxb-", 24, "a token of Slack"), ("xoxp-", 24, "a token of Slack"),
        ("npm_", 36, "a token of npm"), ("sk_live_", 24, "a key of Stripe"),
        ("pypi-AgEIcHlwaS5vcmc", 40, "a token of PyPI"),
    ]

    private static func token(_ line: Substring) -> Secret? {
        for (prefix, length, name) in marks {
            var rest = line
            while let found = rest.firstRange(of: prefix) {
                let isStart = found.lowerBound == rest.startIndex || !isWord(rest[rest.index(before: found.lowerBound)])
                rest = rest[found.upperBound...]
                if isStart, rest.prefix(while: isWord).count >= length {
                    return Secret(id: "hygiene/token", name: name)
                }
            }
        }
        return nil
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_" || character == "-")
    }

    /// Files that are there to keep a password, and the line in them that does.
    private static func credentials(_ line: Substring, in node: FileNode) -> Secret? {
        let mark: String? =
            switch node.name {
            case ".netrc", "auth.conf": "password "
            case ".git-credentials": "://"
            case ".npmrc": "_authToken="
            case ".pypirc", ".my.cnf": "password"
            case "credentials" where node.path.parent?.name.elementsEqual(".aws".utf8) == true: "aws_secret_access_key"
            case "config.json" where node.path.parent?.name.elementsEqual(".docker".utf8) == true: "\"auth\":"
            default: nil
            }
        guard let mark, line.contains(mark), !line.hasPrefix("#") else { return nil }
        return Secret(id: "hygiene/token", name: "a password")
    }
}
