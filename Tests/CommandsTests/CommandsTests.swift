import Foundation
import Testing

@Suite struct HelpTests {
    static let commands = [
        [], ["build"], ["lock"], ["explain"], ["inspect"], ["inspect", "show"], ["inspect", "list"],
        ["inspect", "cat"],
        ["inspect", "extract"],
        ["inject"], ["diff"], ["log"], ["bisect"], ["check"], ["verify"], ["reproduce"],
        ["boot"], ["nightly"], ["autopsy"], ["cache"], ["cache", "list"], ["cache", "verify"], ["cache", "gc"],
        ["cache", "clear"],
        ["kernel"],
        ["kernel", "extract"], ["schema"], ["licenses"], ["sbom"], ["provenance"],
        ["sign"], ["matrix"],
    ]

    @Test(arguments: commands) func helpIsAsItWasReadAndSaysTheExitStatuses(command: [String]) throws {
        let run = try rootfsBuild(command + ["--help"])
        #expect(run.status == 0)
        #expect(run.errors == "")
        let words = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(
            words.contains(
                "Exit status: 0 done; 1 it worked and the answer is no (a failed boot, a damaged store); 2 failure; "
                    + "64 wrong command line; 130 interrupted."))
        let name = command.isEmpty ? "rootfs-build" : command.joined(separator: "-")
        try expectGolden(run.output, "\(name).txt")
    }

    @Test func everySubcommandHasAGoldenFile() throws {
        func subcommands(of command: [String]) throws -> [[String]] {
            let lines = try rootfsBuild(command + ["--help"]).output.split(separator: "\n")
            guard let start = lines.firstIndex(of: "SUBCOMMANDS:") else { return [] }
            return try lines[(start + 1)...].compactMap { line -> [String]? in
                guard line.hasPrefix("  "), !line.hasPrefix("   "), let name = line.split(separator: " ").first,
                    name.first?.isLowercase == true
                else { return nil }
                return command + [String(name)]
            }.flatMap { [$0] + (try subcommands(of: $0)) }
        }
        #expect(Set(try subcommands(of: [])).union([[]]) == Set(Self.commands))
    }

    @Test func theRootsHelpNamesEveryOptionOfABuild() throws {
        let root = try rootfsBuild(["--help"]).output
        let options = try rootfsBuild(["build", "--help"]).output.split(whereSeparator: { " ,\n[]".contains($0) })
            .filter { $0.hasPrefix("--") }
        #expect(options.count > 8)
        for option in options { #expect(root.contains(option), "\(option)") }
    }

    @Test func theVersionIsOneLine() throws {
        let run = try rootfsBuild(["--version"])
        #expect(run.status == 0)
        #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
        #expect(run.errors == "")
    }
}

@Suite struct UsageTests {
    static let processors = """
        x86-64, x86-64-v1, x86-64-v2, x86-64-v3, x86-64-v4, C3, T2, T2S, T2CL, T2A, qemu64, kvm64, core2duo, Conroe, \
        Penryn, Nehalem, Westmere, SandyBridge, IvyBridge, Opteron_G4, Opteron_G5, Haswell, Broadwell, Skylake-Client, \
        EPYC, EPYC-Rome, EPYC-Milan, Skylake-Server, Cascadelake-Server, Icelake-Server, SapphireRapids, EPYC-Genoa, \
        host, max, V1N1
        """

    @Test(arguments: [
        ([], "Error: Name at least one recipe: rootfs-build <recipe> ..."),
        (
            ["a.manifest", "b.manifest", "-o", "x"],
            "Error: -o takes one recipe: the outputs of several would share one directory."
        ),
        (["--jobs", "0", "a.manifest"], "Error: --jobs takes a number from 1 to 1024."),
        (["--jobs", "many", "a.manifest"], "Error: The value 'many' is invalid for '--jobs <n>'"),
        (["--set", "fps", "a.manifest"], "Error: --set takes name=value, not 'fps'."),
        (
            ["--keep", "ssh-hostkeys", "a.manifest"],
            "Error: There is no rule 'ssh-hostkeys' of normalising; did you mean 'ssh-host-keys'?"
        ),
        (["explain", "--keep", "x", "a.manifest"], "Error: There is no rule 'x' of normalising; --help lists them."),
        (["--quiet", "--verbose", "a.manifest"], "Error: --quiet and --verbose exclude each other."),
        (["--ofline", "a.manifest"], "Error: Unknown option '--ofline'. Did you mean '--offline'?"),
        (["boot", "--engine", "xen", "out/x"], "Error: --engine takes auto, firecracker, kvm, tcg, not 'xen'."),
        (["diff", "a.ext4"], "Error: Missing expected argument '<new>'"),
        (
            ["diff", "a", "b", "--only", "noise"],
            "Error: --only takes packages, files, services, security, kernel, not 'noise'."
        ),
        (["diff", "a", "b", "--stat", "--patch"], "Error: --stat and --patch exclude each other."),
        (["inspect", "cat", "a.ext4"], "Error: Missing expected argument '<path>'"),
        (["inject", "a.ext4", "-o", "b.ext4"], "Error: Missing expected argument '--overlay <directory> ...'"),
        (
            ["check", "a.ext4", "--cpu", "x86-64-v9"],
            "Error: There is no processor 'x86-64-v9'; did you mean 'x86-64-v1'? --cpu takes \(processors)."
        ),
        (["check", "a.ext4", "--cpu", "zen"], "Error: There is no processor 'zen'. --cpu takes \(processors)."),
        (["kernel", "extract", "bzImage"], "Error: Missing expected argument '--output <vmlinux>'"),
    ])
    func aWrongCommandLineEndsWith64AndSaysWhatIsWrong(arguments: [String], message: String) throws {
        let run = try rootfsBuild(arguments)
        #expect(run.status == 64)
        #expect(run.output == "")
        #expect(run.errors.split(separator: "\n").first.map(String.init) == message)
    }

    @Test(arguments: ["x86-64-v3", "t2", "T2CL", "haswell", "host"])
    func aKnownProcessorIsTakenInAnyCase(name: String) throws {
        let run = try rootfsBuild(["check", "missing.ext4", "--cpu", name])
        #expect(run.status == 2)
        #expect(run.errors.contains("there is no image"))
    }

    @Test func aMissingRecipeIsAFailureNotAWrongCommandLine() throws {
        let run = try rootfsBuild(["missing.manifest"])
        #expect(run.status == 2)
        #expect(run.output == "")
        #expect(run.errors.hasPrefix("error: "))
        let json = try rootfsBuild(["missing.manifest", "--json"])
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let errors = try #require(object["errors"] as? [[String: Any]])
        #expect(json.status == 2)
        #expect(errors.count == 1)
    }
}

@Suite struct SchemaTests {
    @Test func theSchemaIsTheGoldenOneAndIsJSON() throws {
        let run = try rootfsBuild(["schema"])
        #expect(run.status == 0)
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        #expect(object?["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
        let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "RecipesTests/Golden/recipe.schema.json")
        #expect(run.output == String(decoding: try Data(contentsOf: golden), as: UTF8.self))
    }
}
