import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Nights of a recipe on an archive of a test's own, which moves as the test wants. The machine is a script: it panics
/// where the image has the words `boots badly`.
final class Nights {
    let archive: FixtureArchive
    let workspace: Workspace
    var packages: [FixturePackage]
    var security: [FixturePackage] = []
    /// Of the archive's Release files.
    var date: Int64 = 1_767_225_600
    var validUntil: Int64?
    var hasByHash = true
    /// Of the host's clock: the archive's key is of now.
    var now = Int64(time(nil))

    /// What is otherwise than by default is in `policy`.
    static func recipe(_ policy: String = "{}") -> String {
        """
        layers:
          - {name: system, packages: [hello]}
          - {name: daemon, packages: [daemon]}
        kernel: {package: linux-image-builtin, arguments: [console=ttyS0]}
        files: {/etc/inittab: "::respawn:/usr/bin/daemon\\n"}
        image: {free: 1MiB}
        boot: {within: 20s, soak: 0s, expect: ["login:"]}
        nightly: \(policy)
        """
    }

    init(_ policy: String = "{}") throws {
        let world = try World.shared()
        archive = try FixtureArchive(key: world.key)
        workspace = try Workspace(key: world.key, archive: archive)
        try removeTree(at: workspace.cache)
        try shell("cp -al '\(world.warm.cache)' '\(workspace.cache)'")
        packages = try World.packages() + Self.daemon(soname: nil)
        try workspace.recipe("demo", Self.recipe(policy))
        try workspace.write(
            "bin/qemu-system-x86_64",
            """
            #!/bin/sh
            for word; do case $word in *file=*) image=${word#*file=}; image=${image%%,*};; esac; done
            if grep -q 'boots badly' "$image"; then echo '[ 1.0] Kernel panic - not syncing: as was to be shown'; exit; fi
            echo 'demo login: '
            exec sleep 100

            """, mode: 0o755)
        try makeDirectory(at: workspace.path("tmp"))
        try publish()
    }

    /// A service's program, which is the host's gpg, and the library that it needs and the base system has not.
    ///
    /// - Parameter soname: the library's name where it is another.
    static func daemon(soname: String?) throws -> [FixturePackage] {
        let base = Set(
            try HostBase.package().files.map { String(decoding: $0.path, as: UTF8.self).split(separator: "/").last })
        let lines = try shell("ldd /usr/bin/gpg | grep -o '/[^ ]*' | sort -u").split(separator: "\n").map(String.init)
        let libraries = lines.filter { $0.contains(".so") && !base.contains($0.split(separator: "/").last) }
        var files = [FixtureFile]()
        for path in libraries {
            let isMoved = soname != nil && path.contains("/libgcrypt.so")
            let place = (path.hasPrefix("/usr") ? path : "/usr" + path)
            let name = isMoved ? FilePath(place).removingLastComponent().appending(soname ?? "").string : place
            files.append(.file(String(name.dropFirst()), bytes: try readFile(at: FilePath(path)), mode: 0o644))
        }
        var library = FixturePackage(
            "libdaemon", version: soname == nil ? "1.0" : "2.0", architecture: "amd64", files: files,
            triggers: "activate-noawait ldconfig\n")
        library.compression = .gzip
        var daemon = FixturePackage(
            "daemon", architecture: "amd64", fields: ["Depends": "libdaemon"],
            files: [
                .file("usr/bin/daemon", bytes: try readFile(at: "/usr/bin/gpg"), mode: 0o755),
                .link("usr/sbin/init", to: "../bin/sh"),
            ])
        daemon.compression = .gzip
        return [library, daemon]
    }

    /// Puts another version of a package in its place.
    func move(_ name: String, to version: String, _ change: (inout FixturePackage) -> Void = { _ in }) throws {
        guard let index = packages.firstIndex(where: { $0.name == name }) else { throw Failure("no package \(name)") }
        packages[index].version = version
        change(&packages[index])
    }

    /// Writes the archive as it is now; its date moves by an hour.
    func publish() throws {
        date += 3600
        for var suite in World.suites(packages) {
            if suite.name == "bookworm-security" { suite.packages = security }
            suite.date = date
            suite.validUntil = validUntil
            suite.hasByHash = hasByHash
            try archive.write(suite)
        }
    }

    var program: Program {
        var program = workspace.program
        program.environment =
            program.environment.filter { !$0.hasPrefix("PATH=") } + [
                "PATH=\(workspace.path("bin")):/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=\(workspace.path("tmp"))",
            ]
        return program
    }

    func words(_ more: [String] = [], mirror: String? = nil) -> [String] {
        workspace.words(
            [
                "nightly", "recipes/demo.manifest", "--engine", "tcg", "--retry-after", "0s", "--retries", "0", "--now",
                String(now),
            ] + more, mirror: mirror)
    }

    func run(_ more: [String] = [], mirror: String? = nil) throws -> Program.Ending {
        try program.run(words(more, mirror: mirror), within: 120)
    }

    /// A night, and what it decided.
    func night(_ more: [String] = [], mirror: String? = nil) throws -> (ending: Program.Ending, record: JSON) {
        now += 86_400
        let ending = try run(more, mirror: mirror)
        return (ending, try record())
    }

    func record(_ file: String = "nightly.json") throws -> JSON {
        try JSON(workspace.text("out/demo.nights/\(file)"))
    }

    /// The kept attempts by name.
    func versions() throws -> [String] {
        try directoryNames(at: workspace.path("out/demo.nights")).map { String(decoding: $0, as: UTF8.self) }
            .filter { $0.first?.isNumber == true }.sorted()
    }

    /// The lock and the outputs in place: what must stay where a night is refused.
    func inPlace() throws -> String {
        try shell("sha256sum recipes/demo.lock out/demo/*", in: workspace.root)
    }
}

extension JSON {
    /// The outcome of a gate of nightly.json.
    func gate(_ name: String) -> String? {
        self["gates"].list.first { $0["name"].string == name }?["outcome"].string
    }
}
