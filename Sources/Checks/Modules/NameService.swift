import RootfsModel

/// The modules that nsswitch.conf(5) names: the C library opens them when a program asks for a user or a host, and goes on
/// without those that are not there.
func nameServiceFindings(_ modules: ModuleCheck) throws -> [Finding] {
    let subject = modules.subject
    let path: TreePath = "etc/nsswitch.conf"
    guard let content = try subject.content(of: path, limit: 1 << 20) else { return [] }
    var findings = [Finding]()
    for line in String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline) {
        let parts = line.prefix { $0 != "#" }.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        let database = parts[0].trimmed
        // Others have no user at boot, and Debian's own file names sources of theirs that nothing brings.
        guard ["passwd", "group", "shadow", "hosts"].contains(database) else { continue }
        var inAction = false
        let sources = parts[1].split(whereSeparator: \.isWhitespace).filter { word in
            defer { if word.hasSuffix("]") { inAction = false } }
            if word.hasPrefix("[") { inAction = true }
            return !inAction
        }.map(String.init)
        let missing = sources.filter { source in
            // In the C library itself since 2.34.
            !["files", "dns"].contains(source)
                && modules.places.files(named: Array("libnss_\(source).so.2".utf8)).isEmpty
        }
        let isEmpty = !sources.isEmpty && missing.count == sources.count
        for source in missing {
            findings.append(
                Finding(
                    "modules/nss", isEmpty ? .error : .note,
                    "\(database) in /etc/nsswitch.conf asks \(source), and the image has no libnss_\(source).so.2"
                        + (isEmpty ? ": no name is found" : ""), path: path,
                    reasons: ["\(path): \(line.trimmed)"],
                    remedy: "add the package that brings libnss_\(source).so.2, or take \(source) out of the line",
                    missing: modules.place(of: "libnss_\(source).so.2")))
        }
        for source in sources {
            for module in modules.places.files(named: Array("libnss_\(source).so.2".utf8)) {
                findings += try modules.lacks(of: module, "modules/nss", .warning, because: "\(path): \(line.trimmed)")
            }
        }
    }
    return findings
}

extension StringProtocol {
    /// Without blanks at both ends.
    var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
