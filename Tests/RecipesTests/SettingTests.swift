import Recipes
import RootfsModel
import Testing

/// What of a recipe decides the outputs beside its lock.
@Suite struct SettingTests {
    private let text = """
        recipe: 1
        name: web
        archive: {suite: bookworm}
        layers: [{name: system, packages: [dbus, udev]}]
        variables: {port: 80}
        overlays: [{source: overlays/web, template: [PATTERN]}]

        """

    private func settings(_ change: (String) -> String) throws -> [Recipe.Setting] {
        try load(change(text)).settings
    }

    @Test(arguments: [
        "suite: bookworm, mirror: \"http://a/b\", keyring: keys/k.gpg", "suite: trixie",
    ]) func whereThePackagesComeFromIsTheLocks(archive: String) throws {
        let text = text.replacing("PATTERN", with: "\"*\"")
        let other = text.replacing("suite: bookworm", with: archive)
        #expect(try load(other).settings == load(text).settings)
        #expect(try load(other).digest == load(text).digest)
        #expect(try load(other).canonicalForm != load(text).canonicalForm)
    }

    @Test func aCommentAndTheOrderOfPackagesAreNoSettings() throws {
        #expect(
            try settings { "# a comment\n" + $0.replacing("dbus, udev", with: "udev, dbus") } == settings { $0 })
    }

    @Test func variablesCountWhereATemplateMayHaveThem() throws {
        func differ(_ pattern: String) throws -> Bool {
            let text = text.replacing("[PATTERN]", with: pattern)
            return try load(text).settings != load(text.replacing("port: 80", with: "port: 81")).settings
        }
        #expect(try !differ("[]"))
        #expect(try differ("[\"*.conf\"]"))
    }

    @Test func aMapsMembersAreSettingsOfTheirOwn() throws {
        let settings = try settings { $0 + "image: {free: 1MiB}\nhostname: host\n" }
        #expect(settings.first { $0.name == "image.free" }?.value == "\"1MiB\"")
        #expect(settings.first { $0.name == "hostname" }?.value == "\"host\"")
        #expect(Set(settings.map(\.name)).count == settings.count)
    }
}
