import Debian
import RootfsModel
import Solving
import TestSupport
import Testing

@Suite struct RequestTests {
    @Test("a request is name, name=version or name:architecture")
    func parsing() throws {
        #expect(try Request(parsing: "g++") == Request("g++"))
        #expect(try Request(parsing: "a=1:2-3") == Request("a", version: "1:2-3"))
        #expect(try Request(parsing: "a:arm64=1") == Request("a", architecture: "arm64", version: "1"))
        #expect(try Request(parsing: "a/b-backports") == Request("a", suite: "b-backports"))
        for text in ["", "a b", "A", "-a", "a=", "a:", "../x", "a/", "a=1/b"] {
            #expect(
                throws: Failure(
                    "`\(text)` is no package name",
                    hint: "write name, name=version, name/suite or name:architecture")
            ) { try Request(parsing: text) }
        }
    }

    @Test("every request that cannot be found is reported at once, with what was meant")
    func notFound() throws {
        let archive = try universe("Package: nodejs\n\nPackage: chromium")
        #expect(
            try archive.message("nodesj", "chromum", "zzzzzzzz") == """
                error: cannot find package nodesj
                hint: did you mean nodejs?
                error: cannot find package chromum
                hint: did you mean chromium?
                error: cannot find package zzzzzzzz
                """)
    }

    @Test("a version that is not there names those that are")
    func noSuchVersion() throws {
        #expect(
            try universe("Package: a\nVersion: 2", "Package: a\nVersion: 1").message("a=3") == """
                error: cannot find version 3 of a
                  pocket0 has a 2
                  pocket1 has a 1
                """)
    }

    @Test("a relation leads to the version it names, else to the candidate")
    func offers() throws {
        let archive = try universe("Package: a\nVersion: 3", "Package: a\nVersion: 1", "Package: a\nVersion: 2")
        func offer(_ text: String) throws -> String? {
            let relation = try #require(DependencyGroup.parse(text, context: "a test").first?.alternatives.first)
            return try archive.offer(relation).map { "\($0.stanza.version) \($0.pocket)" }
        }
        #expect(try offer("a") == "3 pocket0")
        #expect(try offer("a (= 1)") == "1 pocket1")
        #expect(try offer("a (<< 3)") == "2 pocket2")
        #expect(try offer("a (>= 2)") == "3 pocket0")
        #expect(try offer("a (= 4)") == nil && offer("b") == nil)
    }

    @Test("a virtual name stands for its only provider; several are listed")
    func virtual() throws {
        let text = "Package: exim\nProvides: mta\n\nPackage: postfix\nVersion: 3\nProvides: mta"
        #expect(try universe("Package: exim\nProvides: mta").install("mta") == ["exim"])
        #expect(
            try universe(text).message("mta") == """
                error: cannot install mta: it is virtual and has several providers
                  exim 1
                  postfix 3
                hint: request one of them by its name
                """)
        #expect(try universe(text, exclude: ["exim"]).install("mta") == ["postfix"])
    }

    @Test("an index whose relations cannot be read is refused by package and field")
    func badRelation() {
        #expect(throws: Failure("cannot parse Packages 0: depends of a 1 is no relation field: `b (>=`")) {
            try universe("Package: a\nDepends: b (>= ")
        }
    }
}

@Suite struct LayerTests {
    private func layers(_ archive: Universe, _ requests: [(String, [String])]) throws -> [String] {
        let solution = try archive.solve(
            requests.map { LayerRequests(layer: $0.0, requests: $0.1.map { Request($0) }) })
        return solution.packages.map { "\($0.layer): \($0.stanza.name)" }.sorted()
    }

    @Test("a package belongs to the first layer whose requests reach it")
    func attribution() throws {
        let archive = try universe(
            """
            Package: libc
            Essential: yes
            Depends: libgcc

            Package: libgcc

            Package: media
            Depends: libc, codec

            Package: codec
            Depends: libgcc

            Package: browser
            Depends: codec, fonts
            Recommends: extra

            Package: fonts
            """)
        let base = archive.baseRequests().map(\.name)
        #expect(base == ["libc"])
        #expect(
            try layers(archive, [("base", base), ("media", ["media"]), ("browser", ["browser", "codec"])]) == [
                "base: libc", "base: libgcc", "browser: browser", "browser: fonts", "media: codec", "media: media",
            ])
        #expect(
            try layers(archive, [("base", base), ("browser", ["browser"]), ("media", ["media"])]) == [
                "base: libc", "base: libgcc", "browser: browser", "browser: codec", "browser: fonts", "media: media",
            ])
    }

    @Test("an alternative that a later layer asks for satisfies the base set and belongs to it")
    func alternative() throws {
        let archive = try universe(
            "Package: init\nEssential: yes\nDepends: usrmerge | usr-is-merged\n\nPackage: usrmerge\n\nPackage: usr-is-merged"
        )
        #expect(
            try layers(archive, [("base", ["init"]), ("system", ["usr-is-merged"])]) == [
                "base: init", "base: usr-is-merged",
            ])
    }

    @Test("what only a suggestion keeps goes to the layer that has all that it needs")
    func leftovers() throws {
        let archive = try universe(
            """
            Package: a
            Depends: b | c
            Suggests: left

            Package: b
            Depends: left, impossible

            Package: left
            Depends: late

            Package: late

            Package: impossible
            Conflicts: a

            Package: c

            Package: d
            Depends: late
            """)
        #expect(
            try layers(archive, [("one", ["a"]), ("two", ["d"])]) == [
                "one: a", "one: c", "two: d", "two: late", "two: left",
            ])
    }

    @Test("every layer with those before it has what its packages depend on, in any order of the layers")
    func closed() throws {
        var generator = SeededGenerator(seed: 77)
        for round in 0..<40 {
            let count = 40
            let text = (0..<count).map { number -> String in
                let groups = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    (0..<Int.random(in: 1...2, using: &generator)).map { _ in
                        "p\(Int.random(in: 0..<count, using: &generator))"
                    }
                    .joined(separator: " | ")
                }
                return "Package: p\(number)" + (groups.isEmpty ? "" : "\nDepends: " + groups.joined(separator: ", "))
            }.joined(separator: "\n\n")
            let requests = (0..<4).map { layer in
                LayerRequests(
                    layer: "\(layer)",
                    requests: (0..<2).map { _ in Request("p\(Int.random(in: 0..<count, using: &generator))") })
            }
            let solution = try universe(text).solve(requests)
            var there = Set<String>()
            for layer in requests {
                let packages = solution.packages(in: layer.layer)
                there.formUnion(packages.map(\.name))
                for package in packages {
                    for group in package.depends {
                        #expect(
                            group.alternatives.contains { there.contains($0.name) },
                            "seed 77, round \(round): \(package.name) of layer \(layer.layer) needs \(group)")
                    }
                }
            }
            #expect(there.count == solution.packages.count)
        }
    }
}
