import Provisioning
import Recipes
import RootfsModel
import Testing

private func lay(
    _ nodes: [FileNode], _ options: Recipe.Overlay = overlay(), over tree: FileTree? = nil,
    variables: Variables = Variables()
) throws -> (tree: FileTree, warnings: [String]) {
    var warnings = [String]()
    let result = try applyOverlay(
        try FileTree(nodes), options, to: try tree ?? baseTree(), variables: variables, moment: moment,
        warnings: &warnings, read: bytes)
    return (result, warnings)
}

@Suite struct OverlayTests {
    @Test func theHostsOwnersModesTimesLinksAndAttributesDoNotCount() throws {
        func folder(umask: UInt16, uid: UInt32) -> [FileNode] {
            var nodes = [
                directory("opt", mode: 0o777 & ~umask, uid: uid), file("opt/run", "x", mode: 0o777 & ~umask, group: 1),
                file("opt/data", "y", mode: 0o666 & ~umask, group: 2),
                file("opt/same", "y", mode: 0o666 & ~umask, group: 2),
                file("opt/.gitkeep", "", mode: 0o600), link("opt/link", "run"),
            ]
            for index in nodes.indices {
                nodes[index].metadata.uid = uid
                nodes[index].metadata.xattrs = [ExtendedAttribute(name: "user.x", value: [1])]
            }
            return nodes
        }
        let one = try lay(folder(umask: 0o022, uid: 1000)).tree
        let other = try lay(folder(umask: 0o077, uid: 0)).tree
        #expect(one == other)
        #expect(one["opt/run"]?.metadata == Metadata(mode: 0o755, mtime: moment))
        #expect(one["opt/data"]?.metadata == Metadata(mode: 0o644, mtime: moment))
        #expect(one["opt/data"]?.linkGroup == 0)
        #expect(one["opt/link"]?.metadata == Metadata(mode: 0o777, mtime: moment))
        #expect(one["opt/.gitkeep"] == nil)
    }

    @Test func directoriesOfTheImageKeepOwnerAndModeUnlessAPatternIsForThem() throws {
        let base = try baseTree([directory("tmp", mode: 0o1777), directory("root", mode: 0o700)])
        let nodes = [file("tmp/x", ""), file("root/y", ""), file("new/deep/z", "")]
        let options = overlay(
            "o", owner: Recipe.Owner(user: .name("daemon"), group: .number(1)),
            modes: [("root/", 0o711), ("new/*/", 0o750)])
        let tree = try lay(nodes, options, over: base).tree
        #expect(tree["tmp"] == base["tmp"])
        #expect(tree["root"]?.metadata.mode == 0o711)
        #expect(tree["new"]?.metadata == Metadata(mode: 0o755, uid: 1, gid: 1, mtime: moment))
        #expect(tree["new/deep"]?.metadata == Metadata(mode: 0o750, uid: 1, gid: 1, mtime: moment))
    }

    @Test func modesComeFromTheLastPatternThatMatchesAndIdlePatternsAreReported() throws {
        let options = overlay(
            "o", target: "/opt/app",
            modes: [("*.sh", 0o755), ("bin/*", 0o4755), ("*.sh", 0o700), ("*.py", 0o755), ("sub/", 0o700)],
            templates: ["*.conf"])
        let (tree, warnings) = try lay([file("a.sh", ""), file("bin/tool", ""), file("lib/bin/tool", "")], options)
        #expect(tree["opt/app/a.sh"]?.metadata.mode == 0o700)
        #expect(tree["opt/app/bin/tool"]?.metadata.mode == 0o4755)
        #expect(tree["opt/app/lib/bin/tool"]?.metadata.mode == 0o644)
        #expect(
            warnings == ["*.py", "sub/", "*.conf"].map { "overlay o: the pattern \($0) matches none of its files" })
    }

    @Test func filesGoWhereDirectoryLinksLead() throws {
        let tree = try lay([file("bin/tool", "t", mode: 0o755), directory("lib"), file("lib/x", "x")]).tree
        #expect(try text("usr/bin/tool", in: tree) == "t")
        #expect(try text("usr/lib/x", in: tree) == "x")
        #expect(tree["lib"]?.linkTarget != nil)
    }

    @Test func namesThatAreNoUTF8ComeThrough() throws {
        let name = try #require(TreePath(normalizing: [0x6F, 0x70, 0x74, 0x2F, 0xFF, 0x0A]))
        let tree = try lay([file(name, "x")], overlay("o", templates: ["*"])).tree
        #expect(try text(name, in: tree) == "x")
    }

    @Test func ownersAreTheImagesOwn() throws {
        let nodes = [file("opt/x", "")]
        let base = try baseTree().applying(
            TreeChange(puts: [file("etc/group", "root:x:0:\ndaemon:x:1:\nvideo:x:44:\n")]))
        func numbers(_ owner: String) throws -> [UInt32] {
            let result = try lay(nodes, overlay("o", owner: try Recipe.Owner(owner)), over: base)
            let metadata = try #require(result.tree["opt/x"]).metadata
            return [metadata.uid, metadata.gid]
        }
        #expect(try numbers("daemon") == [1, 1])
        #expect(try numbers("daemon:video") == [1, 44])
        #expect(try numbers("4000:5000") == [4000, 5000])
        #expect(
            complaint { _ = try numbers("deamon") }
                == "error: o is to be owned by the user 'deamon', which the image does not have\nhint: did you mean daemon?"
                .replacing("error: o", with: "error: overlay o"))
        #expect(
            complaint { _ = try numbers("root:viedo") }
                == "error: overlay o is to be owned by the group 'viedo', which the image does not have\nhint: did you mean video?"
        )
        #expect(try numbers("1000") == [1000, 1000])
    }

    @Test func nothingOfTheImageGoesByAccident() throws {
        #expect(
            complaint { _ = try lay([file("usr/bin", "x"), directory("etc/passwd"), link("etc/skel", "/dev")]) } == """
                error: overlay overlays/x has a directory where the image has a file: /etc/passwd
                hint: take it out of the image first, with remove:, or give what is laid over it another name
                error: overlay overlays/x has a symbolic link to /dev where the image has a directory: /etc/skel
                hint: take it out of the image first, with remove:, or give what is laid over it another name
                error: overlay overlays/x has a file where the image has a directory: /usr/bin
                hint: take it out of the image first, with remove:, or give what is laid over it another name
                """)
        #expect(
            complaint { _ = try lay([file("bin/x", ""), file("usr/bin/x", "")]) }
                == "error: overlay overlays/x has /usr/bin/x twice, under names that lead to the same place")
        #expect(
            complaint { _ = try lay([file("x", "")], overlay("o", target: "/etc/passwd")) }
                .hasPrefix("error: overlay o has a directory where the image has a file: /etc/passwd"))
        #expect(
            complaint { _ = try lay([FileNode(path: "s", kind: .socket, metadata: Metadata(mode: 0o755))]) }
                == "error: overlay overlays/x holds a socket, which cannot be laid over an image: /s")
    }
}

