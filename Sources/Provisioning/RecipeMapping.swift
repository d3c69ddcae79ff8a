public import Recipes
public import RootfsModel

// From the recipe's words to this module's.

extension ProvisioningSpecification {
    /// What a recipe says of everything but packages, kernel and image.
    public init(_ recipe: Recipe) {
        self.init(
            users: recipe.users.map(UserSpecification.init),
            identity: IdentitySpecification(
                hostname: Placed(recipe.hostname.value, at: recipe.hostname.location),
                timezone: Placed(recipe.timezone.value, at: recipe.timezone.location),
                locale: Placed(recipe.locale.value, at: recipe.locale.location)),
            files: recipe.files.map(FileSpecification.init),
            services: recipe.services.map(ServiceSpecification.init),
            remove: recipe.remove.map { Placed($0.value, at: $0.location) },
            variables: Dictionary(
                recipe.variables.all.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first }))
    }
}

extension UserSpecification {
    init(_ user: Recipe.User) {
        self.init(
            name: user.name.value, uid: user.uid?.value, home: user.home.value.description,
            groups: user.groups.map(\.value), shell: user.shell.value.description, location: user.name.location)
    }
}

extension FileSpecification {
    init(_ file: Recipe.SmallFile) {
        self.init(
            path: file.path.value.description, text: file.content, mode: file.mode,
            owner: file.owner.value.description, location: file.path.location)
    }
}

extension OverlayOptions {
    /// How the recipe wants this folder laid over the tree.
    public init(_ overlay: Recipe.Overlay) {
        self.init(
            name: overlay.source.value, target: overlay.target.value.description,
            owner: overlay.owner.value.description, modes: overlay.modes.map { ($0.pattern.value, $0.mode) },
            templates: overlay.templates.map(\.value), location: overlay.source.location)
    }
}

extension NodeArchive {
    /// The recipe's Node release, with the tar's tree.
    public init(_ archive: Recipe.NodeArchive, tree: FileTree) {
        self.init(
            name: archive.file.value, tree: tree, into: archive.into.value.description,
            location: archive.file.location)
    }
}

extension ServiceSpecification {
    init(_ service: Recipe.Service) {
        let restart = service.restart
        let policy: RestartPolicy =
            switch restart.policy {
            case .always: .always
            case .onFailure: .onFailure
            case .never: .never
            }
        let ready: ReadyCheck? = service.ready.map { readiness in
            switch readiness.probe.value {
            case .http(let url): .http(url)
            case .tcp(let host, let port): .tcp(host: host, port: port)
            case .file(let path): .file(path.description)
            case .unix(let path): .unix(path.description)
            }
        }
        self.init(
            name: service.name.value, command: service.command.map(\.value),
            user: service.user.value == "root" ? nil : service.user.value, after: service.after.map(\.value),
            environment: service.environment.map { ($0.name, $0.value) },
            restart: RestartSpecification(
                policy: policy, least: milliseconds(restart.backoff.first), most: milliseconds(restart.backoff.longest),
                count: restart.limit.count, interval: milliseconds(restart.limit.window)),
            ready: ready, within: service.ready.map { milliseconds($0.within) } ?? 30_000,
            location: service.name.location, commandLocation: service.command.first?.location)
    }
}

/// Whole milliseconds, rounded up; a negative duration is none.
private func milliseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    let whole = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1000)
    let part = UInt64(clamping: attoseconds == 0 ? 0 : (attoseconds - 1) / 1_000_000_000_000_000 + 1)
    return whole.overflow ? UInt64(Int64.max) : whole.partialValue + part
}
