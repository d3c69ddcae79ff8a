import Checks
import RootfsModel
import Testing

private let libraries = "/usr/lib/x86_64-linux-gnu"
private let packages = "/usr/lib/python3/dist-packages"
private let interpreter = ElfFixture(
    interpreter: LoaderTests.interpreter, needed: ["libc.so.6"], symbols: ["PyInit_time", "PyInit_zlib"])
private let ssl = ElfFixture(needed: ["libssl.so.3", "libc.so.6"], needs: [("libssl.so.3", ["OPENSSL_3.0.0"])])

private func object(_ fixture: ElfFixture) -> HandmadeTree.Entry { .bytes(fixture.bytes, mode: 0o644) }

/// A server in Python with a framework, an extension module and a typelib, on a Debian's Python 3.11.
private func goodServer(_ script: String = PythonFaultTests.script) -> HandmadeTree {
    systemdTree(
        enabled(
            "api.service", "[Service]\nWorkingDirectory=/opt/api\nExecStart=/usr/bin/python3 -u /opt/api/server.py\n"
        )
        .merging([
            "/usr/bin/python3": .link("python3.11"), "/usr/bin/python3.11": .bytes(interpreter.bytes, mode: 0o755),
            "\(libraries)/libc.so.6": object(
                ElfFixture(soname: "libc.so.6", defines: ["libc.so.6", "GLIBC_2.36"])),
            "\(libraries)/libssl.so.3": object(
                ElfFixture(soname: "libssl.so.3", needed: ["libc.so.6"], defines: ["libssl.so.3", "OPENSSL_3.0.0"])),
            "/lib64/ld-linux-x86-64.so.2": LoaderTests.loader,
            "/usr/lib/python3.11/os.py": .text("import sys\nimport posixpath as path\n"),
            "/usr/lib/python3.11/posixpath.py": .text(""),
            "/usr/lib/python3.11/json/__init__.py": .text("from .decoder import JSONDecoder\n"),
            "/usr/lib/python3.11/json/decoder.py": .text(""),
            "/usr/lib/python3.11/ssl.py": .text(
                "import sys\nimport _ssl\nif sys.platform == 'win32':\n    import nt2\n"),
            "/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so": object(ssl),
            "\(packages)/flask/__init__.py": .text("from . import json as json\nfrom .app import Flask as Flask\n"),
            "\(packages)/flask/json.py": .text(""),
            "\(packages)/flask/app.py": .text(
                "from __future__ import annotations\nimport typing as t\nfrom werkzeug.serving import run\n"
                    + "try:\n    import dotenv\nexcept ImportError:\n    dotenv = None\n"),
            "/usr/lib/python3.11/typing.py": .text(""),
            "\(packages)/werkzeug/__init__.py": .text(""),
            "\(packages)/werkzeug/serving.py": .text("import ssl\ndef f():\n    import watchdog\n"),
            "\(packages)/gi/__init__.py": .text("from . import _gi\n"),
            "\(packages)/gi/_gi.abi3.so": object(ElfFixture(needed: ["libc.so.6"])),
            "\(packages)/gi/repository/__init__.py": .text("import sys\nsys.meta_path.append(None)\n"),
            "\(libraries)/girepository-1.0/GstWebRTC-1.0.typelib": .text("GOBJ"),
            "/opt/api/server.py": .text(script), "/opt/api/own/views.py": .text("import json\n"),
            "/etc/systemd/journald.conf.d/50-console.conf": .text("[Journal]\nForwardToConsole=yes\n"),
        ]) { $1 })
}

@Suite struct PythonFaultTests {
    static let script = """
        #!/usr/bin/python3
        '''Serves. import nothing'''
        import json, os.path, sys, time, zlib  # and import more
        from typing import TYPE_CHECKING
        from flask import (
            Flask,
            json as j,
        )
        import gi; gi.require_version("GstWebRTC", "1.0")
        from gi.repository import GstWebRTC
        from own import views
        try:
            import simplejson
        except ImportError:
            if not app: raise
            simplejson = None
        if __DEMO_SETUP__:
            import builder
        else:
            import own.views
        if TYPE_CHECKING:
            import nobody
        if sys.platform == "win32":
            import winreg
        text = \"\"\"
        import inside
        \"\"\"
        app = Flask(__name__)
        """

    static let server = "/opt/api/server.py"
    static let unit = "/etc/systemd/system/api.service"
    static func imports(_ text: String) -> [String: HandmadeTree.Entry?] { [server: .text(script + "\n" + text)] }

