import Debian
import RootfsModel
import Solving
import Testing

/// What a recipe says about versions, sources and suites: pins, exclusions, `name/suite`.
@Suite struct ArchiveChoiceTests {
    /// Node in two versions; the newer one has a library of its own.
    private static let node = """
        Package: nodejs
        Version: 20.1-1
        Depends: libnode115 (= 20.1-1)

        Package: libnode115
        Version: 20.1-1
        Source: nodejs

        Package: libnode-dev
        Version: 20.1-1
        Source: nodejs

        Package: tool
        Depends: libnode115

        Package: mixed
        Depends: libnode-dev (>= 20)
        """
    private static let oldNode = """
        Package: nodejs
        Version: 18.2-1+b1
        Source: nodejs (18.2-1)
        Depends: libnode108 (>= 18)

        Package: libnode108
        Version: 18.2-1+b1
        Source: nodejs (18.2-1)

        Package: libnode-dev
        Version: 18.2-1
        Source: nodejs

        Package: nodejs
        Version: 18.1-1
        Depends: libnode108

        Package: libnode108
        Version: 18.1-1
        Source: nodejs
        """

    private func pinned(_ pins: (String, String)..., exclude: [String] = [], priorities: [Int] = []) throws -> Universe
    {
        try universe(
            Self.node, Self.oldNode, priorities: priorities, exclude: exclude,
            pins: pins.map { Pin(package: $0.0, pattern: $0.1) })
    }

    private func thrown(_ body: () throws -> Universe) -> String {
        do {
            _ = try body()
            return "nothing was thrown"
        } catch {
            return "\(error)"
        }
    }

