import Checks
import RootfsModel
import Testing

/// Debian's Chromium as a service, and what one small change does to it.
@Suite struct ChromiumFaultTests {
    struct Parts {
        var tree = PlantedTree()
        var words = ["/usr/bin/chromium", "--kiosk"]
        var user = "agent"
        var options = ["CONFIG_USER_NS": "y", "CONFIG_SECCOMP_FILTER": "y"]

        init() {
            tree.file("usr/bin/chromium", "#!/bin/sh\nexec /usr/lib/chromium/chromium \"$@\"\n", mode: 0o755)
            tree.file("usr/lib/chromium/chromium", ElfFixture().bytes, mode: 0o755)
            tree.file("usr/lib/chromium/icudtl.dat", NodeFaultTests.icuData("icudt77l"))
            for name in ["resources.pak", "v8_context_snapshot.bin", "locales/en-US.pak"] {
                tree.file("usr/lib/chromium/\(name)")
            }
        }

        func findings() throws -> [Finding] {
            let service = Service(
                name: "browser", origin: .recipe, commands: [.init(role: "command", words: words)], user: user)
            return try ChromiumRule().findings(
                in: CheckSubject(
                    tree: try tree.tree, architecture: "amd64", services: [service],
                    kernel: .init(release: "6.1.0-56-cloud-amd64", options: options), read: readMemory))
        }
    }

    @Test func `a good one gives nothing`() throws {
        #expect(try Parts().findings() == [])
    }

    @Test func `a setuid helper does without user namespaces`() throws {
        var parts = Parts()
        parts.options["CONFIG_USER_NS"] = nil
        parts.tree.file("usr/lib/chromium/chrome-sandbox", mode: 0o4755)
        #expect(try parts.findings() == [])
    }

    @Test func `no sandbox is asked of root who wants none`() throws {
        var parts = Parts()
        (parts.user, parts.options) = ("root", [:])
        parts.tree.file("etc/chromium.d/flags", "export CHROMIUM_FLAGS=\"$CHROMIUM_FLAGS --no-sandbox\"\n")
        #expect(try parts.findings() == [])
    }

    typealias Fault = PartsFault<Parts>

    static let faults: [Fault] = [
        Fault(id: "chromium/data-missing", says: "Invalid file descriptor to ICU data") {
            $0.tree.remove("usr/lib/chromium/icudtl.dat")
        },
        Fault(id: "chromium/data-missing", says: "/opt/kiosk.sh:2: exec chromium --kiosk") {
            $0.tree.file("opt/kiosk.sh", "#!/bin/sh\nexec chromium --kiosk\n", mode: 0o755)
            $0.tree.file("bin/sh", ElfFixture().bytes, mode: 0o755)
            $0.words = ["/opt/kiosk.sh"]
            $0.tree.remove("usr/lib/chromium/icudtl.dat")
        },
        Fault(id: "chromium/data-missing", says: "/usr/lib/chromium/resources.pak is not there") {
            $0.tree.remove("usr/lib/chromium/resources.pak")
        },
        Fault(id: "chromium/data-missing", says: "V8 starts from it") {
            $0.tree.remove("usr/lib/chromium/v8_context_snapshot.bin")
        },
        Fault(id: "chromium/data-missing", says: "texts of no language") {
            $0.tree.remove("usr/lib/chromium/locales")
        },
        Fault(id: "chromium/data-invalid", says: "cut off") {
            $0.tree.file("usr/lib/chromium/icudtl.dat", Array(NodeFaultTests.icuData("icudt77l").prefix(40)))
        },
        Fault(id: "chromium/root", says: "the service runs as root") { $0.user = "root" },
        Fault(id: "chromium/sandbox", says: "CONFIG_USER_NS") { $0.options["CONFIG_USER_NS"] = nil },
        Fault(id: "chromium/sandbox", says: "sets kernel.unprivileged_userns_clone to 0") {
            $0.tree.file("usr/lib/sysctl.d/50-a.conf", "kernel.unprivileged_userns_clone=1\n")
            $0.tree.file("etc/sysctl.d/60-hard.conf", "# less\nkernel/unprivileged_userns_clone = 0\n")
        },
        Fault(id: "chromium/seccomp", severity: .warning, says: "CONFIG_SECCOMP_FILTER is not set") {
            $0.options["CONFIG_SECCOMP_FILTER"] = nil
        },
    ]

    @Test(arguments: faults) func `is found`(fault: Fault) throws {
        var parts = Parts()
        fault.plant(&parts)
        let found = try parts.findings()
        #expect(found.map(\.id) == [fault.id] && found.first?.severity == fault.severity, "\(found)")
        expect(found, say: fault.says)
    }
}
