import ArchiveFixture
import Recipes
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Pipeline

/// Recipes in a folder of their own, built with a store of their own and no network.
private struct Workshop {
    let directory: FixtureDirectory
    var settings: BuildSettings

    init() throws {
        directory = try FixtureDirectory("workshop")
        settings = BuildSettings(
            store: try Store(at: directory.path.appending("store")), jobs: 1, now: 0, hostArchitecture: "amd64",
            toolVersion: "test", measure: { Measurement(wall: 0, cpu: 0) }, progress: { _ in })
        settings.outputParent = directory.path.appending("out")
        settings.aptDirectory = directory.path.appending("no-apt")
    }

    func put(_ name: String, _ text: String) throws -> String {
        let path = directory.path.appending(name)
        try writeFile(Array(text.utf8), to: path)
        return path.string
    }

    /// What a build of these recipes throws; paths are shown without the folder.
    func complaint(_ recipes: String...) async -> String {
        do {
            _ = try await build(recipes: recipes, settings: settings)
            return "nothing was thrown"
        } catch {
            return "\(error)".replacing(directory.path.string + "/", with: "")
        }
    }
}

private func recipe(_ name: String, archive: String = "suite: bookworm", _ rest: String) -> String {
    "recipe: 1\nname: \(name)\narchive: {\(archive)}\nlayers: [{name: a, packages: [dbus]}]\n\(rest)"
}

