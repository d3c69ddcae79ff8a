import Storage
import SystemPackage
import Testing

/// What `diff` says of two images against what others find out who look at the images mounted.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct DiffOracleTests {
    /// Two images mounted for reading, as `old-tree` and `new-tree`.
    private final class Mounts {
        let root: FilePath

        /// nil where the machine lets nobody mount.
        init?(_ workspace: Workspace) throws {
            root = workspace.root
            for name in ["old", "new"] {
                let said = try shell(
                    "mkdir \(name)-tree && mount -o loop,ro \(name)/demo.ext4 \(name)-tree", in: root)
                if !said.isEmpty {
                    print("no image can be mounted: nobody is asked: \(said)")
                    return nil
                }
            }
        }

        deinit { _ = try? shell("umount old-tree new-tree", in: root) }
    }

    /// The changed paths with what they have in them, and those that one side alone has, with all below them.
    private func changes(_ workspace: Workspace) throws -> Set<String> {
        let report = try JSON(workspace.program.run(["diff", "old/demo.ext4", "new/demo.ext4", "--json"]).stdout)
        var alone = Set<String>()
        var changed = Set<String>()
        for path in report["paths"].list {
            let name = try #require(path["path"].string)
            if path["change"].string != "changed" {
                alone.insert(name)
            } else if path["fields"].list.contains(where: {
                ["content", "target", "type"].contains($0["name"].string ?? "")
            }) {
                changed.insert(name)
            }
        }
        return changed.union(alone.filter { !alone.contains(FilePath($0).removingLastComponent().string) })
    }

    /// `path`, which is below one of the mounted images, as the image has it.
    private func inside(_ path: some StringProtocol) -> String {
        String(path.drop { $0 != "/" })
    }

    @Test func `diff -r of the mounted images names the same paths`() throws {
        let workspace = try twoBuilds()
        guard let mounts = try Mounts(workspace) else { return }
        defer { withExtendedLifetime(mounts) {} }
        var named = Set<String>()
        for line in try shell(
            "LC_ALL=C diff -rq --no-dereference old-tree new-tree | cat", in: workspace.root
        ).split(separator: "\n") {
            if let only = line.wholeMatch(of: /Only in ([^:]*): (.*)/) {
                named.insert(inside("\(only.1)/\(only.2)"))
            } else {
                let pair = try #require(line.wholeMatch(of: /(?:Files|Symbolic links|File) (\S+) .*/), "\(line)")
                named.insert(inside(pair.1))
            }
        }
        #expect(named.contains("/etc/first.conf"))
        let odd = try changes(workspace).symmetricDifference(named)
        #expect(odd == [])
    }

    @Test func `diffoscope names the same paths`() throws {
        guard try shell("command -v diffoscope") != "status 127\n", try !shell("command -v diffoscope").isEmpty else {
            return print("diffoscope is missing: not asked")
        }
        let workspace = try twoBuilds()
        guard let mounts = try Mounts(workspace) else { return }
        defer { withExtendedLifetime(mounts) {} }
        let report = try JSON(
            shell(
                "diffoscope --exclude-directory-metadata=yes --json - old-tree new-tree | cat", in: workspace.root))
        var named = Set<String>()
        func walk(_ node: JSON, in directory: String) {
            let source = node["source1"].string ?? ""
            if source == "file list" {
                // A line whose neighbours are new may be taken away and come again.
                let lines = (node["unified_diff"].string ?? "").split(separator: "\n")
                func names(_ sign: String) -> Set<String> {
                    Set(lines.filter { $0.hasPrefix(sign) }.map { "\(directory)/\($0.dropFirst())" })
                }
                named.formUnion(names("+").symmetricDifference(names("-")))
            } else if source.hasPrefix("old-tree") {
                // A directory is what its own details say, and what stat tells is not its content.
                let details = node["details"].list.map { $0["source1"].string ?? "" }
                let isDirectory = details.contains { $0.hasPrefix("old-tree") || $0 == "file list" }
                let isStated = !details.isEmpty && details.allSatisfy { $0.hasPrefix("stat ") }
                if !isDirectory && !(isStated && node["unified_diff"] == .null) { named.insert(inside(source)) }
                for detail in node["details"].list { walk(detail, in: inside(source)) }
            }
        }
        walk(report, in: "")
        #expect(named.contains("/etc/first.conf"))
        let odd = try changes(workspace).symmetricDifference(named)
        #expect(odd == [])
    }
}
