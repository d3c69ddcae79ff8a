import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// What a recipe says of the archive, from the recipe to the lock: pins, exclusions, suites.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ArchiveKeysTests {
    /// The world's packages, a newer `hello` with its library in the updates, a newer one in backports.
    private func archive(_ world: World) throws -> FixtureArchive {
        let archive = try FixtureArchive(key: world.key)
        func hello(_ version: String, _ fields: [String: String] = [:]) -> [FixturePackage] {
            [
                FixturePackage("hello", version: version, fields: ["Depends": "libhello1 (>= \(version))"]),
                FixturePackage(
                    "libhello1", version: version + "+b1", architecture: "amd64",
                    fields: ["Source": "hello (\(version))"]),
            ]
        }
        let old = try World.packages().filter { !["hello", "libhello1"].contains($0.name) } + hello("2.10-3")
        for suite in World.suites(old, updates: hello("2.12-1")) { try archive.write(suite) }
        var kernel = try FixtureKernel.package("linux-image-builtin", modular: false)
        kernel.version = "7.0-1~bpo12+1"
        var backports = FixtureSuite(
            "bookworm-backports",
            packages: hello("3.0-1~bpo12+1") + [
                FixturePackage("extra", version: "9"), kernel,
            ])
        backports.fields = ["NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"]
        try archive.write(backports)
        return archive
    }

    /// A workspace with one recipe, `choice`.
    private func workspace(_ world: World, archive keys: String = "", _ text: String) throws -> Workspace {
        let workspace = try world.coldWorkspace()
        try write(workspace, archive: keys, text)
        return workspace
    }

    private func write(_ workspace: Workspace, archive keys: String, _ text: String) throws {
        try workspace.recipe(
            "choice", text,
            archive: "{suite: bookworm, keyring: keys/fixture.gpg\(keys.isEmpty ? "" : ", " + keys)}")
    }

    /// The lock's packages of other layers than the base, as `name version pocket purpose`; what it says on stderr where
    /// there is none.
    private func locked(_ workspace: Workspace, _ mirror: String, update: Bool = false) throws -> [String] {
        let ending = try workspace.run(
            ["lock", "recipes/choice.manifest"] + (update ? ["--update"] : []), mirror: mirror)
        guard ending.status == 0 else {
            let lines = ending.stderr.replacing(mirror, with: "MIRROR")
                .split(separator: "\n", omittingEmptySubsequences: false)
            return [lines.filter { !$0.hasPrefix("choice: ") }.joined(separator: "\n")]
        }
        return try workspace.text("recipes/choice.lock").split(separator: "\n\n").compactMap { stanza in
            var fields = [String: String]()
            for line in stanza.split(separator: "\n") {
                let words = line.split(separator: ":", maxSplits: 1)
                fields[String(words[0])] = words[1].trimmingPrefix(" ").description
            }
            guard let name = fields["Package"], fields["Layer"] != "base" else { return nil }
            return [name, fields["Version"], fields["Pocket"], fields["Layer"] ?? fields["Role"]].compactMap { $0 }
                .joined(separator: " ")
        }
    }

    private static let hello = "layers: [{name: system, packages: [hello]}]"

    @Test func `a pin moves a source package, and moving the pin is moving the lock`() throws {
        let world = try World.shared()
        let archive = try archive(world)
        let workspace = try workspace(world, Self.hello)
        let newer = ["hello 2.12-1 bookworm-updates system", "libhello1 2.12-1+b1 bookworm-updates system"]
        #expect(try locked(workspace, archive.uri) == newer)
        try write(workspace, archive: #"pins: {hello: "2.10*"}"#, Self.hello)
        #expect(
            try locked(workspace, archive.uri) == [
                """
                error: the recipe recipes/choice.manifest does not ask for what its lock holds
                  pins: the lock lacks hello 2.10*
                hint: run rootfs-build lock --update recipes/choice.manifest

                """
            ])
        let older = ["hello 2.10-3 bookworm system", "libhello1 2.10-3+b1 bookworm system"]
        #expect(try locked(workspace, archive.uri, update: true) == older)
        #expect(try locked(workspace, archive.uri) == older)
        #expect(try workspace.text("recipes/choice.lock").contains("\nPins: hello 2.10*\n"))
    }

    @Test func `what is wrong with pins and exclusions is said at their places, all at once`() throws {
        let world = try World.shared()
        let archive = try archive(world)
        let workspace = try workspace(
            world, archive: #"pins: {hello: "2.11*", helo: "*"}, exclude: [libhelo1]"#, Self.hello)
        #expect(
            try locked(workspace, archive.uri) == [
                """
                recipes/choice.manifest:3:62: error: cannot pin hello: no version matches `2.11*`
                 3 | archive: {suite: bookworm, keyring: keys/fixture.gpg, pins: {hello: "2.11*", helo: "*"}, exclude: [libhelo1]}
                   |                                                              ^^^^^
                  bookworm has hello 2.10-3
                  bookworm-updates has hello 2.12-1
                recipes/choice.manifest:3:78: error: cannot pin helo: no such package
                 3 | archive: {suite: bookworm, keyring: keys/fixture.gpg, pins: {hello: "2.11*", helo: "*"}, exclude: [libhelo1]}
                   |                                                                              ^^^^
                hint: did you mean hello?
                recipes/choice.manifest:3:100: error: cannot exclude libhelo1: no such package
                 3 | archive: {suite: bookworm, keyring: keys/fixture.gpg, pins: {hello: "2.11*", helo: "*"}, exclude: [libhelo1]}
                   |                                                                                                    ^^^^^^^^
                hint: did you mean libhello1?

                """
            ])
    }

    @Test func `backports give what is asked of them and what it needs, nothing else`() throws {
        let world = try World.shared()
        let archive = try archive(world)
        let workspace = try workspace(
            world, archive: "pockets: [updates, security, backports]",
            "layers: [{name: system, packages: [extra, hello/bookworm-backports]}]\n"
                + "kernel: {package: linux-image-builtin/bookworm-backports, initrd: never}")
        #expect(
            try locked(workspace, archive.uri) == [
                "extra 1.0 bookworm system", "hello 3.0-1~bpo12+1 bookworm-backports system",
                "libhello1 3.0-1~bpo12+1+b1 bookworm-backports system",
                "linux-image-builtin 7.0-1~bpo12+1 bookworm-backports kernel",
            ])
        #expect(try workspace.text("recipes/choice.lock").contains("\nRequest: extra, hello/bookworm-backports\n"))
        try write(workspace, archive: "pockets: [updates, security, backports]", Self.hello)
        #expect(try locked(workspace, archive.uri, update: true).first == "hello 2.12-1 bookworm-updates system")
        // A pocket that the recipe does not take.
        try write(workspace, archive: "pockets: []", "layers: [{name: system, packages: [hello/bookworm-backports]}]")
        #expect(
            try locked(workspace, archive.uri, update: true) == [
                """
                recipes/choice.manifest:4:36: error: cannot install hello/bookworm-backports: the recipe's archive has no suite \
                `bookworm-backports`
                 4 | layers: [{name: system, packages: [hello/bookworm-backports]}]
                   |                                    ^^^^^^^^^^^^^^^^^^^^^^^^
                  it has bookworm
                hint: archive.pockets and archive.extra say which there are

                """
            ])
    }

    @Test func `an excluded package is no kernel, no shell of an initrd and no dependency`() throws {
        let world = try World.shared()
        let archive = try archive(world)
        let kernel = "\nkernel: {package: linux-image-builtin}"
        let workspace = try workspace(
            world, archive: "exclude: [linux-image-builtin, libhello1]", Self.hello + kernel)
        #expect(
            try locked(workspace, archive.uri) == [
                """
                error: cannot install hello
                  hello was requested
                  but:
                    hello needs libhello1 (>= 2.12-1), which cannot be satisfied:
                      libhello1 is excluded by the recipe

                """
            ])
        let extra = "layers: [{name: system, packages: [extra]}]"
        try write(workspace, archive: "exclude: [linux-image-builtin]", extra + kernel)
        #expect(
            try locked(workspace, archive.uri) == [
                """
                recipes/choice.manifest:5:19: error: cannot install linux-image-builtin: the recipe excludes it
                 5 | kernel: {package: linux-image-builtin}
                   |                   ^^^^^^^^^^^^^^^^^^^
                hint: take linux-image-builtin out of the recipe's exclude list, or out of its packages

                """
            ])
        try write(workspace, archive: "exclude: [busybox-static]", extra + kernel)
        let image = try FixtureKernel.package("linux-image-builtin", modular: false)
        #expect(
            try locked(workspace, archive.uri) == [
                "extra 1.0 bookworm system", "linux-image-builtin \(image.version) bookworm kernel",
            ])
        // No node where it is excluded, whoever asks.
        try write(workspace, archive: "exclude: [extra]", Self.hello + "\nnode: {package: extra}")
        #expect(
            try locked(workspace, archive.uri, update: true)[0].contains(
                ":5:17: error: cannot install extra: the recipe excludes it"))
    }
}
