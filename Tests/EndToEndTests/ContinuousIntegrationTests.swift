import ArchiveFixture
import Foundation
import RootfsModel
import Storage
import SystemPackage
import Testing

/// The shell steps of docs/ci, run in clean clones of a repository as the services run them.
@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"))
struct ContinuousIntegrationTests {
    /// A repository with an origin, and the service's own programs as scripts that note how they were called.
    private final class Service {
        let nights: Nights
        var root: FilePath { nights.workspace.root }
        private var number = 0

        init() throws {
            nights = try Nights()
            let workspace = nights.workspace
            // What the service's own command does not say: the archive, the engine and the time.
            try workspace.write(
                "bin/rootfs-build",
                """
                #!/bin/sh
                case $1 in
                nightly) exec '\(Program.path)' "$@" --mirror '\(workspace.mirror)' --engine tcg --retries 0 --now "$NOW";;
                *) exec '\(Program.path)' "$@";;
                esac

                """, mode: 0o755)
            try workspace.write(
                "bin/gh",
                """
                #!/bin/sh
                echo "$*" >> '\(root)/gh.log'
                case "$1 $2" in
                "pr list") grep -q 'pr create' '\(root)/gh.log' && echo 7;;
                esac
                exit 0

                """, mode: 0o755)
            try shell(
                """
                printf 'out\\n.cache\\nreport\\n' > .gitignore
                git init -q -b main . && git add .gitignore recipes/*.manifest keys overlays
                git -c user.name=a -c user.email=a@localhost commit -q -m first
                git init -q --bare -b main origin.git && git push -q origin.git main
                git -C origin.git config receive.advertisePushOptions true
                """, in: root)
        }

        /// One night's run of these scripts in a new clone whose caches were packed and unpacked since; what they said.
        func run(_ scripts: [String], _ variables: [String] = []) throws -> Program.Ending {
            nights.now += 86_400
            let before = root.appending("clone-\(number)")
            number += 1
            let clone = root.appending("clone-\(number)")
            let said = try shell(
                """
                git clone -q '\(root)/origin.git' '\(clone)'
                if [ -d '\(before)' ]; then tar -C '\(before)' -c .cache out | tar -C '\(clone)' -x
                else mkdir '\(clone)/.cache' && cp -al '\(nights.workspace.cache)' '\(clone)/.cache/rootfs-build'; fi
                """, in: root)
            #expect(said == "")
            let script = clone.appending("report-steps")
            // Each step is a shell of its own that ends at the first failure.
            let steps = scripts.enumerated().map { "bash -e -o pipefail step-\($0.offset)" }.joined(separator: " && ")
            for (index, text) in scripts.enumerated() {
                try writeFile(Array(text.utf8), to: clone.appending("step-\(index)"))
            }
            try writeFile(Array(steps.utf8), to: script)
            return try Running(
                ["bash", "report-steps"], in: clone,
                environment: nights.program.environment.filter { !$0.hasPrefix("HOME=") }
                    + ["HOME=\(root)", "RECIPES=recipes/demo.manifest", "NOW=\(nights.now)"] + variables
            ).wait()
        }

        func shownLock() throws -> String {
            try shell("git -C origin.git show nightly-lock:recipes/demo.lock", in: root)
        }

        func report(_ file: String) throws -> String {
            try nights.workspace.text("clone-\(number)/report/\(file)")
        }
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/ci")

