import RootfsModel

/// What nginx reads before it serves (nginx's documentation, ngx_http_ssl_module, ngx_core_module).
func nginxFiles(_ words: [String], in subject: CheckSubject) throws -> [NamedFile] {
    let option = words.firstIndex(of: "-c").flatMap { words.dropFirst($0 + 1).first }
    guard let start = TreePath(normalizing: option ?? "/etc/nginx/nginx.conf"), let folder = start.parent else {
        return []
    }
    let keys: Set<String> = [
        "ssl_certificate", "ssl_certificate_key", "ssl_dhparam", "ssl_client_certificate", "ssl_trusted_certificate",
        "ssl_password_file",
    ]
    var files = [NamedFile]()
    var pending = [start]
    var seen = Set<TreePath>()
    while let path = pending.popLast(), seen.count < 1_000 {
        guard seen.insert(path).inserted else { continue }
        for line in try SettingLines(path, separators: [";", "{", "}"], in: subject).lines {
            guard line.words.count == 2 else { continue }
            let (key, value) = (line.words[0], line.words[1])
            if key == "include" { pending += subject.files(matching: value, from: folder) }
            let isInclude = key == "include" && !value.contains { "*?[".contains($0) }
            // Variables are filled in with each connection; data: and engine: are no files.
            guard isInclude || keys.contains(key), !value.contains("$"), !value.contains(":"),
                let file = subject.files(matching: value, from: folder).first
            else { continue }
            files.append(
                NamedFile(
                    key: key, path: file, location: line.location,
                    consequence: "nginx ends with [emerg] when it reads its configuration",
                    remedy: key.hasPrefix("ssl") ? keyRemedy(for: file) : "add the file, or take the line out"))
        }
    }
    return files
}

/// What Apache's sites need that are switched on (mod_ssl's documentation).
func apacheFiles(in subject: CheckSubject) throws -> [NamedFile] {
    let folder: TreePath = "/etc/apache2"
    // Without the module its settings are errors of another kind, or in an IfModule.
    guard subject.tree.resolvedNode("/etc/apache2/mods-enabled/ssl.load") != nil else { return [] }
    let keys: Set<String> = [
        "sslcertificatefile", "sslcertificatekeyfile", "sslcertificatechainfile", "sslcacertificatefile",
    ]
    var files = [NamedFile]()
    var pending: [TreePath] = ["/etc/apache2/apache2.conf"]
    var seen = Set<TreePath>()
    while let path = pending.popLast(), seen.count < 1_000 {
        guard seen.insert(path).inserted else { continue }
        for line in try SettingLines(path, in: subject).lines where line.words.count == 2 {
            let key = line.words[0].lowercased()
            if key == "include" || key == "includeoptional" {
                pending += subject.files(matching: line.words[1], from: folder)
            }
            guard keys.contains(key), !line.words[1].contains("$"),
                let file = subject.files(matching: line.words[1], from: folder).first
            else { continue }
            files.append(
                NamedFile(
                    key: line.words[0], path: file, location: line.location,
                    consequence: "apache2 ends with AH02562 or a syntax error before it listens",
                    remedy: keyRemedy(for: file)))
        }
    }
    return files
}

/// How a key that must not be in an image comes to each machine.
func keyRemedy(for path: TreePath) -> String {
    let isSnakeoil = String(decoding: path.name, as: UTF8.self).hasPrefix("ssl-cert-snakeoil")
    return isSnakeoil
        ? "make it at first boot: ExecStartPre=+/usr/sbin/make-ssl-cert generate-default-snakeoil in a drop-in, before the server"
        : "make it at first boot with an ExecStartPre= that names \(path), or inject it into the machine's own image"
}
