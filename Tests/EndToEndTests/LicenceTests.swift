import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct LicenceTests {
    /// A build whose packages have copyright files: one of its own, one behind a link, one in free text.
    static func workspace() throws -> Workspace {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write(
            "overlays/doc/usr/share/doc/hello/copyright",
            """
            Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

            Files: *
            License: GPL-2+ or Artistic

            Files: debian/*
            License: House
             Be nice.

            """)
        try workspace.write(
            "overlays/doc/usr/share/doc/odd-names/copyright", "See /usr/share/common-licenses/LGPL-2.1.\n")
        // Absolute, as dh_link makes them: it leads inside the image.
        try shell("ln -s /usr/share/doc/hello libhello1", in: workspace.path("overlays/doc/usr/share/doc"))
        try workspace.recipe(
            "attested",
            "layers: [{name: system, packages: [hello]}, {name: odd, packages: [odd-names]}]\n"
                + "kernel: {package: linux-image-builtin, arguments: [console=ttyS0]}\noverlays: [overlays/doc]")
        let built = try workspace.build("attested")
        guard built.status == 0 else { throw Failure("attested was not built", notes: [built.stderr]) }
        return workspace
    }

    @Test func `an image's licences are told by licence, by package and as JSON`() throws {
        let workspace = try Self.workspace()
        let text = try workspace.program.run(["licenses", "out/attested"])
        #expect(text.status == 0, "\(text.stderr)")
        #expect(text.stdout.contains("\nGPL-2.0-or-later (2)\n  hello, libhello1\n"), "\(text.stdout)")
        #expect(
            text.stdout.contains(
                "\nNOASSERTION, the copyright file is free text that names LGPL-2.1 (1)\n  odd-names\n"))
        #expect(text.stdout.contains("\nNOASSERTION, no copyright file ("))
        let packages = try workspace.program.run(["licenses", "--by", "package", "out/attested/attested.ext4"]).stdout
        let line = try #require(packages.split(separator: "\n").first { $0.hasPrefix("libhello1 2.1 ") })
        #expect(line.contains("  (Artistic-1.0-Perl OR GPL-2.0-or-later) AND LicenseRef-House-"))
        let report = try JSON(workspace.program.run(["licenses", "--json", "out/attested"]).stdout)
        let hello = try #require(report["packages"].list.first { $0["package"].string == "libhello1" })
        #expect(hello["file"].string == "/usr/share/doc/hello/copyright")
        #expect(hello["terms"].names == ["Artistic", "GPL-2+", "House"])
        #expect(report["machineReadable"] == .number(2))
        #expect(report["freeText"] == .number(1))

        try shell("mkdir tree", in: workspace.root)
        #expect(
            try workspace.program.run(["inspect", "extract", "out/attested/attested.ext4", "/", "-o", "copy"]).status
                == 0)
        let copy = try JSON(workspace.program.run(["licenses", "--json", "copy"]).stdout)
        #expect(copy["packages"] == report["packages"])

        let empty = try workspace.program.run(["licenses", "tree"])
        #expect(empty.status == 2)
        same(
            empty.stderr,
            """
            error: tree has no /var/lib/dpkg/status, so nobody knows its packages
            hint: an image whose recipe removes dpkg's database can be told only by its lock

            """)
        let lock = try workspace.program.run(["licenses", "recipes/attested.lock"])
        #expect(lock.status == 64)
        #expect(lock.stderr.hasPrefix("error: recipes/attested.lock is a lock: it has no copyright files\n"))
    }
}
