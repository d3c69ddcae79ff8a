internal import RootfsModel

/// What packages make when they are configured must be there: no other moment comes at which it would be made.
public struct StateRule: Rule {
    public static let name = "state"
    public static let reason = "what a maintainer script did not finish is not made up for at boot"
    public static let specification =
        "dpkg(1), update-alternatives(1), update-ca-certificates(8), fc-cache(1), locale(7), Debian Policy 10.9"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        try packages(subject) + triggers(subject) + alternatives(subject) + certificates(subject) + fonts(subject)
            + locales(subject) + setIDs(subject) + accounts(subject) + timeZone(subject)
    }

    /// dpkg's states but `installed`, and those of packages that are not there or only kept their conffiles.
    private func packages(_ subject: CheckSubject) throws -> [Finding] {
        let path: TreePath = "var/lib/dpkg/status"
        var findings = [Finding]()
        var package = ""
        for (index, line) in try subject.lines(of: path, limit: 256 << 20).enumerated() {
            if line.hasPrefix("Package:") { package = String(line.dropFirst("Package:".count)).trimmed }
            guard line.hasPrefix("Status:") else { continue }
            let words = line.dropFirst("Status:".count).split(separator: " ")
            guard words.count == 3 else { continue }
            let isBroken = words[1] != "ok"
            if ["installed", "not-installed", "config-files"].contains(words[2]), !isBroken { continue }
            let state = isBroken ? "\(words[1]) \(words[2])" : String(words[2])
            findings.append(
                Finding(
                    "state/package", .error, "the package \(package) is \(state), not installed", path: path,
                    reasons: ["dpkg's status says: \(line)", "its maintainer scripts did not run to their end"],
                    remedy: "build the image again, and look at what the package's scripts say",
                    location: SourceLocation(
                        file: path.description, line: index + 1, column: 1, text: String(line))))
        }
        let updates = subject.tree.resolvedChildren(of: "var/lib/dpkg/updates").filter { $0.blob != nil }
        if let first = updates.first {
            findings.append(
                Finding(
                    "state/package", .error, "dpkg was interrupted: its journal was not read in", path: first.path,
                    reasons: [
                        "\(updates.count == 1 ? "a file is" : "\(updates.count) files are") in /var/lib/dpkg/updates"
                    ],
                    remedy: "run dpkg --configure -a where the image is made"))
        }
        return findings
    }

    private func triggers(_ subject: CheckSubject) throws -> [Finding] {
        let path: TreePath = "var/lib/dpkg/triggers/Unincorp"
        let lines = try subject.lines(of: path).filter { !$0.isEmpty }
        if lines.isEmpty { return [] }
        return [
            Finding(
                "state/triggers", .error, "triggers are pending: caches that packages share were not made anew",
                path: path, reasons: lines.prefix(5).map { "pending: \($0)" },
                remedy: "run dpkg --triggers-only -a where the image is made")
        ]
    }

    private func alternatives(_ subject: CheckSubject) -> [Finding] {
        let directory: TreePath = "etc/alternatives"
        return subject.tree.resolvedChildren(of: directory).compactMap { node in
            guard let target = node.linkTarget, subject.tree.resolve(node.path) == nil else { return nil }
            let text = String(decoding: target, as: UTF8.self)
            // What images leave out to be small.
            if ["/usr/share/man/", "/usr/share/doc/", "/usr/share/info/"].contains(where: text.hasPrefix) {
                return nil
            }
            return Finding(
                "state/alternative", .warning, "the alternative \(node.name) leads nowhere", path: node.path,
                reasons: ["\(node.path) is a link to \(text), which the image does not have"],
                remedy: "keep \(text), or choose another with update-alternatives",
                missing: TreePath(normalizing: text))
        }
    }

    private func certificates(_ subject: CheckSubject) throws -> [Finding] {
        let bundle: TreePath = "etc/ssl/certs/ca-certificates.crt"
        guard subject.tree.resolve("usr/sbin/update-ca-certificates") != nil else { return [] }
        let node = subject.tree.resolvedNode(bundle)
        if let blob = node?.blob, blob.size > 0 {
            let mark = Array("-----BEGIN CERTIFICATE-----".utf8)
            if try subject.beginning(of: blob, count: 4096).firstRange(of: mark) != nil { return [] }
        }
        return [
            Finding(
                "state/ca-bundle", .error, "no TLS connection can be verified: there are no certificates in \(bundle)",
                path: bundle,
                reasons: [
                    "the image has ca-certificates, whose script writes \(bundle)",
                    node == nil ? "it is not there" : "it holds no certificate",
                ], remedy: "let update-ca-certificates run, and do not remove what it made")
        ]
    }

    private func fonts(_ subject: CheckSubject) -> [Finding] {
        let tree = subject.tree
        guard tree.resolve("usr/bin/fc-cache") != nil, let fonts = tree.resolve("usr/share/fonts"),
            tree.nodes[tree.indices(below: fonts)].contains(where: { $0.blob != nil })
        else { return [] }
        let cache: TreePath = "var/cache/fontconfig"
        if tree.resolvedChildren(of: cache).contains(where: { $0.name.contains(".cache-") }) { return [] }
        return [
            Finding(
                "state/font-cache", .warning,
                "there is no cache of the fonts: each program that shows text reads them all",
                path: cache, reasons: ["\(fonts) has fonts, and \(cache) has no cache of them"],
                remedy: "let fc-cache run, and do not remove /var/cache/fontconfig")
        ]
    }

    private func locales(_ subject: CheckSubject) throws -> [Finding] {
        var asked = [(name: String, by: String, service: String?, location: SourceLocation?)]()
        for path in ["etc/locale.conf", "etc/default/locale"] as [TreePath] {
            for (index, line) in try subject.lines(of: path).enumerated() {
                let parts = line.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0] == "LANG" || parts[0].hasPrefix("LC_") else { continue }
                let place = SourceLocation(file: path.description, line: index + 1, column: 1, text: String(line))
                let value = String(parts[1]).trimmed.trimmingQuotes
                if !asked.contains(where: { $0.name == value }) { asked.append((value, path.description, nil, place)) }
            }
        }
        for service in subject.services {
            for (name, value) in service.environment.sorted(by: { $0.key < $1.key })
            where name == "LANG" || name == "LC_ALL" {
                asked.append((value, "\(name) of the service", service.name, service.location))
            }
        }
        if asked.isEmpty { return [] }
        let known = try Locales(of: subject)
        return asked.filter { !known.has($0.name) }.map { name, source, service, location in
            Finding(
                "state/locale", .warning, "there is no locale \(name): programs fall back to C, without UTF-8",
                service: service, path: "usr/lib/locale", reasons: ["\(source) asks for \(name)"] + known.reasons,
                remedy: "take C.UTF-8, which every image has, or add the package locales-all", location: location)
        }
    }

    /// Programs that need more than their caller has, with the bits that their packages give them.
    private static let privileged: [(path: TreePath, bits: UInt16)] = [
        ("usr/bin/chage", 0o2000), ("usr/bin/chfn", 0o4000), ("usr/bin/chsh", 0o4000), ("usr/bin/crontab", 0o2000),
        ("usr/bin/expiry", 0o2000), ("usr/bin/fusermount3", 0o4000), ("usr/bin/gpasswd", 0o4000),
        ("usr/bin/mount", 0o4000), ("usr/bin/newgidmap", 0o4000), ("usr/bin/newgrp", 0o4000),
        ("usr/bin/newuidmap", 0o4000), ("usr/bin/passwd", 0o4000), ("usr/bin/pkexec", 0o4000),
        ("usr/bin/su", 0o4000), ("usr/bin/sudo", 0o4000), ("usr/bin/umount", 0o4000),
        ("usr/lib/chromium/chrome-sandbox", 0o4000), ("usr/lib/dbus-1.0/dbus-daemon-launch-helper", 0o4000),
        ("usr/lib/polkit-1/polkit-agent-helper-1", 0o4000), ("usr/sbin/unix_chkpwd", 0o2000),
    ]

    private func setIDs(_ subject: CheckSubject) throws -> [Finding] {
        Self.privileged.compactMap { path, bits in
            guard let node = subject.tree.resolvedNode(path), node.blob != nil,
                node.metadata.mode & bits == 0 || node.metadata.uid != 0 && bits & 0o4000 != 0,
                !node.metadata.xattrs.contains(where: { $0.name == "security.capability" })
            else { return nil }
            let kind = bits & 0o4000 != 0 ? "setuid" : "setgid"
            return Finding(
                "state/set-id", .warning, "\(path) lost its \(kind) bit: it works for root alone", path: node.path,
                reasons: [
                    "its package gives it mode \(bits & 0o4000 != 0 ? "4755" : "2755")",
                    "in the image it has mode \(octal(node.metadata.mode)) and owner \(node.metadata.uid):\(node.metadata.gid)",
                ], remedy: "copy the tree with its modes, as root; or suppress this where it is meant")
        }
    }

    private func accounts(_ subject: CheckSubject) throws -> [Finding] {
        let path: TreePath = "etc/passwd"
        // A tree without any accounts is not a system's.
        guard subject.tree.resolve("etc") != nil, !subject.services.isEmpty else { return [] }
        if try subject.lines(of: path).contains(where: { $0.hasPrefix("root:") }) { return [] }
        return [
            Finding(
                "state/accounts", .error, "there is no user root: nothing that names a user can start", path: path,
                reasons: [subject.tree.resolve(path) == nil ? "\(path) is not there" : "\(path) has no line of root's"],
                remedy: "keep /etc/passwd as base-passwd makes it")
        ]
    }

    private func timeZone(_ subject: CheckSubject) -> [Finding] {
        guard let node = subject.tree["etc/localtime"], let target = node.linkTarget,
            subject.tree.resolve(node.path) == nil
        else { return [] }
        let text = String(decoding: target, as: UTF8.self)
        // Without the zones' files every program takes UTC.
        if text.hasSuffix("/UTC") || text.hasSuffix("/UCT") { return [] }
        return [
            Finding(
                "state/time-zone", .warning, "the time zone is not there: programs take UTC", path: node.path,
                reasons: ["\(node.path) is a link to \(text), which the image does not have"],
                remedy: "add the package tzdata", missing: TreePath(normalizing: text))
        ]
    }
}