    static let faults = [
        PlantedFault(
            name: "a module that nobody has", changes: imports("import requests\n"), id: "python/module-missing",
            says: "/opt/api/server.py:29 imports requests"),
        PlantedFault(
            name: "a package was left out",
            changes: [
                "\(packages)/flask/__init__.py": nil, "\(packages)/flask/app.py": nil, "\(packages)/flask/json.py": nil,
            ],
            id: "python/module-missing", says: "the Python module flask is not in the image"),
        PlantedFault(
            name: "a package's own dependency",
            changes: ["\(packages)/werkzeug/__init__.py": nil, "\(packages)/werkzeug/serving.py": nil],
            id: "python/module-missing", says: "\(packages)/flask/app.py:3 imports werkzeug.serving"),
        PlantedFault(
            name: "a part of the standard library",
            changes: ["/usr/lib/python3.11/json/__init__.py": nil, "/usr/lib/python3.11/json/decoder.py": nil],
            id: "python/module-missing", says: "looked for in /opt/api, /usr/lib/python3.11,"),
        PlantedFault(
            name: "a module of its own", changes: ["/opt/api/own/views.py": .text("from . import x\nimport helpers\n")],
            id: "python/module-missing", says: "/opt/api/own/views.py:2 imports helpers"),
        PlantedFault(
            name: "a module in a function", changes: imports("def go():\n    import requests\n"),
            id: "python/module-missing", severity: .warning, says: "requests"),
        PlantedFault(
            name: "a module in a try that ends the program",
            changes: imports("try:\n    import requests\nexcept ImportError as e:\n    print(e)\n    sys.exit(78)\n"),
            id: "python/module-missing", says: "requests"),
        PlantedFault(
            name: "a module behind a change of the path",
            changes: imports("sys.path.insert(0, '/srv/lib')\nimport requests\n"), id: "python/module-missing",
            severity: .warning, says: "requests"),
        PlantedFault(
            name: "a module behind a test of the time when it is built",
            changes: imports("if __X_SETUP__:\n    pass\nelse:\n    import requests\n"), id: "python/module-missing",
            says: "requests"),
        PlantedFault(
            name: "a module that -m names",
            changes: [unit: .text("[Service]\nExecStart=/usr/bin/python3 -m gunicorn x\n")],
            id: "python/module-missing", says: "-m names the module gunicorn"),
        PlantedFault(
            name: "a console script",
            changes: [
                unit: .text("[Service]\nExecStart=/usr/bin/serve\n"),
                "/usr/bin/serve": .script("#!/usr/bin/python3\nimport re2\nfrom server.cli import main\n"),
            ], id: "python/module-missing", says: "the Python module server is"),
        PlantedFault(
            name: "a text", changes: [unit: .text("[Service]\nExecStart=/usr/bin/python3 -c 'import requests'\n")],
            id: "python/module-missing", says: "-c imports requests"),
        PlantedFault(
            name: "a venv without the system's packages",
            changes: [
                unit: .text("[Service]\nExecStart=/opt/venv/bin/python /opt/api/server.py\n"),
                "/opt/venv/bin/python": .link("/usr/bin/python3"),
                "/opt/venv/pyvenv.cfg": .text("home = /usr/bin\ninclude-system-site-packages = false\n"),
                "/opt/venv/lib/python3.11/site-packages/x.py": .text(""),
            ], id: "python/module-missing", says: "flask"),
        PlantedFault(
            name: "an extension module's library", changes: ["\(libraries)/libssl.so.3": nil], id: "python/extension",
            says: "_ssl.cpython-311-x86_64-linux-gnu.so needs libssl.so.3"),
        PlantedFault(
            name: "an extension module's symbol version",
            changes: [
                "\(libraries)/libssl.so.3": object(
                    ElfFixture(soname: "libssl.so.3", needed: ["libc.so.6"], defines: ["libssl.so.3", "OPENSSL_1.1.0"]))
            ], id: "python/extension", says: "needs OPENSSL_3.0.0"),
        PlantedFault(
            name: "an extension module for another machine",
            changes: ["\(packages)/gi/_gi.abi3.so": object(ElfFixture(machine: 183))], id: "python/extension",
            says: "for another machine"),
        PlantedFault(
            name: "an extension module for another Python",
            changes: imports("import fast\n").merging(["\(packages)/fast.cpython-313-x86_64-linux-gnu.so": object(ssl)])
            { $1 },
            id: "python/abi", says: "for another Python than 3.11"),
        PlantedFault(
            name: "a typelib", changes: ["\(libraries)/girepository-1.0/GstWebRTC-1.0.typelib": nil],
            id: "python/typelib-missing", says: "requires GstWebRTC 1.0"),
        PlantedFault(
            name: "a typelib of any version", changes: imports("from gi.repository import Gtk\n"),
            id: "python/typelib-missing", says: "Gtk-*.typelib"),
        PlantedFault(
            name: "a typelib of another version", changes: imports("gi.require_version('GstWebRTC', '2.0')\n"),
            id: "python/typelib-missing", says: "GstWebRTC-2.0.typelib"),
        PlantedFault(
            name: "a helper that node starts",
            changes: [
                unit: .text("[Service]\nExecStart=/usr/bin/node /opt/api/server.js\n"),
                "/usr/bin/node": .bytes(interpreter.bytes, mode: 0o755),
                "/opt/api/server.js": .text(
                    "const h = spawn(process.env.PYTHON || '/usr/bin/python3', ['-u', path.join(__dirname, 'server.py')], {\n});\n"
                ),
                "\(libraries)/girepository-1.0/GstWebRTC-1.0.typelib": nil,
            ], id: "python/typelib-missing", severity: .warning, says: "/opt/api/server.js:1: spawn of /usr/bin/python3"
        ),
    ]

