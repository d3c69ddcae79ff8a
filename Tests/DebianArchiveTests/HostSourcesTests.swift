import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

private func parsed(_ text: String, deb822: Bool) throws -> [HostSource] {
    var sources = HostSources()
    try sources.parse(Array(text.utf8), file: "F", deb822: deb822)
    return sources.sources
}

/// `uri suite component,component`
private func short(_ sources: [HostSource]) -> [String] {
    sources.map { "\($0.uri) \($0.suite) \($0.components.joined(separator: ","))" }
}

@Suite struct HostSourcesTests {
    @Test func readsOneLineFiles() throws {
        let sources = try parsed(
            """
            # a comment
            deb http://deb.example.org/debian/ bookworm main contrib # another
            deb-src http://deb.example.org/debian bookworm main
              deb [ arch=amd64,i386 signed-by=/k.gpg trusted=yes ]   https://x.example.org/y   z  a
            deb cdrom:[Debian GNU/Linux 12]/ bookworm main
            deb [arch=arm64] file:/srv/debian bookworm main

            debug line of nobody
            deb http://flat.example.org ./
            """, deb822: false)
        #expect(
            short(sources) == [
                "http://deb.example.org/debian bookworm main,contrib", "https://x.example.org/y z a",
                "file:///srv/debian bookworm main", "http://flat.example.org ./ ",
            ])
        #expect(sources.map(\.line) == [2, 4, 6, 9])
        #expect(sources[1].architectures == ["amd64", "i386"] && sources[1].signedBy == ["/k.gpg"])
        #expect(sources[2].architectures == ["arm64"])
    }

    @Test func readsStanzas() throws {
        let sources = try parsed(
            """
            # a comment
            Types: deb deb-src
            URIs: http://a.example.org/debian http://b.example.org/debian/
            Suites: bookworm bookworm-updates
            Components: main
             contrib
            Signed-By: /usr/share/keyrings/k.gpg

            Enabled: no
            Types: deb
            URIs: http://off.example.org
            Suites: bookworm
            Components: main

            Types: deb-src
            URIs: http://source.example.org
            Suites: bookworm
            Components: main

            Types: deb
            URIs: tor+http://hidden.example.org
            Suites: bookworm
            Components: main

            Types: deb
            URIs: https://c.example.org
            Suites: bookworm
            Components: main
            Architectures: arm64
            Signed-By:
             -----BEGIN PGP PUBLIC KEY BLOCK-----
             .
             mQINBF
             -----END PGP PUBLIC KEY BLOCK-----
            """, deb822: true)
        #expect(
            short(sources) == [
                "http://a.example.org/debian bookworm main,contrib",
                "http://a.example.org/debian bookworm-updates main,contrib",
                "http://b.example.org/debian bookworm main,contrib",
                "http://b.example.org/debian bookworm-updates main,contrib",
                "https://c.example.org bookworm main",
            ])
        #expect(sources[0].signedBy == ["/usr/share/keyrings/k.gpg"] && sources[4].signedBy.isEmpty)
        #expect(sources[4].architectures == ["arm64"])
    }

    @Test func readsADirectoryAsAptDoes() throws {
        let directory = try FixtureDirectory("apt")
        let parts = directory.path.appending("sources.list.d")
        try makeDirectory(at: parts)
        func put(_ path: FilePath, _ text: String) throws { try writeFile(Array(text.utf8), to: path) }
        try put(
            directory.path.appending("mirrors.txt"),
            "# two\nhttp://m1.example.org/debian\tpriority:1\nhttp://m2.example.org/debian\n")
        try put(directory.path.appending("sources.list"), "deb http://first.example.org bookworm main\n")
        try put(parts.appending("b.list"), "deb http://b.example.org bookworm main\n")
        try put(
            parts.appending("a.sources"),
            "Types: deb\nURIs: mirror+file://\(directory.path.string)/mirrors.txt\nSuites: bookworm\nComponents: main\n"
        )
        try put(parts.appending("c.list~"), "deb http://backup.example.org bookworm main\n")
        try put(parts.appending("d.list.save"), "deb http://saved.example.org bookworm main\n")
        try put(parts.appending("e.sources"), "Types: deb\nTypes: deb\n")
        try put(parts.appending("f.list"), "deb [arch=amd64 http://broken.example.org bookworm main\n")
        try put(parts.appending("g.list"), "deb http://last.example.org bookworm main\n")
        let sources = HostSources(readingConfigurationAt: directory.path)
        #expect(
            sources.sources.map(\.uri) == [
                "http://first.example.org", "http://m1.example.org/debian", "http://m2.example.org/debian",
                "http://b.example.org",
                "http://last.example.org",
            ])
        #expect(
            sources.problems == [
                "\(parts.string)/e.sources:2: field Types stands twice in one stanza",
                "\(parts.string)/f.list:1: an option list without its ]",
            ])
        #expect(HostSources(readingConfigurationAt: "/nowhere") == HostSources())
    }

    @Test(arguments: [
        ("http://h/debian/", "http://h/debian"), ("HTTPS://h//", "https://h"), ("file:/srv/d", "file:///srv/d"),
        ("file:///srv/d/", "file:///srv/d"), ("copy:/srv/d", "file:///srv/d"),
        ("file://localhost/srv/d", "file:///srv/d"),
    ]) func addressesHaveOneForm(text: String, form: String) {
        #expect(archiveAddress(text) == form)
    }

    @Test(arguments: ["", "debian", "/srv/debian", "ftp://h/d", "http:", "http:///", "cdrom:[x]/", "mirror://h/d"])
    func otherAddressesAreNone(text: String) {
        #expect(archiveAddress(text) == nil)
    }
}

