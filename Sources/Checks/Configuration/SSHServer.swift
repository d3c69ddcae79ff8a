import RootfsModel

/// The host keys that an sshd looks for (sshd_config(5), HostKey): it ends where none can be loaded.
func hostKeys(_ words: [String], in subject: CheckSubject) throws -> [NamedFile] {
    var keys = [(path: TreePath, location: SourceLocation?)]()
    var configuration: TreePath? = "/etc/ssh/sshd_config"
    var rest = words.dropFirst()
    func add(_ text: String, _ location: SourceLocation?) {
        if let path = TreePath(normalizing: text), text.hasPrefix("/") { keys.append((path, location)) }
    }
    while let word = rest.popFirst() {
        switch word {
        case "-f": configuration = rest.popFirst().flatMap { TreePath(normalizing: $0) }
        case "-h": if let value = rest.popFirst() { add(value, nil) }
        case "-o":
            let parts = (rest.popFirst() ?? "").split { $0 == "=" || $0 == " " }.map(String.init)
            if parts.count == 2, parts[0].lowercased() == "hostkey" { add(parts[1], nil) }
        default: break
        }
    }
    guard let configuration else { return [] }
    var pending = [configuration]
    var seen = Set<TreePath>()
    while let path = pending.popLast(), seen.count < 1_000 {
        guard seen.insert(path).inserted else { continue }
        for line in try SettingLines(path, marks: ["="], in: subject).lines where line.words.count > 1 {
            switch line.words[0].lowercased() {
            case "include":
                for word in line.words.dropFirst() { pending += subject.files(matching: word, from: "/etc/ssh") }
            case "hostkey": add(line.words[1], line.location)
            default: break
            }
        }
    }
    if keys.isEmpty {
        // Those of the program itself (servconf.c, fill_default_server_options).
        for kind in ["rsa", "ecdsa", "ed25519"] { add("/etc/ssh/ssh_host_\(kind)_key", nil) }
    }
    // Where they would be named: Debian's file has the lines as comments.
    let text = try subject.content(of: configuration, limit: 1 << 20) ?? []
    let source = SourceText(name: configuration.description, text: String(decoding: text, as: UTF8.self))
    let lines = source.text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let place = source.location(line: (lines.firstIndex { $0.hasPrefix("#HostKey") } ?? 0) + 1, column: 1)
    return keys.map { path, location in
        NamedFile(
            key: location == nil ? "sshd's own default" : "HostKey", path: path, location: location ?? place,
            consequence: "sshd ends with \"no hostkeys available -- exiting.\"",
            remedy:
                "let each machine make its own before sshd starts: in a drop-in of the unit ExecStartPre= (which takes back sshd -t), then ExecStartPre=/usr/bin/ssh-keygen -A and ExecStartPre=/usr/sbin/sshd -t"
        )
    }
}
