import Provisioning
import Recipes
import RootfsModel
import Testing

@Suite struct FileTests {
    @Test func aFileGoesWhereDirectoryLinksLeadWithTheParentsItLacks() throws {
        let tree = try provisioned(
            plain(files: [
                smallFile("/bin/hi", "hi\n", mode: 0o755),
                smallFile("/srv/a/b", "", owner: Recipe.Owner(user: .name("daemon"), group: .name("video"))),
            ])
        ).tree
        #expect(try text("usr/bin/hi", in: tree) == "hi\n")
        #expect(tree["usr/bin/hi"]?.metadata == Metadata(mode: 0o755, mtime: moment))
        #expect(tree["srv/a/b"]?.metadata == Metadata(mode: 0o644, uid: 1, gid: 44, mtime: moment))
        #expect(tree["srv/a"]?.metadata == Metadata(mode: 0o755, mtime: moment))
        #expect(tree["bin"]?.linkTarget != nil)
    }

    @Test func aLinkInTheLastPlaceIsReplacedNotFollowed() throws {
        let base = try baseTree([link("etc/motd", "../var/motd"), file("var/motd", "old")])
        let tree = try provisioned(plain(files: [smallFile("/etc/motd", "new")]), tree: base).tree
        #expect(try text("etc/motd", in: tree) == "new")
        #expect(try text("var/motd", in: tree) == "old")
    }

    @Test(arguments: [
        (["/"], "error: files: / is a directory"), (["/etc"], "error: files: /etc is a directory"),
        (
            ["/etc/passwd/x"],
            "error: files: the file, /etc/passwd/x, stands below /etc/passwd, which is no directory in the image"
        ),
        (["/bin/x", "/usr/bin/x"], "error: files: /usr/bin/x is written twice; it leads to /usr/bin/x"),
        (["/a", "/a/b"], "error: files: /a/b and /a cannot both be files"),
    ])
    func whatCannotBeWrittenIsRefused(paths: [TreePath], message: String) {
        let files = paths.map { smallFile($0, "") }
        #expect(complaint { _ = try provisioned(plain(files: files)) } == message)
    }
}

@Suite struct RemovalTests {
    private func tree() throws -> FileTree {
        try baseTree([
            file("usr/share/doc/a/README", "12345"), file("usr/share/doc/a-b", "1"),
            file("usr/share/doc/b/copyright", "123"),
            file("usr/share/docs", "x"), directory("usr/share/man"),
        ])
    }

    @Test func whatMatchesGoesWithAllBelowItAndIsListed() throws {
        let (tree, report) = try provisioned(
            plain(remove: ["/usr/share/doc/a", "/usr/share/doc/*"]), tree: try tree())
        #expect(tree["usr/share/doc"]?.isDirectory == true)
        #expect(tree["usr/share/doc/a"] == nil)
        #expect(tree["usr/share/doc/b/copyright"] == nil)
        #expect(tree["usr/share/docs"] != nil)
        #expect(report.removals.map(\.bytes) == [5, 4])
        #expect(report.removals[0].paths == ["usr/share/doc/a", "usr/share/doc/a/README"])
        #expect(report.removals[1].paths == ["usr/share/doc/a-b", "usr/share/doc/b", "usr/share/doc/b/copyright"])
        #expect(report.warnings.isEmpty)
    }

    @Test func aPatternThatMatchesNothingIsReportedAndOneThatCameTooLateIsNot() throws {
        let report = try provisioned(
            plain(remove: ["/usr/share/doc/**", "/usr/share/doc/a/*", "/usr/share/info/*"]),
            tree: try tree()
        ).report
        #expect(report.warnings == ["remove: /usr/share/info/* matches nothing in the image"])
        #expect(report.removals[1].isCovered)
    }

    @Test func aDirectoryLinkInThePatternIsFollowed() throws {
        let tree = try provisioned(plain(remove: ["/bin/node*"])).tree
        #expect(tree["usr/bin/node"] == nil)
        #expect(tree["usr/bin/nodejs"] == nil)
        #expect(tree["bin"] != nil)
    }

    @Test func patternsThatMakeNoSenseAreRefusedTogether() {
        var recipe = plain(remove: ["usr/share", "/", "/**", "/a["])
        recipe.remove[3].location = at
        #expect(
            complaint { _ = try provisioned(recipe) } == """
                error: remove: 'usr/share' is no absolute path
                hint: begin it with a slash
                error: remove: '/' would remove the whole image
                error: remove: '/**' would remove the whole image
                a.manifest:3:5: error: remove: the pattern '/a[' has a '[' without its ']'
                 3 |   - name
                   |     ^^^^
                hint: write \\[ for the character itself
                """)
    }
}
