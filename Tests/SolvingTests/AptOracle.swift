import Debian
import Foundation
import RootfsModel
import Solving

/// apt itself, with a root, a cache and a status of its own, over copies of the lists that `apt-get update` left on
/// this host: no network and nothing of the host's installation.
struct AptOracle {
    let universe: Universe
    let sources: [Universe.Source]
    private let root: URL

    /// What stands in the way of asking apt here; nil when nothing does.
    static var obstacle: String? {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/apt-get"),
            FileManager.default.isExecutableFile(atPath: "/usr/lib/apt/apt-helper")
        else { return "this host has no apt" }
        return hostLists.isEmpty ? "this host has no lists of its APT sources (apt-get update)" : nil
    }

    /// Another folder of lists and another architecture can be compared by hand.
    static let lists = ProcessInfo.processInfo.environment["ROOTFS_BUILD_TEST_APT_LISTS"] ?? "/var/lib/apt/lists"

    /// The names of the Packages lists of this host's own architecture, sorted.
    private static var hostLists: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: lists)) ?? []
        return names.filter { $0.contains("_binary-\(hostArchitecture)_Packages") }.sorted()
    }

    static var hostArchitecture: String {
        if let other = ProcessInfo.processInfo.environment["ROOTFS_BUILD_TEST_ARCHITECTURE"] { return other }
        #if arch(arm64)
            return "arm64"
        #else
            return "amd64"
        #endif
    }

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "solving-oracle-\(UUID().uuidString)")
        for directory in ["lists/partial", "cache/archives/partial", "etc", "empty"] {
            try FileManager.default.createDirectory(
                at: root.appending(path: directory), withIntermediateDirectories: true)
        }
        try Data().write(to: root.appending(path: "status"))
        var sources = [Universe.Source]()
        var list = ""
        for (number, name) in Self.hostLists.enumerated() {
            let text = try run("/usr/lib/apt/apt-helper", ["cat-file", "\(Self.lists)/\(name)"]).output
            let prefix = root.appending(path: "lists/archive.invalid_dists_s\(number)_").path
            try text.write(to: URL(filePath: prefix + "main_binary-\(Self.hostArchitecture)_Packages"))
            var priority = 500
            if let range = name.range(of: "_dists_"), let end = name[range.upperBound...].firstIndex(of: "_") {
                let release = "\(Self.lists)/\(name[..<end])_InRelease"
                if let signed = FileManager.default.contents(atPath: release) {
                    try signed.write(to: URL(filePath: prefix + "InRelease"))
                    let body =
                        String(decoding: signed, as: UTF8.self)
                        .components(separatedBy: "-----BEGIN PGP SIGNATURE").first?
                        .components(separatedBy: "\n\n").dropFirst().joined(separator: "\n\n") ?? ""
                    priority = try ReleaseFile(parsing: Array(body.utf8), file: release).defaultPriority
                }
            }
            list += "deb [trusted=yes] http://archive.invalid s\(number) main\n"
            sources.append(
                Universe.Source(
                    pocket: "s\(number)", index: try PackageIndex(parsing: Array(text), file: name), priority: priority)
            )
        }
        try Data(list.utf8).write(to: root.appending(path: "etc/sources.list"))
        let configuration = """
            Dir::Etc "\(root.path)/etc"; Dir::Etc::parts "\(root.path)/empty"; Dir::Etc::main "/dev/null";
            Dir::Etc::sourcelist "\(root.path)/etc/sources.list"; Dir::Etc::sourceparts "\(root.path)/empty";
            Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "\(root.path)/empty";
            Dir::State "\(root.path)"; Dir::State::lists "\(root.path)/lists"; Dir::State::status "\(root.path)/status";
            Dir::Cache "\(root.path)/cache"; Debug::NoLocking "true";
            APT::Architecture "\(Self.hostArchitecture)"; APT::Architectures { "\(Self.hostArchitecture)"; };
            APT::Install-Recommends "false"; APT::Install-Suggests "false"; APT::Solver "internal";
            """
        try Data(configuration.utf8).write(to: root.appending(path: "apt.conf"))
        self.sources = sources
        self.universe = try Universe(architecture: Self.hostArchitecture, sources: sources)
    }

    func remove() {
        try? FileManager.default.removeItem(at: root)
    }

    /// Versions that are not their name's candidate, as `name=version`, sorted.
    func olderVersions() -> [String] {
        var requests = [String]()
        var newest = [String: DebianVersion]()
        for pass in 0..<2 {
            for source in sources {
                for stanza in 0..<source.index.count {
                    let name = source.index.text(of: .package, in: stanza)
                    let version = DebianVersion(source.index.text(of: .version, in: stanza))
                    guard let known = newest[name] else {
                        newest[name] = version
                        continue
                    }
                    if pass == 0, known < version { newest[name] = version }
                    if pass == 1, version < known { requests.append("\(name)=\(version)") }
                }
            }
        }
        return Set(requests).sorted()
    }

    /// `name version` of what apt would install, sorted; nil where apt refuses.
    func install(_ requests: [String]) throws -> [String]? {
        let result = try run(
            "/usr/bin/apt-get", ["--print-uris", "--yes", "-qq", "install"] + requests,
            environment: [
                "APT_CONFIG": root.appending(path: "apt.conf").path, "LC_ALL": "C.UTF-8",
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            ])
        if result.status != 0 { return nil }
        // 'URI' name_version_architecture.deb size digest
        return String(decoding: result.output, as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 2, line.hasPrefix("'") else { return nil }
            let parts = words[1].split(separator: "_")
            return "\(parts[0]) \(parts[1].removingPercentEncoding ?? String(parts[1]))"
        }.sorted()
    }
}

struct CommandResult {
    var status: Int32
    var output: Data
}

func run(_ program: String, _ arguments: [String], environment: [String: String]? = nil) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    if let environment { process.environment = environment }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return CommandResult(status: process.terminationStatus, output: output)
}