@Suite struct MirrorsTests {
    private func mirrors(
        _ lines: String = "", commandLine: String? = nil, recipe: String? = nil,
        distribution: DebianArchive.Distribution = .debian,
        suite: String = "bookworm", architecture: String = "amd64"
    ) throws -> Mirrors {
        var host = HostSources()
        try host.parse(Array(lines.utf8), file: "L", deb822: false)
        return try Mirrors(
            distribution: distribution, suite: suite, components: ["main"], architecture: architecture,
            commandLine: commandLine,
            recipe: recipe, host: host)
    }

    @Test func theCommandLineGoesBeforeTheRecipeAndTheHost() throws {
        let lines = "deb http://host.example.org/debian bookworm main\n"
        func first(_ mirrors: Mirrors) -> MirrorCandidate { mirrors.candidates(for: .release)[0] }
        #expect(
            try first(mirrors(lines, commandLine: "http://c/x", recipe: "http://r/x"))
                == MirrorCandidate(uri: "http://c/x", source: "--mirror", origin: nil))
        #expect(
            try first(mirrors(lines, recipe: "http://r/x"))
                == MirrorCandidate(uri: "http://r/x", source: "the recipe's archive.mirror", origin: nil))
        #expect(
            try first(mirrors(lines))
                == MirrorCandidate(uri: "http://host.example.org/debian", source: "L:1", origin: "Debian"))
    }

    @Test func theSecurityPocketIsBesideADebianMirrorOrInIt() throws {
        func uris(_ uri: String, _ distribution: DebianArchive.Distribution = .debian) throws -> [String] {
            try mirrors(commandLine: uri, distribution: distribution).candidates(for: .security).map(\.uri)
        }
        #expect(try uris("http://h/debian/") == ["http://h/debian-security", "http://h/debian"])
        #expect(try uris("http://h/merged") == ["http://h/merged"])
        #expect(try uris("http://h/debian", .ubuntu) == ["http://h/debian"])
        #expect(try mirrors(commandLine: "http://h/debian").candidates(for: .updates).map(\.uri) == ["http://h/debian"])
    }

    @Test func whatAHostsSourceServesSaysItsPocketsOrigin() throws {
        func origins(_ distribution: DebianArchive.Distribution, _ suite: String) throws -> [String?] {
            let found = try mirrors(
                "deb http://a.example.org/debian \(suite) main\n", distribution: distribution, suite: suite)
            return Pocket.allCases.map { found.candidates(for: $0)[0].origin }
        }
        #expect(try origins(.debian, "bookworm") == ["Debian", "Debian", "Debian", "Debian Backports"])
        #expect(try origins(.ubuntu, "noble") == ["Ubuntu", "Ubuntu", "Ubuntu", "Ubuntu"])
        #expect(try mirrors(commandLine: "http://c/debian").candidates(for: .backports)[0].origin == nil)
    }

    @Test func theHostsSourcesCountForTheirPocketOnly() throws {
        let found = try mirrors(
            """
            deb http://third.example.org/debian bookworm stable
            deb http://a.example.org/debian bookworm main
            deb [arch=arm64] http://ports.example.org/debian bookworm main
            deb http://b.example.org/debian bookworm main
            deb http://b.example.org/debian bookworm-updates main
            deb http://s.example.org/debian-security bookworm-security main
            deb http://t.example.org/debian trixie main
            deb http://pg.example.org/apt bookworm-pgdg main
            """)
        #expect(
            found.candidates(for: .release).map(\.uri) == [
                "http://a.example.org/debian", "http://b.example.org/debian",
            ])
        #expect(
            found.candidates(for: .updates).map(\.uri) == [
                "http://b.example.org/debian", "http://a.example.org/debian",
            ])
        #expect(
            found.candidates(for: .security).map(\.uri) == [
                "http://s.example.org/debian-security", "http://a.example.org/debian-security",
                "http://a.example.org/debian",
                "http://b.example.org/debian-security", "http://b.example.org/debian",
            ])
    }

    @Test func withoutAMirrorTheThreeWaysAreNamed() throws {
        #expect(
            thrownText { _ = try mirrors() } == """
                error: no mirror is known for Debian bookworm
                  this host has no APT sources
                hint: give one with --mirror URI, or as archive.mirror in the recipe, or add it to the host's APT sources
                """)
        #expect(
            thrownText { _ = try mirrors("deb http://h trixie main\ndeb http://h sid main\n") } == """
                error: no mirror is known for Debian bookworm
                  this host's APT sources are for sid, trixie
                hint: give one with --mirror URI, or as archive.mirror in the recipe, or add it to the host's APT sources
                """)
        #expect(
            thrownText { _ = try mirrors(commandLine: "ftp://h/debian") } == """
                error: --mirror is no archive's address: `ftp://h/debian`
                hint: an address is a directory, or begins with http://, https:// or file:///; it leads to the folder that holds dists/ and pool/
                """)
        #expect(
            thrownText { _ = try mirrors("deb http://h trixie-updates main\n", suite: "trixi") } == """
                error: no mirror is known for Debian trixi
                  this host's APT sources are for trixie-updates
                hint: did you mean trixie?
                """)
        #expect(
            thrownText { _ = try mirrors(suite: "bookwurm") } == """
                error: no mirror is known for Debian bookwurm
                  this host has no APT sources
                hint: did you mean bookworm?
                """)
    }

    @Test func aDirectoryIsAMirror() throws {
        func uris(_ mirrors: Mirrors, _ pocket: Pocket) -> [String] { mirrors.candidates(for: pocket).map(\.uri) }
        #expect(try uris(mirrors(commandLine: "/srv/debian/"), .release) == ["file:///srv/debian"])
        #expect(
            try uris(mirrors(recipe: "/srv/a b%20+/debian"), .security)
                == ["file:///srv/a%20b%2520%2B/debian-security", "file:///srv/a%20b%2520%2B/debian"])
    }

    @Test func aSourcesOwnKeyringGoesWithItUnlessTheRecipeNamesOne() throws {
        let found = try mirrors(
            """
            deb [signed-by=/k.gpg,0123456789ABCDEF] http://own.example.org/debian bookworm main
            deb [signed-by=0123456789ABCDEF] http://fingerprint.example.org/debian bookworm main
            """)
        #expect(found.candidates(for: .security).map(\.keyrings) == [["/k.gpg"], ["/k.gpg"], [], []])
        let named = try SuiteRequest.pockets(
            [], of: found, components: ["main"], architecture: "amd64", recipeKeyring: "/etc/os-release")
        #expect(named.map(\.keyrings) == [["/etc/os-release"]])
        #expect(named[0].candidates.map(\.keyrings) == [[], []])
        // No keyring of the distribution's is looked for where every source has its own.
        let own = try mirrors("deb [signed-by=/k.gpg] http://own.example.org/debian bookworm main\n")
        let requests = try SuiteRequest.pockets(
            [.updates], of: own, components: ["main"], architecture: "amd64", recipeKeyring: nil)
        #expect(requests.map(\.keyrings) == [[], []])
        #expect(requests.flatMap(\.candidates).map(\.keyrings) == [["/k.gpg"], ["/k.gpg"]])
    }

    @Test func securityPocketsOfOldSuitesHaveAnotherName() {
        #expect(Pocket.security.suite(of: "buster", in: .debian) == "buster/updates")
        #expect(Pocket.security.suite(of: "bookworm", in: .debian) == "bookworm-security")
        #expect(Pocket.security.suite(of: "jammy", in: .ubuntu) == "jammy-security")
    }
}

