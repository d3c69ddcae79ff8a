import Recipes
import RootfsModel
import Testing

@Suite struct RecipesOnOtherRecipes {
    static let base = """
        recipe: 1
        name: base
        description: what all have
        variables: {port: 8080, who: base}
        archive: {suite: bookworm, mirror: "http://deb.example.org/debian", pockets: [security]}
        layers: [{name: system, packages: [systemd-sysv]}]
        kernel: {package: linux-image-cloud-amd64, arguments: [quiet]}
        remove: [/usr/share/doc/*]
        services:
          web: {command: [/usr/bin/node, "${port}"], user: agent, ready: {tcp: "${port}"}}
          old: {command: [/usr/bin/old]}
        image: {free: 512MiB}
        machine: {vcpus: 2}

        """
    static let over = """
        recipe: 1
        name: over
        from: base.manifest
        variables: {who: over}
        archive: {mirror: null}
        layers: [{name: more, packages: [dbus]}]
        kernel: {file: kernels/vmlinuz}
        remove: ["/usr/share/man/*"]
        services:
          web: {environment: {WHO: "${who} of ${name}"}, ready: {file: /run/web}}
          old: null
        image: {size: 4GiB}
        machine: {memory: 2GiB}

        """

    @Test func layersComeAfterMapsMergeAndTheRestIsReplaced() throws {
        let recipe = try load([("recipes/over.manifest", Self.over), ("base.manifest", Self.base)])
        #expect(recipe.name.value == "over")
        #expect(recipe.description == "what all have")
        #expect(recipe.layers.map(\.name.value) == ["system", "more"])
        #expect(recipe.layers[0].packages[0].location?.file == "base.manifest")
        #expect(recipe.layers[1].packages[0].location?.file == "recipes/over.manifest")
        #expect(recipe.archive.suite.value == "bookworm")
        #expect(recipe.archive.mirror == nil)
        #expect(recipe.archive.pockets.map(\.value) == [.security])
        #expect(recipe.remove.map(\.value) == ["/usr/share/man/*"])
        #expect(recipe.machine.vcpus == 2)
        #expect(recipe.machine.memory.bytes == 2 << 30)
        #expect(recipe.sources.map(\.path) == ["recipes/over.manifest", "base.manifest"])
    }

    @Test func aChoiceOfTheRecipeTakesTheBasesAway() throws {
        let recipe = try load([("recipes/over.manifest", Self.over), ("base.manifest", Self.base)])
        #expect(recipe.image.size.value == .total(ByteCount(bytes: 4 << 30)))
        guard case .file(let file)? = recipe.kernel?.source else { throw NoSuchFile() }
        #expect(file.value == "kernels/vmlinuz")
        #expect(recipe.kernel?.arguments.map(\.value) == ["quiet"])
        #expect(recipe.services[0].ready?.probe.value == .file("/run/web"))
    }

    @Test func servicesMergeByNameAndNullTakesOneAway() throws {
        let recipe = try load(
            [("recipes/over.manifest", Self.over), ("base.manifest", Self.base)],
            set: [("port", "80"), ("port", "9090")])
        #expect(recipe.services.map(\.name.value) == ["web"])
        #expect(recipe.services[0].command.map(\.value) == ["/usr/bin/node", "9090"])
        #expect(recipe.services[0].user.value == "agent")
        #expect(recipe.services[0].environment == [Recipe.EnvironmentVariable(name: "WHO", value: "over of over")])
        #expect(recipe.variables.names == ["name", "port", "who"])
    }

    @Test func aBaseIsFoundBesideTheRecipeToo() throws {
        let recipe = try load([("a/recipes/over.manifest", Self.over), ("a/recipes/base.manifest", Self.base)])
        #expect(recipe.root == "a")
        #expect(recipe.sources.map(\.path) == ["a/recipes/over.manifest", "a/recipes/base.manifest"])
    }

