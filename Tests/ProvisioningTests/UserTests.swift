import Provisioning
import Recipes
import RootfsModel
import Testing

private func add(_ users: Recipe.User..., to tree: FileTree? = nil) throws -> FileTree {
    try provisioned(plain(users: users), tree: tree).tree
}

@Suite struct UserTests {
    @Test func aUserStandsInAllFourFilesAndHasAHome() throws {
        let tree = try add(
            user(
                "agent", uid: 1000, home: "/home/agent", groups: ["video", "audio"], shell: "/usr/sbin/nologin"))
        #expect(
            try text("etc/passwd", in: tree) == """
                root:x:0:0:root:/root:/bin/bash
                daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
                agent:x:1000:1000::/home/agent:/usr/sbin/nologin

                """)
        #expect(
            try text("etc/group", in: tree) == "root:x:0:\naudio:x:29:agent\nvideo:x:44:other,agent\nagent:x:1000:\n")
        #expect(try text("etc/shadow", in: tree) == "root:*:20000:0:99999:7:::\nagent:!:20777:0:99999:7:::\n")
        #expect(try text("etc/gshadow", in: tree) == "root:*::\naudio:*::agent\nvideo:*::agent\nagent:!::\n")
        #expect(tree["etc/shadow"]?.metadata.mode == 0o640)
        let home = try #require(tree["home/agent"])
        #expect((home.metadata.mode, home.metadata.uid, home.metadata.gid) == (0o700, 1000, 1000))
        #expect(tree["home"]?.metadata.uid == 0)
        #expect(try text("home/agent/.profile", in: tree) == "# profile\n")
        #expect(tree["home/agent/.profile"]?.metadata.uid == 1000)
    }

    @Test func numbersAreTheFirstFreeOnesAndNotThoseTheRecipeNames() throws {
        let base = try baseTree().applying(
            TreeChange(puts: [file("etc/group", "root:x:0:\nstrange:x:1001:\n")]))
        let tree = try add(
            user("first"), user("second", uid: 1000), to: base)
        let lines = try text("etc/passwd", in: tree).split(separator: "\n").dropFirst(2)
        #expect(
            lines.joined(separator: "\n") == """
                first:x:1002:1002::/home/first:/bin/bash
                second:x:1000:1000::/home/second:/bin/bash
                """)
    }

    @Test func linesThatAreNoAccountsAndAMissingLastNewlineAreKept() throws {
        let base = try baseTree().applying(
            TreeChange(puts: [file("etc/passwd", "root:x:0:0::/root:/bin/sh\n#c\n\n+::::::")]))
        let tree = try add(user("a", shell: "/bin/sh"), to: base)
        #expect(
            try text("etc/passwd", in: tree)
                == "root:x:0:0::/root:/bin/sh\n#c\n\n+::::::\na:x:1000:1000::/home/a:/bin/sh\n")
    }

    @Test func withoutShadowFilesTheLockStandsInPasswd() throws {
        let base = try baseTree().applying(TreeChange(removals: ["etc/shadow", "etc/gshadow"]))
        let tree = try add(user("a"), to: base)
        #expect(try text("etc/passwd", in: tree).hasSuffix("a:!:1000:1000::/home/a:/bin/bash\n"))
        #expect(tree["etc/shadow"] == nil)
    }

    @Test func aHomeThatIsThereKeepsWhatItIs() throws {
        let base = try baseTree([directory("srv/app", mode: 0o750), file("srv/app/x", "x")])
        let tree = try add(user("a", home: "/srv/app"), to: base)
        #expect(tree["srv/app"] == base["srv/app"])
        #expect(tree["srv/app/.profile"] == nil)
    }

    @Test func aMomentBefore1970GivesTheDayBefore() throws {
        let tree = try provision(
            try baseTree(), plain(users: [user("a")]), overlays: [],
            moment: Timestamp(seconds: -1), read: bytes
        ).tree
        #expect(try text("etc/shadow", in: tree).hasSuffix("a:!:-1:0:99999:7:::\n"))
    }

    @Test(arguments: [
        (
            user("a", groups: ["vidoe"]),
            "error: user a is to be in the group 'vidoe', which the image does not have\nhint: did you mean video?"
        ),
        (
            user("daemon", uid: 1000, home: "/usr/sbin", shell: "/usr/sbin/nologin"),
            """
            error: user daemon is in the image already, and is not the one asked for
              its uid is 1, not 1000
            hint: take another name, or leave out what differs
            """
        ),
        (
            user("video"),
            "error: user video: a group of that name is in the image already, and is not this user's\nhint: take another name"
        ),
        (
            user("a", uid: 33),
            """
            error: uid 33 is given out by the distribution
            hint: a user of one's own has 1000 to 59999
            """
        ),
        (
            user("a", uid: 65_534),
            "error: uid 65534 is no user's\nhint: a user of one's own has 1000 to 59999"
        ),
        (
            user("a:b\nroot2:x:0"),
            "error: `a:b\\nroot2:x:0` cannot name a user\nhint: use at most 32 lower-case letters, digits, `_` and `-`, beginning with a letter or `_`"
        ),
        (
            user("a", home: "/x:/bin/sh"),
            "error: user a: the home '/x:/bin/sh' holds a colon or a control character, which /etc/passwd cannot"
        ),
        (
            user("a", home: "/etc/passwd/x"),
            "error: user a's home, /etc/passwd/x, stands below /etc/passwd, which is no directory in the image"
        ),
        (
            user("a", shell: "/bin/bahs"),
            "error: user a is to have the shell /bin/bahs, which the image does not have\nhint: did you mean /bin/bash?"
        ),
    ])
    func whatCannotBeIsRefused(user: Recipe.User, message: String) {
        #expect(complaint { _ = try add(user) } == message)
    }

    @Test func everyMistakeIsSaidAtOnceAndTakenNumbersAreNamed() {
        let message = complaint {
            _ = try add(
                user("a", uid: 1000), user("b", uid: 1000, at: at),
                user("c", groups: ["none"]))
        }
        #expect(
            message == """
                a.manifest:3:5: error: user b: the uid 1000 is a's
                 3 |   - name
                   |     ^^^^
                hint: take another, or leave it out for the first free one
                error: user c is to be in the group 'none', which the image does not have
                hint: groups come with packages; see /etc/group of the image
                """)
    }

    @Test func anImageWithoutAccountsIsRefused() throws {
        #expect(
            complaint { _ = try add(user("a"), to: FileTree()) }
                == "error: the image has no /etc/passwd to add users to\nhint: it comes with the package base-passwd")
    }
}