/// The locales that an image has: `C`, folders of /usr/lib/locale, and those in its archive.
private struct Locales {
    private var names: Set<String> = ["c", "posix"]
    private var archive: [UInt8] = []
    let reasons: [String]

    init(of subject: CheckSubject) throws {
        let folders = subject.tree.resolvedChildren(of: "usr/lib/locale").filter(\.isDirectory)
        // Since 2.35 glibc has C.UTF-8 in itself.
        names.formUnion(folders.map { Self.normalized($0.name) } + ["c.utf8"])
        if let blob = subject.tree.resolvedNode("usr/lib/locale/locale-archive")?.blob {
            // struct locarhead of glibc's locale/locarchive.h: where the names are, and how long.
            let head = try subject.beginning(of: blob, count: 32)
            func word(_ index: Int) -> UInt64 {
                head.count == 32 ? (0..<4).reduce(0) { $0 | UInt64(head[4 * index + $1]) << (8 * UInt64($1)) } : 0
            }
            if word(0) == 0xDE02_0109, word(5) < blob.size {
                archive = try subject.read(blob, word(5)..<min(blob.size, word(5) + min(word(6), 1 << 20)))
            }
        }
        reasons = [
            folders.isEmpty
                ? "/usr/lib/locale has no locale" : "/usr/lib/locale has \(folders.map(\.name).joined(separator: ", "))"
        ]
    }

    func has(_ name: String) -> Bool {
        if name.isEmpty { return true }
        let wanted = Self.normalized(name)
        return names.contains(wanted)
            || archive.split(separator: 0).contains { Self.normalized(String(decoding: $0, as: UTF8.self)) == wanted }
    }

    /// As glibc does with the character set's name: `en_US.UTF-8` is `en_US.utf8`.
    private static func normalized(_ name: String) -> String {
        name.lowercased().filter { $0 != "-" }
    }
}

extension String {
    fileprivate var trimmed: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    fileprivate var trimmingQuotes: String {
        for quote in ["\"", "'"] where count >= 2 && hasPrefix(quote) && hasSuffix(quote) {
            return String(dropFirst().dropLast())
        }
        return self
    }
}
