import Glibc
import Provisioning
import RootfsModel
import Testing

private func matches(_ pattern: String, _ path: String) throws -> Bool {
    try Glob(pattern).matches(try #require(TreePath(normalizing: path)))
}

@Suite struct GlobTests {
    @Test(arguments: [
        ("/usr/share/doc/*", "/usr/share/doc/bash", true), ("/usr/share/doc/*", "/usr/share/doc", false),
        ("/usr/share/doc/*", "/usr/share/doc/bash/README", false), ("/usr/**", "/usr/lib/x/y", true),
        ("/usr/**", "/usr", true), ("/**/x", "/x", true), ("/**/x", "/a/b/x", true), ("/a/**/b/**/c", "/a/b/c", true),
        ("/a/**/b/**/c", "/a/1/b/2/3/c", true), ("/a/**/b", "/a/b/c", false), ("*.sh", "/.hidden.sh", true),
        ("a?c", "/abc", true), ("a?c", "/aéc", true), ("a?c", "/a/c", false), ("[a-c]x", "/bx", true),
        ("[!a-c]x", "/bx", false), ("[]x]", "/]", true), ("[é]", "/é", true), (#"\*"#, "/*", true),
        (#"\*"#, "/a", false), (#"[\]]"#, "/]", true), ("a**b", "/aXXb", true), ("*", "/", false),
    ])
    func patternsMatchAsFnmatchWithPathname(pattern: String, path: String, expected: Bool) throws {
        #expect(try matches(pattern, path) == expected)
    }

    @Test func aByteThatIsNoUTF8IsOneCharacter() throws {
        let path = try #require(TreePath(normalizing: [0x61, 0xFF, 0x62]))
        #expect(try Glob("a?b").matches(path))
        #expect(try !Glob("a??b").matches(path))
        #expect(try Glob("a*").matches(path))
    }

    @Test func aHostilePatternTakesNoExponentialTime() throws {
        let stars = String(repeating: "*a", count: 60) + "b"
        #expect(try !matches(stars, String(repeating: "a", count: 250)))
        let depths = String(repeating: "**/a/", count: 60) + "b"
        #expect(try !matches(depths, String(repeating: "a/", count: 250)))
    }

    @Test(arguments: ["a[", "a[]", "a[b", "[z-a]", "a\\", "[a-", "[!", "a/../b"])
    func brokenPatternsAreRefused(pattern: String) {
        #expect(throws: Failure.self) { try Glob(pattern) }
    }

    @Test func randomPatternsMatchAsTheCLibraryDoes() throws {
        let seed = UInt64.random(in: .min ... .max)
        var state = seed
        func next(_ bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        let pieces = ["a", "b", "*", "?", "[ab]", "[!a]", "/", "\\a", "-"]
        for _ in 0..<4000 {
            let pattern = (0...next(6)).map { _ in pieces[next(UInt64(pieces.count))] }.joined()
            let path = (0...next(6)).map { _ in ["a", "b", "/", "-"][next(4)] }.joined()
            // Ours has ** and drops needless slashes; fnmatch does not.
            guard !pattern.contains("**"), !pattern.contains("//"), !path.contains("//"), !path.hasPrefix("/"),
                !path.hasSuffix("/"), !pattern.hasPrefix("/"), !pattern.hasSuffix("/")
            else { continue }
            let expected = fnmatch(pattern, path, FNM_PATHNAME) == 0
            #expect(try matches(pattern, path) == expected, "\(pattern) \(path) seed \(seed)")
        }
    }
}
