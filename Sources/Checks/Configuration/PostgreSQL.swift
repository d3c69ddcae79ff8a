import RootfsModel

/// What a PostgreSQL server reads before it takes connections (PostgreSQL's documentation, File Locations and SSL). A
/// setting counts that comes last, in the configuration and then in what it includes.
func postgresFiles(_ words: [String], in subject: CheckSubject) throws -> [NamedFile] {
    var configuration: TreePath?
    var data: (path: TreePath, key: String)?
    if words.contains(where: { baseName($0) == "pg_ctlcluster" }) {
        // `pg_ctlcluster 15-main start`, or `15 main start`.
        let plain = words.drop { baseName($0) != "pg_ctlcluster" }.dropFirst().filter { !$0.hasPrefix("-") }
        var parts = plain.first.map { $0.split(separator: "-", maxSplits: 1).map(String.init) } ?? []
        if parts.count == 1, plain.count > 1 { parts.append(plain[1]) }
        guard parts.count == 2 else { return [] }
        configuration = TreePath(normalizing: "/etc/postgresql/\(parts[0])/\(parts[1])/postgresql.conf")
    } else if words.contains(where: { ["postgres", "postmaster"].contains(baseName($0)) }) {
        for (index, word) in words.enumerated() {
            if word == "-D", index + 1 < words.count {
                data = TreePath(normalizing: words[index + 1]).map { ($0, "-D") }
            }
            if let value = word.firstRange(of: "config_file=") {
                configuration = TreePath(normalizing: String(word[value.upperBound...]))
            }
        }
        if configuration == nil { configuration = data?.path.appending("postgresql.conf".utf8) }
    }
    guard let configuration, let folder = configuration.parent else { return [] }
    var settings = [String: (value: String, location: SourceLocation)]()
    var seen = Set<TreePath>()
    func read(_ path: TreePath) throws {
        guard seen.count < 200, seen.insert(path).inserted else { return }
        for line in try SettingLines(path, marks: ["="], in: subject).lines where line.words.count > 1 {
            let key = line.words[0].lowercased()
            let value = line.words[1]
            switch key {
            case "include", "include_if_exists":
                for file in subject.files(matching: value, from: path.parent ?? folder) { try read(file) }
            case "include_dir":
                for file in subject.files(matching: value + "/*.conf", from: path.parent ?? folder) { try read(file) }
            default: settings[key] = (value, line.location)
            }
        }
    }
    try read(configuration)
    var files = [NamedFile]()
    func add(_ key: String, from: TreePath, _ remedy: (TreePath) -> String, isDirectory: Bool = false, _ end: String) {
        guard let (value, location) = settings[key], !value.isEmpty,
            let path = subject.files(matching: value, from: from).first
        else { return }
        files.append(
            NamedFile(
                key: key, path: path, location: location, consequence: end, remedy: remedy(path),
                isDirectory: isDirectory))
    }
    let directory = settings["data_directory"].flatMap { TreePath(normalizing: $0.value) } ?? data?.path ?? folder
    add(
        "data_directory", from: folder,
        { "keep the cluster in the image, or make it at first boot with an ExecStartPre= that names \($0) (initdb)" },
        isDirectory: true, "the server ends with \"data directory does not exist\"")
    for key in ["hba_file", "ident_file"] {
        add(key, from: directory, { _ in "add the file, or correct the setting" }, "the server ends before it listens")
    }
    if ["on", "true", "yes", "1"].contains(settings["ssl"]?.value.lowercased() ?? "off") {
        for key in ["ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_dh_params_file"] {
            add(
                key, from: directory, { keyRemedy(for: $0) + ", or switch ssl off" },
                "the server ends with \"could not load server certificate file\" or \"could not access private key file\""
            )
        }
    }
    return files
}
