internal import RootfsModel

// The keys of services.

extension ValueFormat where Value == Recipe.Service {
    static let service = Self.record(
        "a service",
        keys: [
            RecipeKey(
                "command", \.command,
                TextFormat.text("an argument").located().list(of: "the program and its arguments").notEmpty(
                    "the program and its arguments"), required: true,
                "the program's absolute path and its arguments, as a list"),
            RecipeKey("user", \.user, TextFormat.account("a user").located(), "default root"),
            RecipeKey("group", \.group, TextFormat.account("a group").located(), "default: the user's own"),
            RecipeKey(
                "directory", \.directory, PathFormat.imagePath("the working directory", allowingRoot: true).located(),
                "where it starts; default /"),
            RecipeKey(
                "after", \.after, TextFormat.serviceOrUnit.located().list(of: "services"),
                "services that are ready before this one starts, or units of systemd's own by their full names, such as network.target"
            ),
            RecipeKey(
                "environment", \.environment,
                TextFormat.text().entries(
                    of: "names and values", sorted: true, key: .environmentName,
                    join: { Recipe.EnvironmentVariable(name: $0.value, value: $1) }, split: { ($0.name, $0.value) }),
                "environment variables"),
            RecipeKey("restart", \.restart, .restart, "what happens when it ends by itself"),
            RecipeKey("ready", \.ready, .readiness, "when it counts as ready; default: when started"),
            RecipeKey(
                "watchdog", \.watchdog, .positiveDuration,
                "for programs that speak sd_notify: within this time they say again that they are well"),
            RecipeKey("resources", \.resources, .resources, "the most that it may have"),
        ],
        initial: { Recipe.Service(name: Located("")) },
        finish: { _, node, reader in checkProgram(node.items("command").first, &reader) })
}

/// Reports a program that is named without its directory.
func checkProgram(_ program: RecipeNode?, _ reader: inout RecipeReader) {
    guard let program, let text = program.text, !program.isNull else { return }
    if !text.hasPrefix("/") || TreePath(normalizing: text)?.isRoot != false {
        let isShell = text.contains(" ")
        reader.report(
            "the program must be an absolute path, found `\(shortened(text))`", at: program.place,
            hint: isShell ? "write each argument as an item of its own" : "did you mean `/usr/bin/\(shortened(text))`?")
    }
}

extension ValueFormat where Value == [Recipe.Service] {
    static let services = ValueFormat<Recipe.Service>.service.entries(
        of: "services", key: .serviceName,
        join: { name, service in
            var service = service
            service.name = name
            return service
        }, split: { ($0.name.value, $0) })
}

extension ValueFormat where Value == Recipe.Restart {
    static let restart = Self.record(
        "restart",
        keys: [
            RecipeKey("policy", \.policy, .choice("restart policy"), "default always"),
            RecipeKey("backoff", \.backoff, .backoff, "the wait before a restart, doubled each time: 1s..30s"),
            RecipeKey("limit", \.limit, .restartLimit, "how many restarts in which time are too many: 5 in 60s"),
        ],
        initial: { Recipe.Restart() }
    ).orShort(
        ValueFormat<Recipe.RestartPolicy>.choice("restart policy").map(
            { policy in
                var restart = Recipe.Restart()
                restart.policy = policy
                return restart
            }, back: { $0.policy }))
}

extension ValueFormat where Value == Recipe.Backoff {
    static let backoff = parsed(
        "a back-off such as 1s..30s", write: { "\($0.first.recipeText)..\($0.longest.recipeText)" },
        parse: { text, reader, place in
            guard let dots = text.firstRange(of: "..") else {
                reader.report("`\(shortened(text))` is not a back-off", at: place, hint: "write for example `1s..30s`")
                return nil
            }
            var bounds = [Duration]()
            for part in [text[..<dots.lowerBound], text[dots.upperBound...]] {
                guard let bound = Duration(recipeText: part) else {
                    let mistake = durationMistake(String(part))
                    reader.report(mistake.message, at: place, hint: mistake.hint)
                    return nil
                }
                bounds.append(bound)
            }
            if bounds[0] > bounds[1] || bounds[0] == .zero {
                let problem = bounds[0] == .zero ? "begins with no wait at all" : "ends below where it begins"
                reader.report("the back-off `\(shortened(text))` \(problem)", at: place)
                return nil
            }
            return Recipe.Backoff(first: bounds[0], longest: bounds[1])
        })
}

extension ValueFormat where Value == Recipe.RestartLimit {
    static let restartLimit = parsed(
        "a limit such as 5 in 60s", write: { "\($0.count) in \($0.window.recipeText)" },
        parse: { text, reader, place in
            let words = text.split(separator: " ")
            guard words.count == 3, words[1] == "in", let count = decimal(words[0]) else {
                reader.report(
                    "`\(shortened(text))` is not a limit of restarts", at: place, hint: "write for example `5 in 60s`")
                return nil
            }
            guard (1...1000).contains(count) else {
                reader.report("\(count) restarts are out of range: 1 to 1000", at: place)
                return nil
            }
            guard let window = Duration(recipeText: words[2]), window > .zero else {
                let mistake = durationMistake(String(words[2]))
                reader.report(mistake.message, at: place, hint: mistake.hint)
                return nil
            }
            return Recipe.RestartLimit(count: count, window: window)
        })
}
