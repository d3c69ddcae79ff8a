import RootfsModel

/// Files that a service's own configuration names and that are neither in the image nor made at boot. Normalising takes
/// keys out of an image that every machine would share, and whoever needs them has to make them.
struct ConfigRule: Rule {
    static let name = "config"
    static let reason = "a server whose key, certificate or data is not there ends when it reads its configuration"
    static let specification =
        "sshd_config(5); nginx, ngx_http_ssl_module; Apache HTTP Server, mod_ssl; PostgreSQL, File Locations and SSL"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        let makers = try BootMakers(subject)
        var findings = [Finding]()
        for service in subject.services where !service.hasOwnRoot {
            for command in service.commands where command.role == "ExecStart" || command.role == "command" {
                let names = Set(command.words.map(baseName))
                if names.contains("sshd") {
                    let keys = try hostKeys(command.words.drop { baseName($0) != "sshd" }.map(\.self), in: subject)
                    findings += try keyFindings(keys, service, makers, in: subject)
                }
                var files = [NamedFile]()
                var programs: Set<String> = []
                if names.contains("nginx") {
                    files += try nginxFiles(command.words, in: subject)
                    programs.insert("nginx")
                }
                if !names.isDisjoint(with: ["apache2", "apachectl", "apache2ctl"]) {
                    files += try apacheFiles(in: subject)
                    programs.formUnion(["apache2", "apachectl", "apache2ctl"])
                }
                if !names.isDisjoint(with: ["pg_ctlcluster", "postgres", "postmaster"]) {
                    files += try postgresFiles(command.words, in: subject)
                    programs.formUnion(["pg_ctlcluster", "postgres", "postmaster"])
                }
                for file in files where !file.isThere(in: subject) {
                    let answer = try makers.maker(of: file.path, for: service, before: programs)
                    if answer == .before { continue }
                    findings.append(finding(of: file, service, command, answer))
                }
            }
        }
        return findings
    }

    /// sshd does with any one key.
    private func keyFindings(
        _ keys: [NamedFile], _ service: Service, _ makers: BootMakers, in subject: CheckSubject
    ) throws -> [Finding] {
        guard let first = keys.first, !keys.contains(where: { $0.isThere(in: subject) }) else { return [] }
        var unordered = BootMakers.Answer.nobody
        for key in keys {
            let answer = try makers.maker(of: key.path, for: service, before: ["sshd"])
            if answer == .before { return [] }
            if answer != .nobody { unordered = answer }
        }
        var reasons = keys.map { "\($0.path) (\($0.key)) is not in the image" }
        reasons.append("normalising takes host keys out of every image, for all machines would share them")
        reasons += said(unordered, service)
        reasons.append(first.consequence)
        return [
            Finding(
                "config/file-missing", .error, "sshd has no host key, and nothing makes one before it starts",
                service: service.name, path: first.path, reasons: reasons, remedy: first.remedy,
                location: first.location)
        ]
    }

    private func finding(
        of file: NamedFile, _ service: Service, _ command: Service.Command, _ answer: BootMakers.Answer
    ) -> Finding {
        Finding(
            "config/file-missing", .error,
            "\(file.key) of \(service.name) names \(file.path), which is not in the image", service: service.name,
            path: file.path,
            reasons: [
                "\(command.role)=\(command.words.joined(separator: " "))",
                "\(file.location.file):\(file.location.line): \(file.location.text.trimmed)",
            ] + said(answer, service) + [file.consequence], remedy: file.remedy, location: file.location)
    }

    private func said(_ answer: BootMakers.Answer, _ service: Service) -> [String] {
        switch answer {
        case .unordered(service.name): ["\(service.name) makes it behind a command that needs it already"]
        case .unordered(let other): ["\(other) makes it, but nothing orders it before \(service.name)"]
        case .before, .nobody: ["no ExecStartPre= and no unit ordered before \(service.name) makes it"]
        }
    }
}
