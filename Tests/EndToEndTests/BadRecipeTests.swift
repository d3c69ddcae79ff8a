import RootfsModel
import Storage
import SystemPackage
import Testing

/// Runs a build that must fail, and checks what every failed build leaves: outputs and locks as they were, no
/// temporary files; gives status and stderr.
func refusal(
    of recipe: String, in workspace: Workspace, _ options: [String] = [], mirror: String? = nil,
    sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> String {
    let state = try workspace.state()
    let ending = try workspace.build(recipe, options, mirror: mirror)
    #expect(ending.stdout == "", sourceLocation: sourceLocation)
    #expect(try workspace.state() == state, "outputs and locks changed", sourceLocation: sourceLocation)
    #expect(try workspace.leftovers == [], sourceLocation: sourceLocation)
    let log = untimed(ending.stderr).replacing(workspace.root.string, with: "HERE")
        .split(separator: "\n", omittingEmptySubsequences: false)
        .filter { !$0.hasPrefix("\(recipe): ") }.joined(separator: "\n")
    return "\(ending.status) \(log)"
}

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BadRecipeTests {
    private let layers = "layers: [{name: system, packages: [hello]}]\nkernel: none"

    /// A workspace with outputs of an earlier build, and a recipe `bad`.
    private func workspace(_ recipe: String) throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("bad", recipe)
        try workspace.previousOutputs(of: "bad")
        return workspace
    }

    @Test func `a package that is not there`() throws {
        let workspace = try workspace("layers: [{name: system, packages: [helo, nothing-like-it]}]\nkernel: none")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:4:36: error: cannot find package helo
             4 | layers: [{name: system, packages: [helo, nothing-like-it]}]
               |                                    ^^^^
            hint: did you mean hello?
            recipes/bad.manifest:4:42: error: cannot find package nothing-like-it
             4 | layers: [{name: system, packages: [helo, nothing-like-it]}]
               |                                          ^^^^^^^^^^^^^^^

            """)
    }

    @Test func `requests that cannot be met`() throws {
        let workspace = try workspace("layers: [{name: system, packages: [hello, lonely]}]\nkernel: none")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 error: cannot install lonely
              lonely was requested
              but:
                lonely needs company (>= 3), which cannot be satisfied:
                  company is 2.0 in bookworm

            """)
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello, rival]}]\nkernel: none")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 error: cannot install rival
              rival was requested
              but:
                rival conflicts with hello
                  hello was requested

            """)
    }

    @Test func `an overlay that is not there`() throws {
        let workspace = try workspace(layers + "\noverlays: [overlays/frist]")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:6:12: error: there is no folder overlays/frist to lay over the tree
             6 | overlays: [overlays/frist]
               |            ^^^^^^^^^^^^^^
            hint: did you mean overlays/first?

            """)
    }

    @Test func `an unknown key, and other mistakes at once`() throws {
        let workspace = try workspace("layers: [{name: system, package: [hello]}]\nkernl: none\nimage: {free: 12}")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:4:10: error: a layer without packages
             4 | layers: [{name: system, package: [hello]}]
               |          ^
            recipes/bad.manifest:4:25: error: unknown key `package` in a layer
             4 | layers: [{name: system, package: [hello]}]
               |                         ^^^^^^^
            hint: did you mean `packages`?
            recipes/bad.manifest:5:1: error: unknown key `kernl` in the recipe
             5 | kernl: none
               | ^^^^^
            hint: did you mean `kernel`?
            recipes/bad.manifest:6:15: error: `12` has no unit
             6 | image: {free: 12}
               |               ^^
            hint: write `12MiB` or `12MB`

            """)
    }

    @Test func `what is not supported yet is refused by name`() throws {
        let workspace = try workspace(layers + "\nimage: {compress: zstd}")
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:6:19: error: image.compress: zstd is not supported yet
             6 | image: {compress: zstd}
               |                   ^^^^

            """)
    }

    @Test func `a maintainer script that fails`() throws {
        let workspace = try workspace("layers: [{name: system, packages: [hello, broken]}]\nkernel: none")
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 error: postinst configure of broken failed: exit status 3
              one
              cannot go on
            hint: --shell-on-failure opens a shell in the tree at this point

            """)
    }

    @Test func `a kernel that is none`() throws {
        let workspace = try workspace("layers: [{name: system, packages: [hello]}]\nkernel: {package: not-a-kernel}")
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace),
            "2 error: cannot take a kernel from not-a-kernel 1.0's /boot/vmlinuz-none: not a kernel: neither a boot header nor an ELF, in 17 bytes\n"
        )
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello]}]\nkernel: {package: extra}")
        _ = try workspace.run(["lock", "--update", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:5:19: error: the package extra 1.0 holds no kernel: it has no /boot/vmlinuz-*
             5 | kernel: {package: extra}
               |                   ^^^^^

            """)
        try workspace.recipe(
            "bad", "layers: [{name: system, packages: [hello]}]\nkernel: {package: linux-image-buildin}")
        try removeTree(at: workspace.path("recipes/bad.lock"))
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:5:19: error: no package linux-image-buildin for the kernel
             5 | kernel: {package: linux-image-buildin}
               |                   ^^^^^^^^^^^^^^^^^^^
            hint: did you mean linux-image-builtin?

            """)
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello]}]\nkernel: {file: kernels/none}")
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:5:16: error: there is no kernel kernels/none
             5 | kernel: {file: kernels/none}
               |                ^^^^^^^^^^^^

            """)
        try workspace.write("kernels/none", bytes: Array(try FixtureKernel.bzImage().prefix(20_600)))
        same(
            try refusal(of: "bad", in: workspace),
            "2 error: cannot take a kernel from kernels/none: truncated: 20,600 of 21,552 bytes\n")
    }

    @Test func `a service whose program is not there`() throws {
        let service = "\nservices:\n  app:\n    command: [/usr/bin/helo, --now]\n"
        let workspace = try workspace(layers + service)
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:7:3: error: the recipe has services, but the image has no supervisor to watch them
             7 |   app:
               |   ^^^
              missing: /usr/lib/microvm/supervise
              missing: /usr/lib/microvm/ready
            hint: add overlays/supervisor to overlays:
            recipes/bad.manifest:8:15: error: service app runs /usr/bin/helo, which the image does not have
             8 |     command: [/usr/bin/helo, --now]
               |               ^^^^^^^^^^^^^
            hint: did you mean /usr/bin/hello?

            """)
        // With what stands for systemd and the supervisor, the program itself is what is missed.
        try workspace.write("overlays/init/lib/systemd/systemd", "#!/bin/sh\n", mode: 0o755)
        try workspace.write("overlays/init/etc/systemd/system/app-.service.d/10-visible.conf", "[Service]\n")
        for program in ["lib/microvm/report-exit", "lib/microvm/ready", "bin/perl", "bin/bash"] {
            try workspace.write("overlays/init/usr/\(program)", "#!/bin/sh\n", mode: 0o755)
        }
        try workspace.recipe("bad", layers + "\noverlays: [overlays/init]" + service)
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:9:15: error: service app runs /usr/bin/helo, which the image does not have
             9 |     command: [/usr/bin/helo, --now]
               |               ^^^^^^^^^^^^^
            hint: did you mean /usr/bin/hello?

            """)
    }

    @Test func `--set of a variable that the recipe does not have`() throws {
        let workspace = try workspace(layers + "\nvariables: {greeting: hello}\nfiles: {/etc/x: \"${greeting}\"}")
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        same(
            try refusal(of: "bad", in: workspace, ["--set", "greting=x"]),
            """
            64 error: `--set greting=…`: the recipe has no such variable
            hint: did you mean `--set greeting=…`?

            """)
        #expect(
            try refusal(of: "bad", in: workspace, ["--set", "greting"])
                .hasPrefix("64 Error: --set takes name=value, not 'greting'.\n"))
        let built = try workspace.build("bad", ["--set", "greeting=good day"])
        #expect(built.status == 0)
        let content = try workspace.program.run(["inspect", "cat", "out/bad/bad.ext4", "/etc/x"])
        #expect(content.stdout == "good day")
    }

    @Test func `an image too small for its files`() throws {
        let workspace = try workspace(layers + "\nimage: {size: 2MiB}")
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        // How much it needs depends on the host's libraries.
        same(
            try refusal(of: "bad", in: workspace).replacing(#/(needs|by) \d+ bytes/#) { "\($0.output.1) N bytes" },
            """
            2 error: the tree does not fit into an image of 2097152 bytes: it needs N bytes
            hint: make the image larger by N bytes or more

            """)
    }

    @Test func `a recipe that is not there, and a lock in its place`() throws {
        let workspace = try workspace(layers)
        same(
            try refusal(of: "bda", in: workspace),
            """
            2 error: cannot read recipes/bda.manifest: No such file or directory
            hint: did you mean recipes/bad.manifest?

            """)
        let lock = try workspace.run(["recipes/demo.lock"])
        same(
            "\(lock.status) \(lock.stderr)",
            """
            64 error: recipes/demo.lock is a lock, not a recipe
            hint: name the recipe beside it, which ends in .manifest

            """)
    }

    @Test func `the command line's own mistakes`() throws {
        let workspace = try World.shared().coldWorkspace()
        func mistake(_ words: String...) throws -> String {
            let ending = try workspace.program.run(words)
            #expect(ending.stdout == "")
            return "\(ending.status) \(ending.stderr.split(separator: "\n").first ?? "")"
        }
        same(try mistake("recipes/demo.manifest", "--frobnicate"), "64 Error: Unknown option '--frobnicate'")
        same(try mistake(), "64 Error: Name at least one recipe: rootfs-build <recipe> ...")
        same(
            try mistake("buidl", "recipes/demo.manifest"),
            "64 Error: There is no recipe and no subcommand 'buidl'; did you mean 'build'?")
        same(try mistake("inspect", "lst", "image"), "64 Error: Unexpected argument 'image'")
        same(try mistake("recipes/demo.manifest", "--jobs", "0"), "64 Error: --jobs takes a number from 1 to 1024.")
        same(
            try mistake("recipes/demo.manifest", "--jobs", "many"),
            "64 Error: The value 'many' is invalid for '--jobs <n>'")
        same(
            try mistake("recipes/demo.manifest", "--quiet", "--verbose"),
            "64 Error: --quiet and --verbose exclude each other.")
        same(
            try mistake("boot", "out", "--engine", "xen"),
            "64 Error: --engine takes auto, firecracker, kvm, tcg, not 'xen'.")
        same(try mistake("boot", "out"), "2 error: there is no image \(workspace.path("out"))")
    }

    @Test func `help and version`() throws {
        let program = Program(directory: "/")
        #expect(try program.run(["--version"]) == .init(status: 0, stdout: "0.1.0\n", stderr: ""))
        let exits = "Exit status: 0 done; 1 it worked and the answer is no"
        for words in [
            [], ["build"], ["lock"], ["inspect"], ["inspect", "cat"], ["inject"], ["boot"], ["kernel", "extract"],
            ["schema"],
        ] {
            let help = try program.run(words + ["--help"])
            #expect(help.status == 0)
            #expect(help.stdout.replacing("\n", with: " ").contains(exits), "\(words)")
        }
    }
}
