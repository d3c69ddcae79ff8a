import RootfsModel

/// Whether every library defines the versions that its users are bound to.
struct SymbolsRule: Rule {
    static let name = "symbols"
    static let reason =
        "a program that is built against a newer library than the image's ends before main: `version not found`"
    static let specification = "Linux Standard Base, core, 10.7 (symbol versioning); glibc, elf/dl-version.c"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        var findings = [Finding]()
        for load in try subject.serviceLoads() {
            let process = load.process
            for (index, object) in process.objects.enumerated() {
                for (provider, needs) in unmet(
                    of: object.file,
                    by: { name in
                        process.objects.first { $0.names.contains(name) }.map { ($0.path, $0.file) }
                    })
                {
                    findings.append(
                        finding(
                            object.path, provider, needs, load.launch.severity, load.service,
                            load.launch.reasons + process.chain(to: index), load.launch.location))
                }
            }
        }
        return findings
    }

    private func finding(
        _ path: TreePath, _ provider: Provider, _ needs: [String], _ severity: Severity, _ service: String?,
        _ reasons: [String], _ location: SourceLocation?
    ) -> Finding {
        let newest = needs.first.flatMap { newestVersion(like: $0, of: provider.file) }
        return Finding(
            "symbols/version", severity,
            "\(path) needs \(needs.joined(separator: ", ")) of \(provider.path), whose newest is \(newest ?? "another")",
            service: service, path: path,
            reasons: reasons + [
                "\(path) is bound to \(needs.joined(separator: ", "))",
                "\(provider.path) defines \(newest.map { "up to \($0)" } ?? "no version of that name")",
            ],
            remedy:
                "take a build of \(path) made for this distribution's release, or a newer \(String(decoding: provider.path.name, as: UTF8.self))",
            location: location)
    }
}

/// Who has to define a version.
struct Provider: Hashable {
    var path: TreePath
    var file: ElfFile
}

/// The versions that a file needs and its providers do not define. A provider without any versions is taken as it is,
/// and weak needs are none (glibc, match_symbol).
func unmet(
    of file: ElfFile, by provider: (_ name: [UInt8]) throws -> (path: TreePath, file: ElfFile)?
) rethrows -> [(provider: Provider, versions: [String])] {
    var result = [(provider: Provider, versions: [String])]()
    var known = [[UInt8]: (path: TreePath, file: ElfFile)?]()
    for need in file.neededVersions where !need.isWeak {
        let found = try known[need.file] ?? provider(need.file)
        known[need.file] = .some(found)
        guard let found, let defined = found.file.definedVersions, !defined.contains(need.name) else { continue }
        if let index = result.firstIndex(where: { $0.provider.path == found.path }) {
            result[index].versions.append(need.name)
        } else {
            result.append((Provider(path: found.path, file: found.file), [need.name]))
        }
    }
    return result
}

/// The newest of a file's versions with the same name before the number: for `GLIBC_2.39` its newest `GLIBC_…`.
func newestVersion(like version: String, of file: ElfFile) -> String? {
    func parts(_ name: String) -> (name: Substring, numbers: [Int]) {
        let start = name.firstIndex { $0.isNumber } ?? name.endIndex
        return (name[..<start], name[start...].split { !$0.isNumber }.map { Int($0) ?? Int.max })
    }
    let wanted = parts(version).name
    return file.definedVersions?.filter { parts($0).name == wanted && !parts($0).numbers.isEmpty }
        .max { parts($0).numbers.lexicographicallyPrecedes(parts($1).numbers) }
}
