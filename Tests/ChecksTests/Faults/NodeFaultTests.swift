import Checks
import RootfsModel
import Testing

/// A good Node service, and what one small change does to it.
@Suite struct NodeFaultTests {
    struct Parts {
        var tree = PlantedTree()
        var words = ["/usr/bin/node", "/srv/app/server.js"]
        var environment: [String: String] = [:]
        var addonSymbols = ["node_register_module_v108"]
        var modules = "108"
        var version = "18.20.4"
        /// Whether its config.gypi cannot be found.
        var isSilent = false
        var intl = ["icu_gyp_path": "\"tools/icu/icu-system.gyp\"", "icu_small": "false", "icu_ver_major": "\"72\""]

        init() {
            tree.file(
                "srv/app/package.json",
                #"{"name": "app", "engines": {"node": ">=18"}, "scripts": {"start": "node server"}}"#)
            tree.file(
                "srv/app/server.js",
                """
                #!/usr/bin/env node
                'use strict';
                const http = require('node:http'), { readFile } = require('fs/promises');
                const web = require('web'); // require('a-comment')
                const text = "require('a string')", pattern = /require('[a-z]')/, more = `require('x') ${require('./lib')}`;
                let fast; try { fast = require('fast-one') } catch { fast = null }
                if (process.env.DEBUG) require('@scope/debug');
                const addon = require('./build/Release/addon');
                """)
            tree.file("srv/app/lib/index.js", "module.exports = { data: require('../data'), self: require('..') }")
            tree.file("srv/app/index.js", "exports.x = 1")
            tree.file("srv/app/data.json", "{\"a\": [1, 2.5e3, true, null, \"\\u00e9\"]}")
            tree.file(
                "srv/app/node_modules/web/package.json",
                #"{"name": "web", "exports": {".": {"import": "./web.mjs", "require": "./web.cjs"}, "./parts/*": "./src/*.js"}}"#
            )
            tree.file(
                "srv/app/node_modules/web/web.cjs", "module.exports = require('inner/deep') || require('nowhere')")
            tree.file("srv/app/node_modules/web/web.mjs", "export { default } from './src/a.js'")
            tree.file("srv/app/node_modules/web/src/a.js", "module.exports = 1")
            tree.file("srv/app/node_modules/web/node_modules/inner/deep.js", "require('web/parts/a')")
            tree.file("srv/app/node_modules/@scope/debug/index.js")
            tree.link("usr/bin/nodejs", to: "node")
            tree.file("usr/bin/npm", "#!/usr/bin/env node\nrequire('http')\n", mode: 0o755)
            for name in ["libicui18n", "libicuuc", "libicudata"] {
                tree.file(
                    "usr/lib/x86_64-linux-gnu/\(name).so.72",
                    [UInt8](repeating: 0, count: name == "libicudata" ? 2 << 20 : 10))
            }
            tree.file("usr/share/nodejs/acorn/dist/acorn.js")
        }

        /// The program with its config.gypi inside, as Debian's libnode has it.
        private var node: [UInt8] {
            let settings = intl.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(
                separator: ",\n ")
            let text = """
                { "target_defaults": {"defines": ["NODE_SHARED_BUILTIN_ACORN_PATH=/usr/share/nodejs/acorn/dist/acorn.js"]},
                  "variables": { \(settings),
                  "node_library_files": ["lib/http.js", "lib/fs.js", "lib/fs/promises.js", "lib/test.js", "lib/internal/url.js"],
                  "node_module_version": \(modules), "node_prefix": "/usr",
                  "node_relative_path": "lib/x86_64-linux-gnu/nodejs:share/nodejs", "v8_enable_i18n_support": 1}}
                """
            return ElfFixture(needed: ["libc.so.6"]).bytes + [0] + Array("a node_module_version alone".utf8) + [0]
                + Array(text.utf8) + [0] + Array("see node-v0.x-archive, node-v\(version)-headers.tar.gz".utf8)
        }

        func findings() throws -> [Finding] {
            var tree = tree
            tree.file("usr/bin/node", isSilent ? ElfFixture().bytes : node, mode: 0o755)
            if !addonSymbols.isEmpty {
                tree.file("srv/app/build/Release/addon.node", ElfFixture(symbols: addonSymbols).bytes)
            }
            let service = Service(
                name: "web", origin: .recipe, commands: [.init(role: "command", words: words)],
                environment: environment, workingDirectory: "srv/app")
            let subject = CheckSubject(
                tree: try tree.tree, architecture: "amd64", services: [service], read: readMemory)
            return try NodeRule().findings(in: subject) + ICURule().findings(in: subject)
        }
    }

