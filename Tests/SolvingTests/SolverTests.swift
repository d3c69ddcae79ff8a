import Debian
import RootfsModel
import Solving
import Testing

@Suite struct CandidateTests {
    @Test("the highest priority wins, then the highest version")
    func priorities() throws {
        let texts = (
            stable: "Package: a\nVersion: 1", backports: "Package: a\nVersion: 3", updates: "Package: a\nVersion: 2"
        )
        #expect(
            try universe(texts.stable, texts.backports, texts.updates, priorities: [500, 100, 500]).versions("a") == [
                "a 2"
            ])
        #expect(try universe(texts.stable, texts.backports, priorities: [500, 990]).versions("a") == ["a 3"])
        #expect(try universe(texts.stable, texts.backports, priorities: [1, 100]).versions("a") == ["a 3"])
    }

    @Test("a version of two sources comes from the first")
    func sameVersionTwice() throws {
        let found = try universe("Package: a\nVersion: 1.0", "Package: a\nVersion: 1.00")
            .solve([LayerRequests(layer: "x", requests: [Request("a")])]).packages
        #expect(found.map(\.pocket) == ["pocket0"])
    }

    @Test("a source of priority 0 or less offers nothing")
    func negative() throws {
        #expect(
            try universe("Package: a", priorities: [-1]).message("a") == """
                error: cannot install a: no version of it is a candidate
                  pocket0 has 1 at priority -1
                """)
    }

    @Test("a version asked for moves that candidate only")
    func exactVersion() throws {
        let archive = try universe(
            "Package: dev\nVersion: 2\nDepends: lib (= 2)\n\nPackage: lib\nVersion: 2",
            "Package: dev\nVersion: 1\nDepends: lib (= 1)\n\nPackage: lib\nVersion: 1")
        #expect(try archive.versions("dev=1", "lib=1") == ["dev 1", "lib 1"])
        #expect(
            try archive.message("dev=1") == """
                error: cannot install dev
                  dev was requested
                  but:
                    dev needs lib (= 1), which cannot be satisfied:
                      lib is 2 in pocket0
                """)
    }

    @Test("a pin moves the whole source package")
    func pins() throws {
        let archive = try universe(
            """
            Package: lib
            Version: 2-1
            Source: thing

            Package: dev
            Version: 2-1+b1
            Source: thing (2-1)
            Depends: lib (>= 2)

            Package: thing-other
            Version: 5
            """,
            """
            Package: lib
            Version: 1.9-1
            Source: thing

            Package: dev
            Version: 1.9-1+b4
            Source: thing (1.9-1)
            Depends: lib (<< 2)

            Package: thing-other
            Version: 4
            Source: thing-other (1.9-1)
            """, pins: [Pin(package: "lib", pattern: "1.*")])
        #expect(try archive.versions("dev", "thing-other") == ["dev 1.9-1+b4", "lib 1.9-1", "thing-other 5"])
    }

    @Test("a pin that nothing matches names what the archive has")
    func badPin() {
        #expect(throws: Failure("cannot pin a: no version matches `7.*`", notes: ["pocket0 has a 1"])) {
            try universe("Package: a", pins: [Pin(package: "a", pattern: "7.*")])
        }
        #expect(throws: Failure("cannot pin noodjs: no such package", hint: "did you mean nodejs?")) {
            try universe("Package: nodejs", pins: [Pin(package: "noodjs", pattern: "*")])
        }
    }

    @Test("the candidate of a relation is the package of that name, or the best provider")
    func relations() throws {
        let archive = try universe(
            """
            Package: image
            Version: 6.1
            Provides: kernel (= 6)

            Package: other
            Provides: image (= 9), kernel
            """)
        func found(_ text: String) throws -> String? {
            let relation = try DependencyGroup.parse(text, context: "x")[0].alternatives[0]
            return try archive.candidate(satisfying: relation)?.name
        }
        #expect(try found("image") == "image")
        #expect(try found("image (>= 7)") == "other")
        #expect(try found("kernel") == "other")
        #expect(try found("kernel (= 6)") == "image")
        #expect(try found("kernel (>> 6)") == nil)
        #expect(try found("absent") == nil)
        #expect(try archive.candidate("image")?.version == DebianVersion("6.1"))
        #expect(try archive.candidate("kernel") == nil)
        #expect(archive.candidateNames == ["image", "other"])
    }

    @Test("stanzas of other architectures are passed over, a foreign root gets its own")
    func architectures() throws {
        let text = "Package: a\nArchitecture: arm64\nDepends: b\n\nPackage: b\n\nPackage: c\nArchitecture: amd64"
        #expect(try universe(text, architecture: "arm64").install("a") == ["a", "b"])
        #expect(try universe(text, architecture: "arm64").install("a:arm64") == ["a", "b"])
        #expect(
            try universe(text, architecture: "amd64").message("a")
                == "error: cannot find package a\nhint: did you mean b?")
        #expect(
            try universe(text, architecture: "arm64").message("c:amd64") == """
                error: cannot install c:amd64: the root file system is arm64
                hint: packages of one architecture only can be requested
                """)
    }
}

