import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Runs the program as an ordinary user with subordinate ids, without adding one to the host: nobody, who has the ids
/// in a copy of /etc/subuid and /etc/subgid that is mounted for this program alone.
enum OrdinaryUser {
    static let id: uid_t = 65534
    static let words = "a host where nobody can have a user namespace (uidmap, setpriv, and a kernel that allows it)"

    /// Whether this host lets him have a namespace with subordinate ids.
    static let isPossible: Bool = {
        guard geteuid() == 0, let scratch = try? Scratch("user"),
            ["/usr/bin/newuidmap", "/usr/bin/newgidmap", "/usr/bin/setpriv", "/etc/subuid", "/etc/subgid"].allSatisfy({
                exists(FilePath($0))
            }), let wrapper = try? wrapper(in: scratch.path)
        else { return false }
        let words = wrapper + ["/usr/bin/unshare", "--user", "--map-auto", "--map-root-user", "/bin/true"]
        let environment = ["PATH=/usr/bin:/bin"]
        return (try? Running(words, in: scratch.path, environment: environment).wait().status) == 0
    }()

    /// Words that run the program behind them as him. What they need lies in the directory, which others may enter.
    static func wrapper(in directory: FilePath) throws -> [String] {
        let mine = directory.appending("as-nobody")
        try makeDirectory(at: mine)
        try writeFile(Array("nobody:1000000000:65536\n".utf8), to: mine.appending("ids"))
        try writeFile([], to: mine.appending("program"))
        // The program may lie where he cannot go.
        let script = """
            set -e; mine=$1; program=$2; shift 2
            mount --bind "$mine/ids" /etc/subuid; mount --bind "$mine/ids" /etc/subgid
            mount --bind "$program" "$mine/program"
            exec setpriv --reuid=\(id) --regid=\(id) --clear-groups "$mine/program" "$@"
            """
        return ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, "sh", mine.string]
    }
}

extension Workspace {
    /// The program as an ordinary user who owns this workspace.
    func ordinaryUsersProgram() throws -> Program {
        try shell("mkdir -p '\(cache)' && chown -R \(OrdinaryUser.id):\(OrdinaryUser.id) '\(root)' '\(cache)'")
        // A directory of root's alone until now.
        chmod(try World.shared().archive.root.removingLastComponent().string, 0o755)
        var program = program
        program.wrapper = try OrdinaryUser.wrapper(in: root.removingLastComponent())
        return program
    }
}