    @Test(arguments: [
        ("recipes/a.manifest", "."), ("a.manifest", "."), ("/srv/recipes/x/a.manifest", "/srv"),
        ("/srv/images/a.manifest", "/srv/images"), ("./recipes/a.manifest", "."), ("../recipes/a.manifest", ".."),
        ("/recipes/a.manifest", "/"), ("/a.manifest", "/"),
    ])
    func theRootFolderHoldsRecipes(_ path: String, _ root: String) {
        #expect(Recipe.rootFolder(ofRecipeAt: path) == root)
    }

    static func recipe(from: String) -> String { "recipe: 1\nname: a\nfrom: \(from)\n" }

    @Test func mistakesOfFilesAreShownWhole() throws {
        try expectGolden(
            mistakes([("recipes/a.manifest", Self.recipe(from: "b.manifest"))]) + "\n", "base-missing.txt")
        try expectGolden(
            mistakes([
                ("recipes/a.manifest", Self.recipe(from: "recipes/b.manifest")),
                ("recipes/b.manifest", Self.recipe(from: "./recipes/c.manifest")),
                ("recipes/c.manifest", Self.recipe(from: "recipes/../recipes/b.manifest")),
            ]) + "\n", "base-circle.txt")
        try expectGolden(
            mistakes([
                ("recipes/over.manifest", Self.over + "hostnam: x\n"),
                (
                    "base.manifest",
                    Self.base.replacing("[/usr/share/doc/*]", with: "[/a]\nusers: [{name: Agent}]").replacing(
                        "recipe: 1", with: "# no version")
                ),
            ]) + "\n", "base-mistakes.txt")
        try expectGolden(
            mistakes([("recipes/a.manifest", Self.recipe(from: "\"${name}.manifest\""))]) + "\n", "base-variable.txt")
        try expectGolden(
            mistakes([("recipes/over.manifest", Self.over), ("base.manifest", "- nothing\n")]) + "\n", "base-list.txt")
    }

    @Test func aLongChainEnds() {
        let files = (0..<40).map { ("recipes/\($0).manifest", Self.recipe(from: "recipes/\($0 + 1).manifest")) }
        #expect(mistakes(files).contains("error: more than 16 recipes on top of each other"))
    }

    @Test func valuesForUnknownVariablesAreMistakesOfTheCommandLine() throws {
        do throws(Failures) {
            _ = try load(
                [("recipes/over.manifest", Self.over), ("base.manifest", Self.base)],
                set: [("prot", "1"), ("name", "x")])
            Issue.record("accepted an unknown variable")
        } catch {
            #expect(error.all.map(\.status) == [.usage, .usage])
            #expect(
                error.description == """
                    error: `--set prot=…`: the recipe has no such variable
                    hint: did you mean `--set port=…`?
                    error: `--set name=…`: the variable `name` is the recipe's name
                    """)
        }
        #expect(
            mistakes(least, set: [("fps", "1")]) == """
                error: `--set fps=…`: the recipe has no such variable
                hint: the recipe has no variables
                """)
    }

    @Test func variablesStandInKeysNumbersAndOtherVariables() throws {
        let text =
            least + """
                variables: {cpus: 3, dir: "/opt/${name}", file: "${dir}/x", journal: true, price: "$5 $${free}"}
                machine: {vcpus: "${cpus}", memory: "${cpus}GiB"}
                image: {journal: "${journal}"}
                files: {"${file}": "$HOME ${price} $$"}
                services: {web: {command: [/bin/sh, -c, "echo $${PATH} ${dir}"], environment: {"N${cpus}": "${cpus}"}}}

                """
        let recipe = try load(text, set: [("cpus", "4")])
        #expect(recipe.machine.vcpus == 4)
        #expect(recipe.machine.memory.bytes == 4 << 30)
        #expect(recipe.image.journal)
        #expect(recipe.files.map(\.path.value) == ["/opt/small/x"])
        #expect(recipe.files[0].content == "$HOME $5 ${free} $$")
        #expect(recipe.services[0].command[2].value == "echo ${PATH} /opt/small")
        #expect(recipe.services[0].environment == [.init(name: "N4", value: "4")])
        #expect(try recipe.variables.expand("a ${dir} $${b}") == "a /opt/small ${b}")
        // A value of the command line is taken as it is.
        #expect(try load(text, set: [("price", "${cpus}")]).files[0].content == "$HOME ${cpus} $$")
    }
}
