import Provisioning
import Recipes
import RootfsModel
import Testing

private func identify(
    _ hostname: String = "box", zone: String = "UTC", locale: String = "C.UTF-8", in tree: FileTree? = nil
) throws -> FileTree {
    var recipe = Recipe()
    recipe.hostname = Located(hostname)
    recipe.timezone = Located(zone)
    recipe.locale = Located(locale)
    return try provisioned(recipe, tree: tree).tree
}

@Suite struct IdentityTests {
    @Test func theHostHasANameALanguageAndNothingOfTheBuilder() throws {
        let base = try baseTree([
            file("etc/resolv.conf", "nameserver 10.0.0.1\n", mode: 0o755),
            link("etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo"),
        ])
        let tree = try identify("box.example.org", in: base)
        #expect(try text("etc/hostname", in: tree) == "box.example.org\n")
        #expect(
            try text("etc/hosts", in: tree) == """
                127.0.0.1\tlocalhost
                127.0.1.1\tbox.example.org box
                ::1\t\tlocalhost ip6-localhost ip6-loopback
                ff02::1\t\tip6-allnodes
                ff02::2\t\tip6-allrouters

                """)
        #expect(try text("etc/machine-id", in: tree) == "")
        #expect(tree["etc/machine-id"]?.metadata.mode == 0o444)
        #expect(try !text("etc/resolv.conf", in: tree).contains("nameserver"))
        #expect(tree["etc/resolv.conf"]?.metadata.mode == 0o644)
        #expect(try text("etc/default/locale", in: tree) == "LANG=C.UTF-8\n")
        #expect(try text("etc/timezone", in: tree) == "UTC\n")
        // UTC without tzdata is the absence of a zone.
        #expect(tree["etc/localtime"] == nil)
    }

    @Test func aMachineIDThatNormalisingLeftIsKept() throws {
        let tree = try identify(in: try baseTree([file("etc/machine-id", "0123\n")]))
        #expect(try text("etc/machine-id", in: tree) == "0123\n")
    }

    @Test func aZoneIsALinkAndAResolverLinkIsLeftAlone() throws {
        let base = try baseTree([
            file("usr/share/zoneinfo/Europe/Berlin", "TZif"), link("etc/resolv.conf", "../run/systemd/resolve/stub"),
        ])
        let tree = try identify(zone: "Europe/Berlin", in: base)
        #expect(tree["etc/localtime"]?.linkTarget == Array("../usr/share/zoneinfo/Europe/Berlin".utf8))
        #expect(tree["etc/resolv.conf"] == base["etc/resolv.conf"])
    }

    @Test func localesAreFoundAsFoldersAndInTheArchive() throws {
        let folder = try baseTree([file("usr/lib/locale/de_DE.utf8/LC_TIME", "")])
        #expect(try text("etc/default/locale", in: identify(locale: "de_DE.UTF-8", in: folder)) == "LANG=de_DE.UTF-8\n")
        let archive = try baseTree([file("usr/lib/locale/locale-archive", "x\0de_DE.utf8\0sr_RS.utf8@latin\0")])
        _ = try identify(locale: "de_DE.UTF-8", in: archive)
        _ = try identify(locale: "sr_RS.UTF-8@latin", in: archive)
        #expect(complaint { _ = try identify(locale: "DE.UTF-8", in: archive) } != "no error")
    }

    @Test func everyMistakeIsSaidAtOnce() throws {
        let base = try baseTree([file("usr/share/zoneinfo/Europe/Berlin", "TZif")])
        #expect(
            complaint { _ = try identify("-box", zone: "Europe/Berlni", locale: "de_DE.UTF-8", in: base) } == """
                error: `-box` is not a host name
                hint: use letters, digits and inner hyphens; labels are joined by dots
                error: the time zone Europe/Berlni is not in the image
                hint: did you mean Europe/Berlin?
                error: the locale de_DE.UTF-8 is not in the image
                hint: add the package locales-all to a layer, or say C.UTF-8
                """)
        #expect(
            complaint { _ = try identify(zone: "Europe/Berlin") } == """
                error: the time zone Europe/Berlin is not in the image, which has no zones at all
                hint: add the package tzdata to a layer, or say UTC
                """)
    }

    @Test(arguments: ["../../../etc/shadow", "/etc/passwd", "", "a//b", "Europe", "x\ny"])
    func aZoneOutsideTheZonesIsRefused(zone: String) throws {
        let base = try baseTree([file("usr/share/zoneinfo/Europe/Berlin", "TZif")])
        #expect(throws: Failures.self) { try identify(zone: zone, in: base) }
    }

    @Test(arguments: ["a b", "x\nLD_PRELOAD=y", "../../x", ""])
    func aLocaleThatIsNoneIsRefused(locale: String) {
        #expect(throws: Failures.self) { try identify(locale: locale) }
    }
}