@Suite struct HostProxiesTests {
    @Test func readsWhatAptIsConfiguredWith() throws {
        let directory = try FixtureDirectory("apt")
        let parts = directory.path.appending("apt.conf.d")
        try makeDirectory(at: parts)
        func proxies(_ texts: [String: String]) throws -> ProxySettings {
            for (name, text) in texts { try writeFile(Array(text.utf8), to: parts.appending(name)) }
            return ProxySettings(readingConfigurationAt: directory.path)
        }
        #expect(try proxies([:]) == ProxySettings())
        #expect(
            try proxies(["10": "// Acquire::http::Proxy \"http://no\";\nAcquire::http::Proxy \"http://p:3142/\";\n"])
                == ProxySettings(http: "http://p:3142/", https: "http://p:3142/"))
        #expect(
            try proxies([
                "20proxy.conf": """
                # a comment; with "a quote
                Acquire {
                  Retries "3"; /* { Proxy "http://no"; } */
                  HTTP { Proxy "http://q"; Timeout 10; };
                  https::Proxy DIRECT;
                };
                Dir::Ignore { "x"; };
                """, "30proxy.bak": "Acquire::http::Proxy \"http://backup\";",
            ]) == ProxySettings(http: "http://q", https: ""))
        try writeFile(
            Array("Acquire::http::Proxy \"http://last\"".utf8 + [59]), to: directory.path.appending("apt.conf"))
        #expect(try proxies(["40": "}}} ;;; \" { Acquire"]).http == "http://last")
        #expect(ProxySettings(readingConfigurationAt: "/nowhere") == ProxySettings())
    }
}