    @Test func `a pin moves a source package to the highest version that matches`() throws {
        #expect(
            try pinned().versions("nodejs", "libnode-dev") == [
                "libnode-dev 20.1-1", "libnode115 20.1-1", "nodejs 20.1-1",
            ])
        #expect(
            try pinned(("nodejs", "18.*")).versions("nodejs", "libnode-dev") == [
                "libnode-dev 18.2-1", "libnode108 18.2-1+b1", "nodejs 18.2-1+b1",
            ])
        #expect(try pinned(("nodejs", "18.1-?")).versions("nodejs") == ["libnode108 18.1-1", "nodejs 18.1-1"])
        #expect(try pinned(("nodejs", "18.1-1")).versions("nodejs") == ["libnode108 18.1-1", "nodejs 18.1-1"])
        // A pin counts for more than a priority, also one that is never taken by itself.
        #expect(
            try pinned(("nodejs", "18.*"), priorities: [500, -1]).versions("nodejs") == [
                "libnode108 18.2-1+b1", "nodejs 18.2-1+b1",
            ])
        #expect(
            try pinned(("nodejs", "18.*"), priorities: [500, 100]).versions("libnode108") == ["libnode108 18.2-1+b1"])
    }

    @Test func `a sibling that cannot move along is an error that names both`() throws {
        let archive = try pinned(("nodejs", "18.*"))
        let pin = "the pin nodejs 18.*, which holds all that is made from nodejs to 18.2-1"
        #expect(
            try archive.message("libnode115") == """
                error: cannot install libnode115: no version of it fits \(pin)
                  libnode115 20.1-1 in pocket0 is made from nodejs 20.1-1
                hint: take the request out, or change the pin of nodejs
                """)
        #expect(
            try archive.message("tool") == """
                error: cannot install tool
                  tool was requested
                  but:
                    tool needs libnode115, which cannot be satisfied:
                      no version of libnode115 fits \(pin)
                """)
        #expect(
            try archive.message("mixed") == """
                error: cannot install mixed
                  mixed was requested
                  but:
                    mixed needs libnode-dev (>= 20), which cannot be satisfied:
                      libnode-dev is 18.2-1 in pocket1, by \(pin)
                """)
    }

    @Test func `a version asked for against a pin is an error that names both`() throws {
        let archive = try pinned(("nodejs", "18.*"))
        for (request, held) in [
            ("nodejs=20.1-1", "nodejs"), ("libnode-dev=20.1-1", "nodejs"), ("nodejs/pocket0", "nodejs"),
        ] {
            #expect(
                try archive.message(request) == """
                    error: cannot install \(request): against it is the pin nodejs 18.*, which holds all that is made from \
                    nodejs to 18.2-1
                    hint: change one of the two: \(request), or the pin of \(held)
                    """)
        }
        #expect(try archive.versions("libnode-dev=18.2-1") == ["libnode-dev 18.2-1"])
    }

    @Test func `pins of one source agree on a version or contradict each other`() throws {
        #expect(
            try pinned(("libnode108", "18.1*"), ("nodejs", "18.*")).versions("nodejs") == [
                "libnode108 18.1-1", "nodejs 18.1-1",
            ])
        #expect(
            thrown { try pinned(("libnode-dev", "20.*"), ("nodejs", "18.*")) } == """
                error: cannot pin nodejs to `18.*` and libnode-dev to `20.*`: they are made from one source and move together
                  `20.*` is libnode-dev 20.1-1, made from nodejs 20.1-1
                  `18.*` is nodejs 18.2-1+b1, made from nodejs 18.2-1
                  `18.*` is nodejs 18.1-1, made from nodejs 18.1-1
                """)
    }

    @Test func `all pins and exclusions that cannot be are said at once, with what there is`() {
        let text = "Package: redis\nVersion: 5:7.0-1\n\nPackage: exim\nProvides: mta\n\nPackage: postfix\nProvides: mta"
        let location = SourceLocation(file: "a", line: 1, column: 2, text: "x")
        #expect(
            thrown {
                try Universe(
                    architecture: "amd64",
                    sources: try universe(text, "Package: redis\nVersion: 5:6.0-1").sources,
                    exclude: [Exclusion("mta"), Exclusion("eximm", location: location)],
                    pins: [
                        Pin(package: "redis", pattern: "7.*"), Pin(package: "mta", pattern: "*"),
                        Pin(package: "redsi", pattern: "*", location: location),
                    ])
            } == """
                error: cannot pin redis: no version matches `7.*`
                  pocket0 has redis 5:7.0-1
                  pocket1 has redis 5:6.0-1
                hint: an epoch counts: write `5:7.*`
                error: cannot pin mta: it is virtual
                  exim provides it
                  postfix provides it
                hint: name the packages themselves
                a:1:2: error: cannot pin redsi: no such package
                 1 | x
                   |  ^
                hint: did you mean redis?
                error: cannot exclude mta: it is virtual
                  exim provides it
                  postfix provides it
                hint: name the packages themselves
                a:1:2: error: cannot exclude eximm: no such package
                 1 | x
                   |  ^
                hint: did you mean exim?
                """)
    }

    @Test func `what is excluded is taken in no way`() throws {
        let text = """
            Package: exim
            Provides: mta

            Package: cron
            Depends: mta

            Package: image
            Depends: image-1

            Package: image-1
            """
        let archive = try universe(text, exclude: ["exim", "image-1"])
        #expect(
            try archive.message("cron") == """
                error: cannot install cron
                  cron was requested
                  but:
                    cron needs mta, which cannot be satisfied:
                      mta is provided by exim, which the recipe excludes
                """)
        let refusal = """
            error: cannot install exim: the recipe excludes it
            hint: take exim out of the recipe's exclude list, or out of its packages
            """
        #expect(try archive.message("exim") == refusal)
        #expect(try archive.message("exim=1") == refusal)
        #expect(try archive.message("exim/pocket0") == refusal)
        // Nor as what is used without being installed: by name, by version, through a relation.
        for request in [Request("image-1"), Request("image-1", version: "1")] {
            #expect(throws: Failure.self) { try archive.offer(request) }
        }
        let relation = try #require(DependencyGroup.parse("image-1", context: "a test").first?.alternatives.first)
        #expect(try archive.offer(relation) == nil)
    }

    /// A stable suite and its backports.
    private static let stable = """
        Package: app
        Version: 1

        Package: lib
        Version: 1

        Package: lib-doc
        Version: 1
        Depends: lib (= 1)

        Package: common
        Version: 1
        """
    private static let backports = """
        Package: app
        Version: 2
        Depends: lib (>= 2), common, codec | codec-free

        Package: lib
        Version: 2
        Depends: deep (>= 2)

        Package: deep
        Version: 2

        Package: common
        Version: 2

        Package: codec-free
        Version: 2
        """

    private func backported(exclude: [String] = [], pins: [Pin] = []) throws -> Universe {
        try universe(Self.stable, Self.backports, priorities: [500, 100], exclude: exclude, pins: pins)
    }

    @Test func `a package from a suite brings from it only what nothing else satisfies`() throws {
        #expect(try backported().versions("app", "common", "lib") == ["app 1", "common 1", "lib 1"])
        #expect(
            try backported().versions("app/pocket1") == [
                "app 2", "codec-free 2", "common 1", "deep 2", "lib 2",
            ])
        #expect(try backported().versions("app/pocket0") == ["app 1"])
        // Whoever asks for it later has it too.
        #expect(
            try backported().versions("app/pocket1", "lib", "common") == [
                "app 2", "codec-free 2", "common 1", "deep 2", "lib 2",
            ])
    }

    @Test func `siblings of what comes from a suite come from there too, once something needs them`() throws {
        let stable = """
            Package: calc
            Depends: core (= 1)
            Source: office

            Package: core
            Depends: uno, uno-private (= 1)
            Source: office

            Package: uno
            Depends: uno-private (= 1)
            Source: office

            Package: uno-private
            Source: office

            Package: plugin
            Depends: uno

            Package: office-help
            Source: office
            """
        let newer = """
            Package: calc
            Version: 2
            Depends: core (= 2), plugin
            Source: office

            Package: core
            Version: 2
            Depends: uno-private (= 2)
            Source: office

            Package: uno
            Version: 2
            Depends: uno-private (= 2), deep (>= 2)
            Source: office

            Package: uno-private
            Version: 2
            Source: office

            Package: office-help
            Version: 2
            Depends: browser
            Source: office

            Package: deep
            Version: 2

            Package: browser
            Version: 2
            """
        let archive = try universe(stable, newer, "Package: browser\nVersion: 1", priorities: [500, 100, 500])
        #expect(
            try archive.versions("calc/pocket1", "browser") == [
                "browser 1", "calc 2", "core 2", "deep 2", "plugin 1", "uno 2", "uno-private 2",
            ])
    }

    @Test func `what is asked for by version, pinned or excluded does not move along`() throws {
        #expect(
            try backported().message("app/pocket1", "lib=1").contains("app needs lib (>= 2), which cannot be satisfied")
        )
        #expect(
            try backported(pins: [Pin(package: "lib", pattern: "1")]).message("app/pocket1") == """
                error: cannot install app
                  app was requested
                  but:
                    app needs lib (>= 2), which cannot be satisfied:
                      lib is 1 in pocket0, by the pin lib 1, which holds all that is made from lib to 1
                """)
        #expect(try backported(exclude: ["lib"]).message("app/pocket1").contains("lib is excluded by the recipe"))
        #expect(
            try backported().message("lib=1", "lib/pocket1")
                == "error: cannot install lib/pocket1: lib=1 is asked for too")
    }

    @Test func `a suite or a package in it that is not there`() throws {
        #expect(
            try backported().message("app/poket1", "app/sid", "deep/pocket0", "nothing/pocket1") == """
                error: cannot install app/poket1: the recipe's archive has no suite `poket1`
                  it has pocket0, pocket1
                hint: did you mean app/pocket1?
                error: cannot install app/sid: the recipe's archive has no suite `sid`
                  it has pocket0, pocket1
                hint: archive.pockets and archive.extra say which there are
                error: cannot find deep in pocket0
                  pocket1 has deep 2
                error: cannot find package nothing
                """)
    }

    @Test func `what is not installed comes from the suite that is named, too`() throws {
        let archive = try universe(
            "Package: image\nVersion: 6.1\nDepends: image-6.1 (= 6.1)\n\nPackage: image-6.1\nVersion: 6.1",
            "Package: image\nVersion: 6.12\nDepends: image-6.12 (= 6.12)\n\nPackage: image-6.12\nVersion: 6.12",
            priorities: [500, 100])
        let found = try #require(try archive.offer(Request("image", suite: "pocket1")))
        #expect(found.stanza.version.text == "6.12" && found.pocket == "pocket1")
        let next = try #require(try archive.offer(found.stanza.depends[0].alternatives[0]))
        #expect(next.stanza.name == "image-6.12" && next.pocket == "pocket1")
    }
}