    static let ways: [[String]] = [
        ["/usr/bin/node", "/srv/app/server.js"], ["node", "--enable-source-maps", "server.js", "--port", "1"],
        ["/usr/bin/nodejs", "-r", "./lib", "/srv/app/server"], ["/usr/bin/env", "A=b", "node", "/srv/app/server.js"],
        ["/bin/sh", "-c", "exec node server.js"], ["/srv/app/server.js"], ["node", "-e", "require('what')"],
        ["gosu", "node", "node", "server.js"], ["chpst", "-u", "node", "node", "server.js"], ["npm", "start"],
    ]

    @Test(arguments: ways) func `a good service gives nothing`(words: [String]) throws {
        var parts = Parts()
        parts.words = words
        #expect(try parts.findings() == [])
    }

    typealias Fault = PartsFault<Parts>

    static let faults: [Fault] = [
        Fault(id: "node/script-missing", says: "Node is given /srv/app/bin") {
            $0.tree.file("srv/app/bin/main.js")
            $0.words[1] = "/srv/app/bin"
        },
        Fault(id: "node/script-missing", says: "/srv/app/dist/main.js") {
            $0.tree.file("srv/app/package.json", #"{"scripts": {"serve": "NODE_ENV=production node dist/main.js"}}"#)
            $0.words = ["npm", "run", "serve"]
        },
        Fault(id: "node/module-missing", says: "the command line requires tracer") {
            $0.words = ["/usr/bin/env", "NODE_OPTIONS=--require=tracer", "node", "server.js"]
        },
        Fault(id: "node/module-missing", says: "/srv/app/server.js, line 4, requires web") {
            $0.tree.remove("srv/app/node_modules/web")
        },
        Fault(id: "node/module-missing", says: "/srv/app/run.sh:3: exec node server.js") {
            $0.tree.file("srv/app/run.sh", "#!/bin/sh\ncd /srv/app\nexec node server.js\n", mode: 0o755)
            $0.tree.file("bin/sh", ElfFixture().bytes, mode: 0o755)
            $0.words = ["/srv/app/run.sh"]
            $0.tree.remove("srv/app/node_modules/web")
        },
        Fault(id: "node/module-missing", says: "web/web.cjs, line 1, requires inner/deep") {
            $0.tree.remove("srv/app/node_modules/web/node_modules")
        },
        Fault(id: "node/module-missing", says: "line 5, requires ./lib") { $0.tree.remove("srv/app/lib") },
        Fault(id: "node/module-missing", says: "lib/index.js, line 1, requires ../data") {
            $0.tree.remove("srv/app/data.json")
        },
        Fault(id: "node/module-missing", severity: .warning, says: "@scope/debug is not in the image (where") {
            $0.tree.remove("srv/app/node_modules/@scope")
        },
        Fault(id: "node/module-missing", says: "the command line requires tracer") {
            $0.environment["NODE_OPTIONS"] = "--require tracer"
        },
        Fault(id: "node/module-missing", says: "package.json leads to /srv/app/node_modules/web/web.cjs") {
            $0.tree.remove("srv/app/node_modules/web/web.cjs")
        },
        Fault(id: "node/module-missing", says: "import looks for /srv/app/lib/a and nothing else") {
            $0.tree.file("srv/app/lib/a.js")
            $0.tree.file("srv/app/m.mjs", "import a, { b } from './lib/a';")
            $0.words[1] = "/srv/app/m.mjs"
        },
        Fault(id: "node/not-exported", says: "web/package.json does not export it") {
            $0.tree.file("srv/app/server.js", "require('web/src/a')")
        },
        Fault(id: "node/builtin-unknown", says: "Node 18.20.4 has no built-in module node:sqlite") {
            $0.tree.file("srv/app/server.js", "require('node:sqlite')")
        },
        Fault(id: "node/require-esm", says: "\"type\": \"module\"") {
            $0.tree.file("srv/app/node_modules/chalk/package.json", #"{"type": "module", "exports": "./a.js"}"#)
            $0.tree.file("srv/app/node_modules/chalk/a.js", "export default 1")
            $0.tree.file("srv/app/server.js", "const c = require('chalk')")
        },
        Fault(id: "node/import-outside-module", says: "line 2 imports fs") {
            $0.tree.file("srv/app/server.js", "// a\nimport { readFileSync } from 'fs'\n")
        },
        Fault(id: "node/require-in-module", says: "line 1 calls require('fs')") {
            $0.tree.file("srv/app/package.json", #"{"type": "module"}"#)
            $0.tree.file("srv/app/server.js", "const fs = require('fs')")
        },
        Fault(id: "node/json", says: "/srv/app/data.json is no JSON") { $0.tree.file("srv/app/data.json", "{a: 1}") },
        Fault(id: "node/package-json", says: "Node loads nothing of the package") {
            $0.tree.file("srv/app/package.json", "{")
        },
        Fault(id: "node/engines", severity: .warning, says: "app asks for ^20.9 || >=22") {
            $0.tree.file("srv/app/package.json", #"{"name": "app", "engines": {"node": "^20.9 || >=22"}}"#)
        },
        Fault(id: "node/addon-abi", says: "NODE_MODULE_VERSION 115, and this Node has 108") {
            $0.addonSymbols = ["node_register_module_v115"]
        },
        Fault(id: "node/addon-machine", says: "is for aarch64") {
            $0.addonSymbols = []
            $0.tree.file("srv/app/build/Release/addon.node", ElfFixture(machine: 183).bytes)
        },
        Fault(id: "node/addon-missing", says: "installed without being built") {
            $0.tree.file("srv/app/server.js", "require('serial')")
            $0.tree.file("srv/app/node_modules/serial/package.json", #"{"name": "serial", "main": "lib"}"#)
            $0.tree.file("srv/app/node_modules/serial/lib/index.js", "const b = require('bindings')('serial')")
            $0.tree.file("srv/app/node_modules/serial/binding.gyp", "{}")
            $0.tree.file("srv/app/node_modules/bindings/index.js", "")
        },
        Fault(id: "node/addon-abi", says: "/srv/app/node_modules/serial loads its compiled addon") {
            $0.tree.file("srv/app/server.js", "require('serial')")
            $0.tree.file("srv/app/node_modules/serial/package.json", "{}")
            $0.tree.file("srv/app/node_modules/serial/index.js", "module.exports = require('bindings')('serial')")
            $0.tree.file("srv/app/node_modules/bindings/index.js", "")
            $0.tree.file(
                "srv/app/node_modules/serial/build/Release/serial.node",
                ElfFixture(symbols: ["node_register_module_v93"]).bytes)
        },
        Fault(id: "node/external-builtin", says: "Cannot load externalized builtin") {
            $0.tree.remove("usr/share/nodejs/acorn")
        },
        Fault(id: "icu/library-missing", says: "the image has /usr/lib/x86_64-linux-gnu/libicui18n.so.71") {
            $0.tree.remove("usr/lib/x86_64-linux-gnu/libicui18n.so.72")
            $0.tree.file("usr/lib/x86_64-linux-gnu/libicui18n.so.71")
        },
        Fault(id: "icu/data-stub", says: "it has 10 bytes") {
            $0.tree.file("usr/lib/x86_64-linux-gnu/libicudata.so.72", [UInt8](repeating: 0, count: 10))
        },
        Fault(id: "icu/data-missing", says: "the folder has /opt/icu/icudt71l.dat") {
            $0.makeSmall()
            $0.tree.file("opt/icu/icudt71l.dat", Self.icuData("icudt71l"))
            $0.environment["NODE_ICU_DATA"] = "/opt/icu"
        },
        Fault(id: "icu/data-version", says: "holds icudt71l, and Node needs icudt72l") {
            $0.makeSmall()
            $0.tree.file("opt/icu/icudt72l.dat", Self.icuData("icudt71l"))
            $0.words.insert("--icu-data-dir=/opt/icu", at: 1)
        },
        Fault(id: "icu/data-invalid", says: "is cut off") {
            $0.makeSmall()
            $0.tree.file("opt/icu/icudt72l.dat", Array(Self.icuData("icudt72l").prefix(36)))
            $0.environment["NODE_ICU_DATA"] = "/opt/icu"
        },
    ]

    /// A data file of two items.
    static func icuData(_ package: String) -> [UInt8] {
        func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * $0) & 0xFF) } }
        let names = Array("\(package)/a.res\0\(package)/b.res\0".utf8)
        let half = names.count / 2
        return [32, 0, 0xDA, 0x27, 20, 0, 0, 0, 0, 0, 2, 0] + Array("CmnD".utf8) + [UInt8](repeating: 0, count: 16)
            + word(2) + word(20) + word(20 + names.count) + word(20 + half) + word(24 + names.count) + names
            + [UInt8](repeating: 1, count: 8)
    }

    @Test(arguments: faults) func `is found`(fault: Fault) throws {
        var parts = Parts()
        fault.plant(&parts)
        let findings = try parts.findings()
        let found = findings.filter { $0.id == fault.id }
        #expect(!found.isEmpty, "\(findings)")
        #expect(found.allSatisfy { $0.severity == fault.severity && $0.remedy != nil })
        expect(found, say: fault.says)
        #expect(findings.filter { $0.severity == .error }.allSatisfy { $0.id == fault.id }, "\(findings)")
    }

    @Test func `the right data file is enough for a Node with small-icu`() throws {
        var parts = Parts()
        parts.makeSmall()
        parts.tree.file("opt/icu/icudt72l.dat", Self.icuData("icudt72l"))
        parts.environment["NODE_ICU_DATA"] = "/opt/icu"
        #expect(try parts.findings() == [])
    }

    @Test func `a Node with all data inside needs no file`() throws {
        var parts = Parts()
        parts.intl["icu_gyp_path"] = "\"tools/icu/icu-generic.gyp\""
        parts.tree.remove("usr/lib/x86_64-linux-gnu")
        parts.environment["NODE_ICU_DATA"] = "/nowhere"
        #expect(try parts.findings() == [])
    }

    @Test func `a script that is mounted at boot is not missed`() throws {
        var parts = Parts()
        parts.tree.file("srv/app/package.json", #"{"scripts": {"start": "node /mnt/app/server.js"}}"#)
        parts.words = ["npm", "start"]
        #expect(try parts.findings().map(\.id) == ["node/script-missing"])
        parts.tree.file("etc/fstab", "/dev/vdb /mnt/app ext4 defaults 0 0\n")
        #expect(try parts.findings() == [])
    }

    @Test func `a Node that says nothing of itself has what all have`() throws {
        var parts = Parts()
        parts.isSilent = true
        #expect(try parts.findings() == [])
    }

    @Test func `an addon with Node-API fits every Node`() throws {
        var parts = Parts()
        parts.addonSymbols = ["napi_register_module_v1"]
        parts.modules = "137"
        #expect(try parts.findings() == [])
    }

    @Test func `newer Nodes load what older ones refuse`() throws {
        var parts = Parts()
        (parts.version, parts.modules, parts.addonSymbols) = ("22.12.0", "127", [])
        parts.tree.file("srv/app/node_modules/chalk/package.json", #"{"type": "module", "exports": "./a.js"}"#)
        parts.tree.file("srv/app/node_modules/chalk/a.js", "export default 1")
        parts.tree.file("srv/app/server.js", "const c = require('chalk')")
        #expect(try parts.findings() == [])
        parts.tree.file("srv/app/server.js", "import c from 'chalk'")
        #expect(try parts.findings() == [])
    }

    @Test func `packages that lead in a circle end`() throws {
        var parts = Parts()
        parts.tree.file(
            "srv/app/package.json", ##"{"name": "app", "imports": {"#a": "#a", "#b": "app"}, "exports": "./x.js"}"##)
        parts.tree.file("srv/app/server.js", "require('#a'); require('./server'); require('#b')")
        parts.addonSymbols = []
        let findings = try parts.findings()
        #expect(findings.map(\.id) == ["node/not-exported", "node/module-missing"], "\(findings)")
    }
}

extension NodeFaultTests.Parts {
    mutating func makeSmall() {
        intl["icu_gyp_path"] = "\"tools/icu/icu-generic.gyp\""
        intl["icu_small"] = "true"
    }
}
