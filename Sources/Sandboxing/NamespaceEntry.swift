import CSandbox
import Glibc
import RootfsModel
import Synchronization

/// Why the program could not be started anew; 0 where it was not tried.
let restartError = Mutex<Int32>(0)

extension Sandbox {
    /// Goes on as root of a user namespace, where an ordinary user may have one with all the ids that packages need:
    /// the program starts anew with the same arguments, as the same process, and this does not return. It returns for
    /// root, and where the namespace is not to be had: what `availability` then refuses may not be needed.
    ///
    /// To be called before anything was done that cannot be done twice.
    public static func enterUserNamespace() {
        guard geteuid() != 0, csandbox_entry_error() == 0, let space = try? makeUserNamespace() else { return }
        restartError.withLock { $0 = csandbox_restart_in(space, CommandLine.unsafeArgv) }
        close(space)
    }

    /// A descriptor of a new user namespace with 0 for the user himself and his subordinate ids behind it.
    static func makeUserNamespace() throws(Failure) -> Int32 {
        let user = OrdinaryUser.current()
        var notes = [String]()
        var space = csandbox_user_namespace()
        let code = csandbox_make_user_namespace(&space)
        if code != 0 { notes += NamespaceSettings.ofHost.notes(on: "the kernel makes no user namespace", code: code) }
        defer { if code == 0 { csandbox_end_user_namespace(&space) } }
        let mappers = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"]
        let hasMappers = mappers.allSatisfy { access($0, X_OK) == 0 }
        if !hasMappers { notes.append("newuidmap and newgidmap are not installed: apt-get install uidmap") }
        guard let uids = user.uids, let gids = user.gids else {
            let range = "\(user.free.first)-\(user.free.first + user.free.count - 1)"
            notes.append(
                "\(user.name) has no \(SubordinateIDs.needed) subordinate ids in /etc/subuid and /etc/subgid:"
                    + " usermod --add-subuids \(range) --add-subgids \(range) \(user.name)")
            throw refusal(user, notes)
        }
        guard notes.isEmpty else { throw refusal(user, notes) }
        for (mapper, own, ids) in [(mappers[0], user.uid, uids), (mappers[1], user.gid, gids)] {
            let words = [UInt64(space.pid), 0, UInt64(own), 1, 1, ids.first, ids.count].map(String.init)
            if let complaint = complaint(of: [mapper] + words) {
                throw refusal(user, [complaint] + NamespaceSettings.ofHost.obstacles)
            }
        }
        let tried = csandbox_try_user_namespace(&space)
        guard tried == 0 else {
            throw refusal(user, NamespaceSettings.ofHost.notes(on: "a user namespace may not mount", code: tried))
        }
        let descriptor = csandbox_open_user_namespace(&space)
        guard descriptor >= 0 else { throw systemFailure("cannot open the user namespace") }
        return descriptor
    }

    static func refusal(_ user: OrdinaryUser, _ notes: [String]) -> Failure {
        Failure(
            "cannot run maintainer scripts as \(user.name): that takes a user namespace with subordinate ids",
            notes: notes, hint: "mend this as root, or build as root: sudo rootfs-build …")
    }

    /// Runs a program; nil if it succeeded, else what it said.
    private static func complaint(of words: [String]) -> String? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return "\(words[0]): \(errorText(errno))" }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        let arguments = CStrings(words)
        var process: pid_t = 0
        let code = posix_spawn(&process, words[0], &actions, nil, arguments.pointer, environ)
        close(ends[1])
        guard code == 0 else { return "\(words[0]): \(errorText(code))" }
        var said = [UInt8]()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            said += buffer[..<count]
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR { continue }
        if status == 0 { return nil }
        let text = String(decoding: said, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
        return text.isEmpty ? "\(words[0]) failed" : text
    }
}