    func findings(_ tree: HandmadeTree) throws -> [Finding] {
        try check(tree.subject()).filter { $0.id.hasPrefix("python/") }
    }

    @Test func `nothing is said of the good tree`() throws { #expect(try findings(goodServer()) == []) }

    @Test(arguments: faults) func `a planted fault is found with its reason`(fault: PlantedFault) throws {
        let findings = try findings(goodServer().with(fault.changes))
        let texts = { (finding: Finding) in [finding.message] + finding.reasons }
        let finding = try #require(
            findings.first { $0.id == fault.id && texts($0).contains { $0.contains(fault.says) } }, "\(findings)")
        #expect(finding.severity == fault.severity)
        if fault.name == "a typelib" { #expect(findings.count == 1) }
        #expect(finding.service == "api.service")
    }

    @Test(arguments: [
        (
            "a path of the service", "Environment=PYTHONPATH=/srv/lib",
            ["/srv/lib/requests.py": HandmadeTree.Entry.text("")]
        ),
        ("a folder of parts", "", ["/usr/local/lib/python3.11/dist-packages/requests/x.py": .text("")]),
        ("a .pth file", "", ["\(packages)/x.pth": .text("# x\n/srv/more\n"), "/srv/more/requests.py": .text("")]),
        ("a plain extension module", "", ["\(packages)/requests.so": object(ElfFixture(needed: ["libc.so.6"]))]),
        ("beside the script", "", ["/opt/api/requests/__init__.py": .text("")]),
        ("byte code alone", "", ["/opt/api/requests.pyc": .text("")]),
    ]) func `a module is found by`(way: String, line: String, files: [String: HandmadeTree.Entry]) throws {
        let unit = HandmadeTree.Entry.text("[Service]\n\(line)\nExecStart=/usr/bin/python3 /opt/api/server.py\n")
        let tree = goodServer(Self.script + "\nimport requests\n").with([Self.unit: unit])
        #expect(try findings(tree).map(\.id) == ["python/module-missing"])
        #expect(try findings(tree.with(files.mapValues { $0 })) == [])
    }

    @Test func `a venv has its own packages and the system's library`() throws {
        let tree = goodServer("import json\nimport requests\nimport six.moves.urllib\n").with([
            Self.unit: .text("[Service]\nExecStart=/opt/venv/bin/python /opt/api/server.py\n"),
            "/opt/venv/bin/python": .link("/usr/bin/python3"),
            "/opt/venv/pyvenv.cfg": .text("home = /usr/bin\ninclude-system-site-packages = false\n"),
            "/opt/venv/lib/python3.11/site-packages/requests/__init__.py": .text("from . import sessions, gone\n"),
            "/opt/venv/lib/python3.11/site-packages/requests/sessions.py": .text("import requests.packages.x\n"),
            "/opt/venv/lib/python3.11/site-packages/six.py": .text("import sys\n"),
        ])
        #expect(try findings(tree) == [])
    }

    @Test func `hostile texts end`() throws {
        let texts = [
            "import", "from", "from . import", "from .... import x", "import .", "'''", "try:", "if:", "\\", "(((((",
            "from x import (", "import a..b", "import \u{00e9}", "class", "gi.require_version(\"", "\u{FEFF}import os",
            String(repeating: "try:\n ", count: 400), String(repeating: "[", count: 10_000),
        ]
        for text in texts { _ = try findings(goodServer(text)) }
    }
}
