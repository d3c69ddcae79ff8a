import Recipes
import RootfsModel

// Parts of recipes, as the tests write them.

func plain(
    users: [Recipe.User] = [], files: [Recipe.SmallFile] = [], services: [Recipe.Service] = [], remove: [String] = [],
    node: Recipe.NodeArchive? = nil
) -> Recipe {
    var recipe = Recipe()
    recipe.hostname = Located("box")
    recipe.users = users
    recipe.files = files
    recipe.services = services
    recipe.remove = remove.map { Located($0) }
    recipe.node = node.map { .archive($0) }
    return recipe
}

func user(
    _ name: String, uid: UInt32? = nil, home: TreePath? = nil, groups: [String] = [], shell: TreePath = "/bin/bash",
    at location: SourceLocation? = nil
) -> Recipe.User {
    var user = Recipe.User()
    user.name = Located(name, at: location)
    user.uid = uid.map { Located($0) }
    user.home = Located(home ?? (TreePath(normalizing: "/home/" + name) ?? .root))
    user.groups = groups.map { Located($0) }
    user.shell = Located(shell)
    return user
}

func smallFile(_ path: TreePath, _ content: String, mode: UInt16 = 0o644, owner: Recipe.Owner = .root)
    -> Recipe.SmallFile
{
    var file = Recipe.SmallFile(path: Located(path))
    file.content = content
    file.mode = mode
    file.owner = Located(owner)
    return file
}

func overlay(
    _ source: String = "overlays/x", target: TreePath = "/", owner: Recipe.Owner = .root,
    modes: [(pattern: String, mode: UInt16)] = [], templates: [String] = []
) -> Recipe.Overlay {
    var overlay = Recipe.Overlay()
    overlay.source = Located(source)
    overlay.target = Located(target)
    overlay.owner = Located(owner)
    overlay.modes = modes.map { Recipe.ModeRule(pattern: Located($0.pattern), mode: $0.mode) }
    overlay.templates = templates.map { Located($0) }
    return overlay
}

func service(
    _ name: String, _ command: [String], user: String = "root", after: [String] = [],
    environment: [(name: String, value: String)] = [], restart: Recipe.Restart = Recipe.Restart(),
    ready: Recipe.ReadinessProbe? = nil, within: Duration = .seconds(30), commandAt location: SourceLocation? = nil
) -> Recipe.Service {
    var service = Recipe.Service(name: Located(name))
    service.command = command.map { Located($0, at: location) }
    service.user = Located(user)
    service.after = after.map { Located($0) }
    service.environment = environment.map { Recipe.EnvironmentVariable(name: $0.name, value: $0.value) }
    service.restart = restart
    if let ready {
        service.ready = Recipe.Readiness(probe: Located(ready))
        service.ready?.within = within
    }
    return service
}

func restart(
    _ policy: Recipe.RestartPolicy = .always, backoff: ClosedRange<Duration>, limit: Int, in window: Duration
) -> Recipe.Restart {
    var restart = Recipe.Restart()
    restart.policy = policy
    restart.backoff = Recipe.Backoff(first: backoff.lowerBound, longest: backoff.upperBound)
    restart.limit = Recipe.RestartLimit(count: limit, window: window)
    return restart
}