@Suite struct TemplateTests {
    private func fill(_ content: String, _ variables: [(String, String)] = [("fps", "30"), ("page", "é")]) throws
        -> String
    {
        let tree = try lay(
            [file("etc/a.conf", content)], overlay(templates: ["*.conf"]),
            variables: Variables(variables)
        ).tree
        return try text("etc/a.conf", in: tree)
    }

    @Test func variablesAreReplacedAndOtherDollarsStay() throws {
        #expect(try fill("a=${fps} b=${page}${fps}\n$HOME $$ $${fps} 100$") == "a=30 b=é30\n$HOME $$ ${fps} 100$")
        #expect(try fill("${fps}", [("fps", "${fps} $${x}")]) == "${fps} $${x}")
        #expect(try fill("") == "")
    }

    @Test func everyMistakeHasItsPlaceInTheFile() {
        #expect(
            complaint { _ = try fill("x=1\r\nfps=${fsp} ${HOME:-/x}\né${open\n") } == """
                overlays/x/etc/a.conf:2:5: error: no variable is named 'fsp'
                 2 | fps=${fsp} ${HOME:-/x}
                   |     ^^^^^^
                hint: did you mean fps? write $${ for the characters themselves
                overlays/x/etc/a.conf:2:12: error: no variable is named 'HOME:-/x'
                 2 | fps=${fsp} ${HOME:-/x}
                   |            ^^^^^^^^^^^
                hint: define it under variables:. write $${ for the characters themselves
                overlays/x/etc/a.conf:3:2: error: '${' without its '}'
                 3 | é${open
                   |  ^^
                hint: write $${ for the characters themselves
                """)
    }

    @Test func aTemplateMustBeText() {
        #expect(
            complaint { _ = try fill("a\0b") }
                == "error: overlays/x/etc/a.conf is a template, but no text: it is not UTF-8, or holds a NUL")
    }
}

@Suite struct NodeReleaseTests {
    private func lay(_ nodes: [FileNode], into: TreePath = "/usr/local") throws -> FileTree {
        var archive = Recipe.NodeArchive()
        archive.file = Located("vendor/node.tar.xz")
        archive.into = Located(into)
        return try provisioned(plain(node: archive), node: (archive, try FileTree(nodes))).tree
    }

    @Test func theReleaseLosesItsFirstDirectoryAndItsOwner() throws {
        var nodes = [
            directory("node-v22", mode: 0o775, uid: 1000), directory("node-v22/bin", mode: 0o775, uid: 1000),
            file("node-v22/bin/node", "elf", mode: 0o4775), link("node-v22/bin/npm", "../lib/npm.js"),
            file("node-v22/lib/npm.js", "js", mode: 0o664),
        ]
        for index in nodes.indices { nodes[index].metadata.uid = 1000 }
        let tree = try lay(nodes)
        #expect(tree["usr/local/bin/node"]?.metadata == Metadata(mode: 0o755, mtime: moment))
        #expect(tree["usr/local/lib/npm.js"]?.metadata == Metadata(mode: 0o644, mtime: moment))
        #expect(tree["usr/local/bin/npm"]?.linkTarget == Array("../lib/npm.js".utf8))
        #expect(tree["usr/local/node-v22"] == nil)
    }

    @Test func aReleaseWithoutItsFirstDirectoryIsOneToo() throws {
        #expect(try lay([file("bin/node", "elf", mode: 0o755)], into: "/opt/node")["opt/node/bin/node"] != nil)
    }

    @Test func whatIsNoReleaseIsRefused() {
        #expect(
            complaint { _ = try lay([file("node-v22/configure", "", mode: 0o755), file("node-v22/src/node.cc", "")]) }
                == """
                error: vendor/node.tar.xz is no Node release: it has no bin/node
                  it begins with: node-v22
                hint: take node-vX.Y.Z-linux-ARCH.tar.xz, not the source or headers
                """)
        #expect(
            complaint { _ = try lay([file("n/bin/node", "elf", mode: 0o644)]) }
                == "error: vendor/node.tar.xz is no Node release: its bin/node is not executable")
        #expect(
            complaint {
                _ = try lay([
                    file("n/bin/node", "elf", mode: 0o755),
                    FileNode(
                        path: "n/tty", kind: .characterDevice(major: 5, minor: 0), metadata: Metadata(mode: 0o666)),
                ])
            } == "error: vendor/node.tar.xz holds a device node, which no Node release does: /n/tty")
    }
}
