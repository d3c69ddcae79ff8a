import Debian
import Dispatch
import Glibc
import Normalization
import RootfsModel
import Sandboxing
import Storage
import SystemPackage
import Testing

@testable import Dpkg

/// Whether the host has what a layer of crafted packages needs: dpkg and its tools, and namespaces.
let canBuildLayers: Bool = {
    guard HostTools.programs.allSatisfy({ exists(FilePath($0)) }) else { return false }
    if case .available = Sandbox.availability() { return true }
    return false
}()

@Suite(.enabled(if: canBuildLayers, "the host has no dpkg with its tools, or no namespaces")) struct LayerTests {
    private let moment = Timestamp(seconds: 1_700_000_000)

    /// Layers upon each other, as the pipeline makes them.
    struct Stack {
        let scratch: Scratch
        let moment: Timestamp
        var root = LayerRoot.Kind.automatic
        var tree = FileTree()
        var lower = [FilePath]()
        var output = [String]()
        var failedSandboxes = 0
        var requests = [LayerRequest]()

        mutating func add(_ debs: [CraftedDeb]) throws -> BuiltLayer {
            let packages = try debs.map { deb in
                let bytes = deb.bytes
                let digest = Digest(hashing: bytes)
                let path = try scratch.write(bytes, as: "\(digest.hex).deb")
                let source = DebSource(path: path, digest: digest, label: "\(deb.name) 1.0")
                return try LayerPackage(payload: try Payload.take(source, store: scratch.store), deb: path)
            }
            let request = LayerRequest(
                moment: moment, architecture: HostTools.architecture, isBase: lower.isEmpty, below: tree, lower: lower,
                packages: packages, configureBatches: configureBatches(packages.map(\.stanza)), hostname: "localhost")
            requests.append(request)
            let work = scratch.path.appending("layer\(requests.count)")
            try makeDirectory(at: work)
            var lines = [String]()
            var failures = 0
            defer {
                output += lines
                failedSandboxes += failures
            }
            let built = try LayerBuilder.build(
                request, root: root, in: work, output: { lines.append($0) }, onFailure: { _ in failures += 1 })
            tree = try request.tree(placement: built.placement, delta: try scanOverlayUpper(built.upper))
            lower = [built.upper, built.lower] + lower
            return built
        }

        /// What a command in the finished tree prints.
        func run(_ arguments: [String]) throws -> String {
            let directory = scratch.path.appending("run")
            try removeTree(at: directory)
            try makeDirectory(at: directory.appending("upper"))
            let sandbox = Sandbox(
                root: Sandbox.Root(
                    lower: lower.map(\.string), upper: directory.appending("upper").string,
                    work: directory.appending("work").string), hostname: "localhost")
            let command = Command(arguments: arguments, environment: MaintainerScripts.environment(moment: moment))
            let outcome = try sandbox.run(command)
            return (outcome.succeeded ? "" : "\(outcome.status)\n") + String(decoding: outcome.tail, as: UTF8.self)
        }
    }

    private func content(_ path: TreePath, _ tree: FileTree) throws -> String? {
        try tree.resolvedNode(path)?.blob.map { String(decoding: try $0.readAll(), as: UTF8.self) }
    }

    @Test func `what dpkg alone can do is left to dpkg`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var stack = Stack(scratch: scratch, moment: moment)
        #expect(try stack.add([try HostTools.deb()]).placement.guarded == [])

        var one = CraftedDeb("one")
        one.data.directory("./usr/")
        one.data.directory("./usr/share/")
        one.data.add("./usr/share/shared", content: Array("one".utf8))
        one.data.add("./usr/share/diverted", content: Array("one".utf8))
        one.data.add("./usr/share/kept", content: Array("one".utf8))
        var replacing = CraftedDeb("replacing", fields: "Replaces: one\nDepends: one")
        replacing.data.directory("./usr/")
        replacing.data.directory("./usr/share/")
        replacing.data.add("./usr/share/shared", content: Array("replacing".utf8))
        var diverting = CraftedDeb("diverting", fields: "Depends: one")
        diverting.scripts = [
            (
                "preinst",
                "#!/bin/sh\nset -e\ndpkg-divert --package diverting --add --rename --divert /usr/share/diverted.one /usr/share/diverted\n"
            )
        ]
        diverting.data.directory("./usr/")
        diverting.data.directory("./usr/share/")
        diverting.data.add("./usr/share/diverted", content: Array("diverting".utf8))
        var upgrading = CraftedDeb("upgrading")
        upgrading.scripts = [("conffiles", "remove-on-upgrade /etc/gone\n")]
        var owned = CraftedDeb("owned")
        owned.data.add("./owned", uid: 7777, user: "somebody")
        var clashing = CraftedDeb("clashing")
        clashing.data.directory("./usr/")
        clashing.data.directory("./usr/twice/")
        clashing.data.directory("./usr/twice/")

        let built = try stack.add([one, replacing, diverting, upgrading, owned, clashing])
        #expect(
            built.placement.guarded.map { "\($0.package) \($0.reason)" } == [
                "1 /usr/share/shared is in the tree already", "2 its preinst calls dpkg-divert",
                "3 its conffile /etc/gone is remove-on-upgrade", "4 ./owned belongs to user somebody",
                "5 ./usr/twice/ comes twice",
            ])
        let tree = stack.tree
        #expect(try content("usr/share/shared", tree) == "replacing")
        #expect(try content("usr/share/diverted", tree) == "diverting")
        #expect(try content("usr/share/diverted.one", tree) == "one")
        #expect(try content("usr/share/kept", tree) == "one")
        #expect(tree["owned"]?.metadata.uid == 7777)
        #expect(tree["usr/twice"]?.isDirectory == true)
        #expect(
            try content("var/lib/dpkg/info/one.list", tree)
                == "/.\n/usr\n/usr/share\n/usr/share/diverted\n/usr/share/kept\n")
        #expect(try stack.run(["dpkg", "--audit"]) == "")
        #expect(try stack.run(["dpkg", "--verify"]) == "")
    }

    @Test func `scripts see what dpkg shows them, and two builds are identical`() throws {
        var listings = [[UInt8]]()
        for _ in 0..<2 {
            let scratch = try Scratch()
            defer { scratch.remove() }
            var stack = Stack(scratch: scratch, moment: moment)
            _ = try stack.add([try HostTools.deb()])
            var sample = CraftedDeb("sample")
            sample.scripts = [
                ("conffiles", "/etc/sample.conf\n"),
                (
                    "preinst",
                    """
                    #!/bin/sh
                    set -e
                    test "$1" = install -a $# = 1 -a "$DPKG_MAINTSCRIPT_NAME" = preinst -a ! -e /usr/share/sample
                    test -f /var/lib/dpkg/tmp.ci/control -a -x /usr/sbin/policy-rc.d
                    echo "$DPKG_MAINTSCRIPT_PACKAGE $DPKG_RUNNING_VERSION $SOURCE_DATE_EPOCH" > /var/lib/sample

                    """
                ),
                (
                    "postinst",
                    "#!/bin/sh\nset -e\ntest \"$1\" = configure -a -f /usr/share/sample -a -f /etc/sample.conf\necho configured >> /var/lib/sample\n"
                ),
            ]
            for directory in ["etc", "usr", "usr/share"] { sample.data.directory("./\(directory)/") }
            sample.data.add("./usr/share/sample", content: [1])
            sample.data.add("./etc/sample.conf", content: Array("a=b\n".utf8), mode: 0o600)
            let built = try stack.add([sample])
            let tree = stack.tree
            #expect(try content("var/lib/sample", tree) == "sample 1.0 1700000000\nconfigured\n")
            #expect(try content("etc/sample.conf", tree) == "a=b\n")
            #expect(
                tree["etc/sample.conf"]?.metadata == Metadata(mode: 0o600, mtime: Timestamp(seconds: 1_600_000_000)))
            for path: TreePath in ["usr/sbin/policy-rc.d", "var/lib/dpkg/tmp.ci", "etc/sample.conf.dpkg-new"] {
                #expect(tree[path] == nil)
            }
            #expect(tree.nodes.allSatisfy { $0.metadata.mtime <= moment })
            #expect(try stack.run(["dpkg", "--verify"]) == "")
            // A layer from the store is placed as it was.
            let again = try stack.requests[1].placement()
            #expect(again.change == built.placement.change)
            let rebuilt = scratch.path.appending("again")
            try again.makeLowerDirectory(of: stack.requests[1].packages, at: rebuilt)
            let times = { (path: FilePath) in
                try scanDirectory(path, digesting: false).nodes.dropFirst().map(\.metadata)
            }
            #expect(try times(rebuilt) == times(built.lower))
            let normal = try Normalization.normalise(tree, moment: moment, read: { try $0.readAll() }).tree
            listings.append(try Listing.bytes(of: normal))
        }
        #expect(listings[0] == listings[1])
    }

    @Test func `a failing script stops the build with its name, status and last words`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        var stack = Stack(scratch: scratch, moment: moment)
        _ = try stack.add([try HostTools.deb()])
        var broken = CraftedDeb("broken")
        broken.scripts = [("postinst", "#!/bin/sh\necho about to fail\nexit 3\n")]
        #expect(
            throws: Failure(
                "postinst configure of broken failed: exit status 3",
                notes: ["about to fail"],
                hint: "--shell-on-failure opens a shell in the tree at this point")
        ) { try stack.add([broken]) }
        #expect(stack.failedSandboxes == 1)
        broken.scripts = [("preinst", "#!/bin/sh\necho no\nkill -9 $$\n")]
        #expect(
            throws: Failure(
                "preinst install of broken 1.0 failed: killed by signal 9", notes: ["no"],
                hint: "--shell-on-failure opens a shell in the tree at this point")
        ) { try stack.add([broken]) }
        #expect(stack.failedSandboxes == 2)
    }

    @Test func `a cancelled build ends at once`() async throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let moment = moment
        let task = Task {
            var stack = Stack(scratch: scratch, moment: moment)
            _ = try stack.add([try HostTools.deb()])
            var slow = CraftedDeb("slow")
            slow.scripts = [("postinst", "#!/bin/sh\nwhile :; do :; done\n")]
            _ = try stack.add([slow])
        }
        // From outside the pool of task threads, which this and other blocking tests may fill.
        DispatchQueue.global().asyncAfter(deadline: .now() + 3) { task.cancel() }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

