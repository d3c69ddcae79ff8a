import Foundation
import RootfsModel
import Testing

@testable import Checks

/// Where modules are found, compared with the host's own Node.
@Suite struct NodeResolutionTests {
    static let files: [String: String] = [
        "app/package.json":
            ##"{"name": "self", "exports": {".": "./main.js", "./part": "./lib/a.js"}, "imports": {"#in": "./lib/a.js", "#dep": "plain", "#any/*": "./lib/*.js"}}"##,
        "app/main.js": "", "app/lib/a.js": "", "app/lib/both.js": "", "app/lib/both/index.js": "",
        "app/lib/only/index.json": "{}", "app/lib/dir/package.json": #"{"main": "deep/x"}"#,
        "app/lib/dir/deep/x.js": "",
        "app/lib/lost/package.json": #"{"main": "gone"}"#, "app/lib/lost/index.js": "", "app/lib/data.json": "{}",
        "app/lib/none/readme": "", "app/lib/noext": "",
        "app/node_modules/plain/index.js": "", "app/node_modules/plain/sub.js": "",
        "app/node_modules/main/package.json": #"{"main": "./lib"}"#, "app/node_modules/main/lib/index.js": "",
        "app/node_modules/single.js": "", "app/node_modules/@s/one/index.js": "", "app/node_modules/@s/one/b/c.js": "",
        "app/node_modules/exp/package.json": #"""
        {"name": "exp", "main": "./other.js", "exports": {".": {"node": {"import": "./n.mjs", "require": "./n.cjs"}, "default": "./d.js"},
         "./a": "./src/a.js", "./p/*": "./src/*.js", "./p/private/*": null, "./p/long/*.js": "./src/long-*.js",
         "./arr": ["bad", "./src/a.js"], "./gone": "./src/gone.js", "./none": {"browser": "./src/a.js"}}}
        """#,
        "app/node_modules/exp/n.cjs": "", "app/node_modules/exp/n.mjs": "", "app/node_modules/exp/d.js": "",
        "app/node_modules/exp/other.js": "", "app/node_modules/exp/src/a.js": "", "app/node_modules/exp/src/b.js": "",
        "app/node_modules/exp/src/long-x.js": "", "app/node_modules/exp/src/private/s.js": "",
        "app/node_modules/sugar/package.json": #"{"exports": "./s.js"}"#, "app/node_modules/sugar/s.js": "",
        "app/node_modules/sugar/t.js": "", "app/node_modules/cond/package.json": #"{"exports": {"import": "./i.js"}}"#,
        "app/node_modules/cond/i.js": "",
        "app/node_modules/nullish/package.json": #"{"exports": null, "main": "m.js"}"#,
        "app/node_modules/nullish/m.js": "", "app/node_modules/plain/node_modules/nested/index.js": "",
        "node_modules/above/index.js": "", "app/lib/node_modules/near/index.js": "", "app/.hidden.js": "",
    ]

    static let specifiers = [
        ".", "..", "./", "./a", "./a.js", "./both", "./both/", "./both/index", "./only", "./dir", "./dir/", "./lost",
        "./data", "./data.json", "./none", "./noext", "./missing", "../main", "../lib/a", "./../lib/../lib/a", "plain",
        "plain/", "plain/sub", "plain/sub.js", "plain/none", "main", "main/lib", "single", "single.js", "@s/one",
        "@s/one/b/c", "@s/none", "@s", "exp", "exp/a", "exp/p/a", "exp/p/b", "exp/p/none", "exp/p/private/s",
        "exp/p/long/x.js", "exp/arr", "exp/gone", "exp/none", "exp/other.js", "exp/package.json", "sugar", "sugar/t.js",
        "cond", "nullish", "above", "near", "nested", "self", "self/part", "self/lib/a.js", "#in", "#dep", "#any/a",
        "#any/none", "#lost", "nowhere", "fs", "node:fs", "node:nothing", "fs/promises", "../.hidden",
    ]

    /// What Node says: a path below the folder, `builtin`, or the error's code.
    private func answers(of folder: URL) throws -> [String] {
        let script = """
            const { createRequire, isBuiltin } = require('module'), fs = require('fs')
            const from = createRequire('\(folder.path)/app/lib/a.js'), out = []
            for (const name of \(Self.specifiers)) {
              let said
              try { said = from.resolve(name); said = isBuiltin(said) ? 'builtin' : said.slice('\(folder.path)/'.length) }
              catch (error) { said = error.code }
              out.push(said)
            }
            console.log(out.join('\\n'))
            """
        let text = try runOnHost(["node", "-e", script])
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test(.enabled(if: hostHas("node"))) func `require finds what Node finds`() throws {
        let folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appending(path: "node-resolution-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var tree = PlantedTree()
        for (path, text) in Self.files {
            tree.file(path, text)
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let subject = CheckSubject(tree: try tree.tree, architecture: "amd64", read: readMemory)
        let resolution = NodeResolution(
            subject: subject, packages: NodePackages(subject), builtins: ["fs", "fs/promises"], globalFolders: [])
        let expected = try answers(of: folder)
        try #require(expected.count == Self.specifiers.count)
        for (specifier, wanted) in zip(Self.specifiers, expected) {
            let said: String
            switch try resolution.resolve(specifier, from: "app/lib/a.js", form: .require) {
            case .builtin: said = "builtin"
            case .file(let path): said = path.text
            case .missing: said = "MODULE_NOT_FOUND"
            case .notExported:
                said = specifier.hasPrefix("#") ? "ERR_PACKAGE_IMPORT_NOT_DEFINED" : "ERR_PACKAGE_PATH_NOT_EXPORTED"
            case .unknownBuiltin: said = "ERR_UNKNOWN_BUILTIN_MODULE"
            case .unknown: said = "unknown"
            }
            // `node:nothing` has another code from resolve than from require.
            let same = said == wanted || said == "ERR_UNKNOWN_BUILTIN_MODULE" && wanted == "MODULE_NOT_FOUND"
            #expect(same, "\(specifier): \(said), and Node says \(wanted)")
        }
    }

    @Test func `references are told from what only looks like them`() {
        let text = """
            import a, { b as c } from 'one'
            import 'two'; export * from "three"; export { d } from 'four'
            const e = require('five')
            // require('no')
            /* require('no') */
            const f = 'require("no")', g = `${require('six')} require('no') ${`${require('seven')}`}`
            const h = a / b; const i = /[/"']require('no')/g
            function lazy() { return require('eight') }
            try { require('nine') } catch { require('ten') }
            if (a) require('eleven')
            const j = a ? require('twelve') : null
            const k = { l: require('thirteen'), m() { require('fourteen') } }
            o.require('no'); const from = 'no'
            const p = () => import('fifteen')
            require('six' + 'teen'); require(`no`)
            const q = require('seven\\x74een');
            { require('sixteen') }
            export const r = require('seventeen')
            """
        let references = ModuleReferences(in: Array(text.utf8)).all
        let always = references.filter { $0.certainty == .always }.map(\.specifier)
        #expect(
            always == [
                "one", "two", "three", "four", "five", "six", "seven", "thirteen", "sixteen", "seventeen",
            ])
        let maybe = references.filter { $0.certainty == .maybe }.map(\.specifier)
        #expect(maybe == ["eight", "ten", "eleven", "twelve", "fourteen", "fifteen"])
        #expect(references.filter { $0.certainty == .optional }.map(\.specifier) == ["nine"])
        #expect(references.first { $0.specifier == "eight" }?.line == 8)
    }

    @Test func `what cannot be read to its end is sure of nothing`() {
        for text in ["require('a'); `", "require('a'); /* ", "require('a'); 'x\n'", "require('a'); x = /[/"] {
            let references = ModuleReferences(in: Array(text.utf8)).all
            #expect(references.map(\.certainty) == [.maybe], "\(text)")
        }
    }

    @Test func `ranges are npm's`() throws {
        let version = try #require(SemanticVersion("v18.20.4"))
        for text in [
            "*", "", ">=18", "18", "18.x", "^18.17.0 || >=20", ">= 16 < 19", "16 - 18", "~18.20", "<=18", ">17.9.9",
            ">=18.20.4", "18.20.4", "=18.20.4", "^18", "v18",
        ] {
            #expect(try #require(VersionRange(text)).contains(version), "\(text)")
        }
        for text in [">=20", "^20.9 || >=22", "<18", "16.x", "~18.19", "19 - 20", ">18", "^18.21", "18.20.3", "^0.12"] {
            #expect(try #require(VersionRange(text)).contains(version) == false, "\(text)")
        }
        #expect(VersionRange("latest") == nil)
        #expect(
            SemanticVersion(1, 0, 0, prerelease: ["rc", "2"]) < SemanticVersion(1, 0, 0, prerelease: ["rc", "10"]))
        #expect(SemanticVersion(1, 0, 0, prerelease: ["rc"]) < SemanticVersion(1, 0, 0))
    }
}