    /// The blocks of text of a workflow that come after a line with this key, dedented; `name` is the nearest `- name:`
    /// above.
    private func blocks(of file: String, after key: String) throws -> [(name: String, script: String)] {
        let lines = try String(contentsOf: Self.folder.appending(path: file), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        var blocks = [(name: String, script: String)]()
        var name = ""
        var index = 0
        while index < lines.count {
            let line = lines[index]
            index += 1
            let words = line.drop { $0 == " " }
            if words.hasPrefix("- name: ") { name = String(words.dropFirst("- name: ".count)) }
            guard words == key else { continue }
            let margin = line.prefix { $0 == " " }.count + 2
            let rest = lines[index...].prefix { $0.isEmpty || $0.prefix { $0 == " " }.count >= margin }
            blocks.append((name, rest.map { $0.dropFirst(margin) }.joined(separator: "\n") + "\n"))
            index += rest.count
        }
        return blocks
    }

    private var hasGit: Bool {
        get throws { try shell("command -v git && command -v bash").split(separator: "\n").count == 2 }
    }

    @Test func `GitHub's steps build, offer the lock once a change, and go on from what is offered`() throws {
        guard try hasGit else { return print("git or bash is missing: not asked") }
        let steps = try blocks(of: "github-actions.yml", after: "run: |")
        #expect(steps.map(\.name) == ["tools", "locks", "night", "pull request"])
        let scripts = steps.dropFirst().map(\.script)
        let service = try Service()
        let variables = ["GITHUB_STEP_SUMMARY=\(service.root)/summary.md"]
        let first = try service.run(scripts, variables)
        #expect(first.status == 0, "\(first.stdout)\(first.stderr)")
        #expect(try service.shownLock().contains("Package: hello\nVersion: 2.10-3"))
        #expect(try service.nights.workspace.text("gh.log").contains("pr create --head nightly-lock"))
        #expect(try service.nights.workspace.text("summary.md").contains("demo"))
        for file in ["demo.nightly.json", "demo.report.md", "demo.report.html", "demo.junit.xml", "demo.check.sarif"] {
            #expect(try !service.report(file).isEmpty, "\(file)")
        }

        // Nothing moved: the lock that is offered is the one that holds.
        let commit = try shell("git -C origin.git rev-parse nightly-lock", in: service.root)
        let second = try service.run(scripts, variables)
        #expect(second.status == 0 && second.stdout.contains("no lock moved"), "\(second.stdout)\(second.stderr)")
        #expect(try JSON(service.report("demo.nightly.json"))["decision"].string == "unchanged")
        #expect(try shell("git -C origin.git rev-parse nightly-lock", in: service.root) == commit)

        try service.nights.move("hello", to: "2.12-1")
        try service.nights.publish()
        let third = try service.run(scripts, variables)
        #expect(third.status == 0, "\(third.stdout)\(third.stderr)")
        #expect(try service.shownLock().contains("Package: hello\nVersion: 2.12-1"))
        #expect(try service.nights.workspace.text("gh.log").contains("pr edit nightly-lock"))

        // A refused night fails, and offers nothing.
        let offered = try service.shownLock()
        try service.nights.move("hello", to: "2.13-1") {
            $0.files.append(.file("usr/bin/new-root", "#!/bin/sh\n", mode: 0o4755))
        }
        try service.nights.publish()
        let fourth = try service.run(scripts, variables)
        #expect(fourth.status == 1, "\(fourth.stdout)\(fourth.stderr)")
        #expect(try service.shownLock() == offered)
        #expect(try service.report("demo.report.md").contains("new-setuid"))
    }

    @Test func `GitLab's steps do the same`() throws {
        guard try hasGit else { return print("git or bash is missing: not asked") }
        let scripts = try blocks(of: "gitlab-ci.yml", after: "- |").map(\.script)
        #expect(scripts.count == 3)
        let service = try Service()
        let said = try shell(
            "HOME='\(service.root)' git config --global url.'\(service.root)/origin.git'.insteadOf http://nightly:t@gitlab.example:80/a/b.git"
        )
        #expect(said == "")
        let variables = [
            "CI_DEFAULT_BRANCH=main", "CI_SERVER_PROTOCOL=http", "CI_SERVER_HOST=gitlab.example", "CI_SERVER_PORT=80",
            "CI_PROJECT_PATH=a/b", "LOCK_TOKEN=t",
        ]
        let first = try service.run(scripts, variables)
        #expect(first.status == 0, "\(first.stdout)\(first.stderr)")
        #expect(try service.shownLock().contains("Package: hello\nVersion: 2.10-3"))
        let second = try service.run(scripts, variables)
        #expect(second.status == 0 && second.stdout.contains("no lock moved"), "\(second.stdout)\(second.stderr)")
        try service.nights.move("hello", to: "2.12-1")
        try service.nights.publish()
        let third = try service.run(scripts, variables)
        #expect(third.status == 0, "\(third.stdout)\(third.stderr)")
        #expect(try service.shownLock().contains("Package: hello\nVersion: 2.12-1"))
    }

    @Test func `systemd takes the units`() throws {
        let scratch = try Scratch("units")
        for name in ["rootfs-build-nightly@.service", "rootfs-build-nightly@.timer"] {
            // The program is looked for.
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
                .replacing("/usr/local/bin/rootfs-build", with: Program.path.string)
            try writeFile(
                Array(text.utf8), to: scratch.path.appending(name.replacingOccurrences(of: "@.", with: "@demo.")))
        }
        let verify = """
            command -v systemd-analyze >/dev/null || { echo missing; exit 0; }
            systemd-analyze verify ./rootfs-build-nightly@demo.service ./rootfs-build-nightly@demo.timer
            """
        let said = try shell(verify, in: scratch.path)
        if said == "missing\n" { return print("systemd-analyze is missing: not asked") }
        #expect(said == "")
    }
}