/// A base package of the host's own dpkg, shell and libraries: enough for scripts and dpkg to run.
enum HostTools {
    static let programs = [
        "/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/usr/bin/dpkg-divert", "/usr/bin/dpkg-query",
        "/usr/bin/dpkg-trigger", "/usr/bin/tar", "/usr/bin/rm", "/usr/bin/diff", "/usr/bin/dash", "/usr/sbin/ldconfig",
        "/usr/sbin/start-stop-daemon",
    ]

    static let architecture =
        (try? shell("dpkg --print-architecture").output.split(separator: "\n").first).map(String.init) ?? "amd64"

    /// With more programs of the host, by their paths.
    static func deb(with more: [String] = []) throws -> CraftedDeb {
        let programs = programs + more
        var deb = CraftedDeb("dpkg")
        var directories = Set<String>()
        func addParents(_ path: String) {
            var prefix = "."
            for component in path.split(separator: "/").dropLast() {
                prefix += "/\(component)"
                if directories.insert(prefix).inserted { deb.data.directory(prefix + "/") }
            }
        }
        for directory in ["proc", "sys", "dev", "run", "tmp", "root"] { addParents("\(directory)/x") }
        let list = programs.joined(separator: " ")
        let needed = try shell("for p in \(list); do ldd $p; done | grep -o '/[^ ]*' | sort -u").output
        let libraries = needed.split(separator: "\n").map(String.init).filter { $0.contains(".so") }
        for file in programs + libraries {
            let path = file.hasPrefix("/usr") ? file : "/usr" + file
            addParents(path)
            deb.data.add("." + path, content: try readFile(at: FilePath(file)), mode: 0o755)
        }
        deb.data.add("./usr/bin/sh", type: "2", link: "dash", mode: 0o777)
        return deb
    }
}