@Suite struct SatisfactionTests {
    @Test("an unversioned Provides satisfies an unversioned relation only, a versioned one compares")
    func provides() throws {
        let archive = try universe(
            """
            Package: plain
            Provides: virtual

            Package: versioned
            Provides: other (= 2)

            Package: a
            Depends: virtual

            Package: b
            Depends: virtual (>= 1)

            Package: c
            Depends: other (>= 2), other

            Package: d
            Depends: other (>> 2)
            """)
        #expect(try archive.install("a") == ["a", "plain"])
        #expect(try archive.message("b").contains("no package provides that version of virtual"))
        #expect(try archive.install("c") == ["c", "versioned"])
        #expect(try archive.message("d").contains("no package provides that version of other"))
    }

    @Test("n:any is n where n is Multi-Arch: allowed, n:native and n:<this architecture> are n")
    func qualifiers() throws {
        let archive = try universe(
            """
            Package: python
            Multi-Arch: allowed
            Provides: snake

            Package: perl

            Package: a
            Depends: python:any, snake:any, perl:native, perl:amd64

            Package: b
            Depends: perl:any

            Package: c
            Depends: perl:arm64
            """)
        #expect(try archive.install("a") == ["a", "perl", "python"])
        #expect(try archive.message("b").contains("perl:any is not in the archive"))
        #expect(try archive.message("c").contains("perl:arm64 is not in the archive"))
    }

    @Test("a conflict never matches the package that declares it, and matches providers")
    func conflicts() throws {
        let archive = try universe(
            """
            Package: exim
            Provides: mta
            Conflicts: mta

            Package: postfix
            Provides: mta
            Conflicts: mta

            Package: old
            Version: 1

            Package: new
            Breaks: old (<< 2)
            """)
        #expect(try archive.install("exim") == ["exim"])
        #expect(
            try archive.message("exim", "postfix") == """
                error: cannot install postfix
                  postfix was requested
                  but:
                    exim conflicts with postfix
                      exim was requested
                """)
        #expect(try archive.message("new", "old").hasPrefix("error: cannot install old\n"))
    }
}

@Suite struct ExpansionTests {
    @Test("the first alternative that can be had wins, one that is there already before all")
    func alternatives() throws {
        let archive = try universe(
            """
            Package: a
            Depends: gone | b | c

            Package: b

            Package: c
            """)
        #expect(try archive.install("a") == ["a", "b"])
        #expect(try archive.install("a", "c") == ["a", "c"])
        #expect(try archive.install("c", "a") == ["a", "c"])
    }

    @Test("an alternative whose own dependencies fail gives way to the next")
    func nextAlternative() throws {
        let archive = try universe(
            """
            Package: a
            Depends: b | c

            Package: b
            Depends: d

            Package: d
            Conflicts: a

            Package: c
            """)
        #expect(try archive.install("a") == ["a", "c"])
    }