@Suite struct HostInputs {
    @Test func everyMissingFileOfAllRecipesIsNamedBeforeAnythingIsResolved() async throws {
        let workshop = try Workshop()
        try makeDirectory(at: workshop.directory.path.appending("overlays"))
        try makeDirectory(at: workshop.directory.path.appending("overlays/supervisor"))
        _ = try workshop.put("node.tar", "not what was meant")
        _ = try workshop.put("vmlinuz-6", "")
        let first = try workshop.put(
            "a.manifest",
            recipe(
                "a",
                """
                node: {archive: {file: node.tar, sha256: \(String(repeating: "0", count: 64))}}
                kernel: {file: vmlinux-6}
                overlays: [overlay/supervisor, overlays/supervisor, node.tar]

                """))
        let second = try workshop.put(
            "b.manifest",
            recipe(
                "b", archive: "suite: bookworm, keyring: keys.gpg",
                "node: {archive: {file: missing.tar, sha256: \(String(repeating: "0", count: 64))}}\n"))
        let digest = Digest(hashing: "not what was meant")
        let message = await workshop.complaint(first, second)
        #expect(
            message == """
                a.manifest:5:42: error: node.tar is not the file that the recipe means
                 5 | node: {archive: {file: node.tar, sha256: \(String(repeating: "0", count: 64))}}
                   |                                          \(String(repeating: "^", count: 64))
                  the recipe says sha256:\(String(repeating: "0", count: 64))
                  the file has    \(digest)
                hint: fetch it again, or correct the digest if the file is right
                a.manifest:6:16: error: there is no kernel vmlinux-6
                 6 | kernel: {file: vmlinux-6}
                   |                ^^^^^^^^^
                hint: did you mean vmlinuz-6?
                a.manifest:7:12: error: there is no folder overlay/supervisor to lay over the tree
                 7 | overlays: [overlay/supervisor, overlays/supervisor, node.tar]
                   |            ^^^^^^^^^^^^^^^^^^
                hint: did you mean overlays/supervisor?
                a.manifest:7:53: error: node.tar is no folder to lay over the tree
                 7 | overlays: [overlay/supervisor, overlays/supervisor, node.tar]
                   |                                                     ^^^^^^^^
                b.manifest:3:37: error: there is no keyring keys.gpg
                 3 | archive: {suite: bookworm, keyring: keys.gpg}
                   |                                     ^^^^^^^^
                b.manifest:5:24: error: there is no tarball of Node missing.tar
                 5 | node: {archive: {file: missing.tar, sha256: \(String(repeating: "0", count: 64))}}
                   |                        ^^^^^^^^^^^
                """)
    }

    @Test func aKernelsCommandLineThatIsTooLongIsRefusedBeforeAnythingIsResolved() async throws {
        let workshop = try Workshop()
        let arguments = (0..<30).map { "a\($0)=" + String(repeating: "x", count: 70) }.joined(separator: ", ")
        let path = try workshop.put(
            "a.manifest", recipe("a", "kernel:\n  package: linux-image-amd64\n  arguments:\n    [\(arguments)]\n"))
        let message = await workshop.complaint(path)
        #expect(
            message.hasPrefix(
                "a.manifest:8:6: error: the kernel's command line has 2256 bytes, and 2047 are the most\n"))
        #expect(message.hasSuffix("\nhint: shorten kernel.arguments"))
    }

    @Test func aMirrorsDirectoryThatIsNotThereIsNamedWhereItIsWritten() async throws {
        var workshop = try Workshop()
        try makeDirectory(at: workshop.directory.path.appending("debian"))
        let absolute = workshop.directory.path.string + "/debain"
        let path = try workshop.put("a.manifest", recipe("a", archive: "suite: bookworm, mirror: ./debain", ""))
        #expect(
            await workshop.complaint(path) == """
                a.manifest:3:36: error: there is no directory ./debain to take packages from
                 3 | archive: {suite: bookworm, mirror: ./debain}
                   |                                    ^^^^^^^^
                hint: did you mean ./debian?
                """)
        // The command line's goes before it and has no place in the recipe.
        workshop.settings.mirror = absolute
        #expect(
            await workshop.complaint(path) == """
                error: --mirror: there is no directory debain to take packages from
                hint: did you mean debian?
                """)
        workshop.settings.mirror = "ftp://h/debian"
        #expect(await workshop.complaint(path).hasPrefix("error: --mirror is no archive's address: `ftp://h/debian`\n"))
    }
}

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct DirectoryMirrors {
    @Test func aMirrorMayBeADirectoryBesideTheRecipe() throws {
        var workshop = try Workshop()
        let archive = try FixtureArchive(key: FixtureKey())
        let suite = FixtureSuite(
            "bookworm", packages: [FixturePackage("dbus", version: "1", files: [.file("usr/bin/dbus", "x")])])
        try archive.write(suite)
        try moveItem(at: archive.root, to: workshop.directory.path.appending("my debian"))
        let path = try workshop.put(
            "a.manifest",
            recipe(
                "a",
                archive: "suite: bookworm, pockets: [], mirror: ./my debian, keyring: \(archive.key.keyring.string)",
                ""))
        func locked() throws -> String {
            let results = try lock(recipes: [path], update: .everything, settings: workshop.settings)
            return results[0].lockDigest
        }
        let digest = try locked()
        workshop.settings.mirror = workshop.directory.path.appending("my debian").string
        #expect(try locked() == digest)
    }

    @Test func aPinnedKernelMetapackageLeadsToItsOwnBuild() throws {
        var workshop = try Workshop()
        let archive = try FixtureArchive(key: FixtureKey())
        func meta(_ version: String, needs: String) -> FixturePackage {
            var package = FixturePackage("linux-image-amd64", version: version)
            package.fields["Depends"] = "linux-image-6-amd64 (= \(needs))"
            return package
        }
        let kernels = ["6.1", "6.2"].map {
            FixturePackage("linux-image-6-amd64", version: $0, files: [.file("boot/vmlinuz-6", $0)])
        }
        try archive.write(
            FixtureSuite(
                "bookworm",
                packages: [
                    FixturePackage("dbus", version: "1"), meta("1", needs: "6.1"), meta("2", needs: "6.2"),
                    meta("3", needs: "6.3"),
                ] + kernels))
        workshop.settings.mirror = archive.uri
        func locked(_ request: String) throws -> String {
            let path = try workshop.put(
                "a.manifest",
                recipe(
                    "a", archive: "suite: bookworm, pockets: [], keyring: \(archive.key.keyring.string)",
                    "kernel: {package: \(request), initrd: never}\n"))
            let result = try lock(recipes: [path], update: .everything, settings: workshop.settings)[0]
            return String(decoding: try readFile(at: FilePath(result.lockPath)), as: UTF8.self)
        }
        #expect(try locked("linux-image-amd64=1").contains("Package: linux-image-6-amd64\nVersion: 6.1\n"))
        #expect(try locked("linux-image-amd64=2").contains("Package: linux-image-6-amd64\nVersion: 6.2\n"))
        do {
            _ = try locked("linux-image-amd64")
            Issue.record("locked a kernel that is not there")
        } catch {
            #expect(
                "\(error)".hasPrefix(
                    "\(workshop.directory.path)/a.manifest:5:19: error: linux-image-amd64 3 leads to the kernel "
                        + "linux-image-6-amd64 (= 6.3), which the archive does not have\n"))
        }
    }
}

@Suite struct BootExpectations {
    @Test(arguments: [("500ms", Int64(500)), ("1.5s", 1500), ("2min", 120_000)])
    func theTimeToBootIsKeptToTheMillisecond(text: String, milliseconds: Int64) throws {
        let text = recipe("a", "boot: {within: \(text)}\n")
        let loaded = try Recipe.load(path: "a.manifest") { _ in Array(text.utf8) }
        #expect(ImageRecord.BootEntry(loaded).withinMilliseconds == milliseconds)
    }
}
