internal import RootfsModel

// The keys of a service's limits and of the supervisor.

extension ValueFormat where Value == Recipe.Resources {
    static let resources = Self.record(
        "resources",
        keys: [
            RecipeKey("memory", \.memory, .size, "of all its processes together, at least 1MiB"),
            RecipeKey("files", \.files, .number(16...1_048_576), "open files of a process; default 65536"),
            RecipeKey("tasks", \.tasks, .number(1...4_194_304), "processes and threads"),
        ],
        initial: { Recipe.Resources() },
        finish: { resources, node, reader in
            guard let memory = resources.memory, let place = node.value("memory")?.place else { return }
            if memory.bytes < 1 << 20 {
                reader.report("no program runs in \(memory) of memory", at: place, hint: "write for example `64MiB`")
            }
        })
}

extension ValueFormat where Value == Recipe.Supervisor {
    static let supervisor = Self.record(
        "the supervisor",
        keys: [
            RecipeKey(
                "trim", \.trim, .trim, "what a microVM has no use for is not started: all, none or these; default true"),
            RecipeKey(
                "log", \.log, PathFormat.imagePath("the log").located(),
                "the file that keeps what the services print; default /var/log/app.log"),
        ],
        initial: { Recipe.Supervisor() },
        finish: { supervisor, node, reader in
            guard let place = node.value("log")?.place else { return }
            if supervisor.log.value.description.utf8.contains(where: { $0 <= 32 || $0 == 127 }) {
                reader.report("the log's path has a space or a control character", at: place)
            }
        })
}

extension ValueFormat where Value == [Recipe.TrimStep] {
    /// `true` for all steps, `false` for none, or a list of them, whose order and repetitions mean nothing.
    static let trim: Self = {
        let list = ValueFormat<Recipe.TrimStep>.choice("step of trimming").list(of: "steps of trimming")
        let truth = ValueFormat<Bool>.truth
        return Self(
            schema: .anyOf([truth.schema, list.schema]),
            read: { node, reader in
                if node.isList {
                    return list.read(node, &reader).map { named in Recipe.TrimStep.allCases.filter(named.contains) }
                }
                return truth.read(node, &reader).map { $0 ? Recipe.TrimStep.allCases : [] }
            },
            write: { steps in
                if steps.isEmpty || steps == Recipe.TrimStep.allCases { return truth.write(!steps.isEmpty) }
                return list.write(steps)
            })
    }()
}
