import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ShellOnFailureTests {
    /// Runs a command on a terminal of its own, types each line at the shell's next prompt, and shows what it saw.
    private static let typist = """
        import os, pty, sys
        process, terminal = pty.fork()
        if process == 0:
            os.execvp(sys.argv[1], sys.argv[1:])
        lines = [b"cat /etc/hello.conf; echo at $PWD\\n", b"dpkg --audit\\n", b"exit\\n"]
        seen = b""
        while True:
            try:
                bytes = os.read(terminal, 4096)
            except OSError:
                break
            if not bytes:
                break
            os.write(1, bytes)
            seen += bytes
            if lines and seen.endswith(b"# "):
                os.write(terminal, lines.pop(0))
                seen = b""
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        """

    @Test func `the shell has the terminal and the tree in which the script failed`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("shell", "layers: [{name: system, packages: [hello]}, {name: own, packages: [broken]}]")
        try workspace.write("typist.py", Self.typist)
        var program = workspace.program
        program.wrapper = ["python3", workspace.path("typist.py").string]
        let ending = try program.run(
            workspace.words(["recipes/shell.manifest", "--shell-on-failure"]))
        #expect(ending.status == 2)
        #expect(ending.stdout.contains("greeting = hello\r\nat /\r\n"))
        #expect(ending.stdout.contains("\r\n broken "))
        #expect(ending.stdout.contains("error: postinst configure of broken failed: exit status 3"))
        #expect(try workspace.leftovers == [])
    }
}