    @Test("among providers: the name itself, Essential, Protected, priority, then the name mentioned last")
    func providers() throws {
        func chosen(_ first: String, _ second: String, wanted: String = "v") throws -> [String] {
            try universe(
                """
                Package: first
                Provides: v
                \(first)

                Package: second
                Provides: v
                \(second)

                Package: a
                Depends: \(wanted)
                """
            ).install("a").filter { $0 != "a" }
        }
        #expect(try chosen("Section: x", "Section: x") == ["second"])
        #expect(try chosen("Priority: important", "Priority: optional") == ["first"])
        #expect(try chosen("Priority: optional\nImportant: yes", "Priority: required") == ["first"])
        #expect(try chosen("Priority: optional\nProtected: yes", "Priority: required") == ["first"])
        #expect(try chosen("Important: yes", "Essential: yes") == ["second"])
        #expect(try chosen("Section: x", "Essential: yes\nProvides: first", wanted: "first") == ["first"])
    }

    @Test("what an earlier stanza mentions is older than the stanza itself")
    func mentions() throws {
        let archive = try universe(
            """
            Package: a
            Depends: v
            Suggests: second

            Package: first
            Provides: v

            Package: second
            Provides: v
            """)
        #expect(try archive.install("a") == ["a", "first"])
    }

    @Test("a protected package takes the candidates of what it conflicts with away")
    func displacement() throws {
        let archive = try universe(
            """
            Package: a
            Conflicts: b

            Package: user
            Depends: b | c

            Package: b

            Package: c
            """)
        #expect(try archive.install("a", "user") == ["a", "c", "user"])
    }

    @Test("a dependency cycle is one")
    func cycles() throws {
        let archive = try universe("Package: a\nDepends: b\n\nPackage: b\nPre-Depends: c\n\nPackage: c\nDepends: a")
        #expect(try archive.install("b") == ["a", "b", "c"])
    }

    @Test("what a failed alternative left behind is swept unless something reaches it")
    func sweep() throws {
        let text = """
            Package: a
            Depends: b | c

            Package: b
            Depends: left, impossible

            Package: left

            Package: impossible
            Conflicts: a

            Package: c
            """
        #expect(try universe(text).install("a") == ["a", "c"])
        #expect(try universe(text + "\nSuggests: left").install("a") == ["a", "c", "left"])
    }

    @Test("excluded packages are not there, and an alternative replaces them")
    func exclusion() throws {
        let text =
            "Package: init\nDepends: usrmerge | usr-is-merged\n\nPackage: usrmerge\nPriority: required\n\nPackage: usr-is-merged"
        #expect(try universe(text).install("init") == ["init", "usrmerge"])
        #expect(try universe(text).install("init", "usr-is-merged") == ["init", "usr-is-merged"])
        let excluding = try universe(text, exclude: ["usrmerge"])
        #expect(try excluding.install("init") == ["init", "usr-is-merged"])
        #expect(excluding.baseRequests() == [])
        #expect(
            try excluding.message("usrmerge") == """
                error: cannot install usrmerge: the recipe excludes it
                hint: take usrmerge out of the recipe's exclude list, or out of its packages
                """)
        #expect(throws: Failure("cannot exclude usrmrege: no such package", hint: "did you mean usrmerge?")) {
            try universe(text, exclude: ["usrmrege"])
        }
    }

    @Test("a chain of 20,000 dependencies and 3,000 requests are solved without a deep stack or a quadratic step")
    func long() throws {
        let chain =
            (0..<20_000).map { "Package: p\($0)\nDepends: p\($0 + 1)" }.joined(separator: "\n\n")
            + "\n\nPackage: p20000"
        let archive = try universe(chain)
        #expect(try archive.install("p0").count == 20_001)
        let requests = (0..<3_000).map { Request("p\($0 * 6)") }
        #expect(try archive.solve([LayerRequests(layer: "x", requests: requests)]).packages.count == 20_001)
        let broken = try universe(chain + "\nDepends: nothing")
        #expect(try broken.message("p0").hasSuffix("… and so on"))
    }
}
