internal import Debian
internal import Dpkg
internal import RootfsModel

/// What a layer is made of: all that can change its bytes and nothing else, so that the store has it under their
/// digest.
///
/// The lock says it, and the layer's own scripts: the packages' contents, the order in which they are configured among
/// them, are in their digests. The layer's own name, the recipe's and its other keys, the mirrors and the number of jobs
/// are not there.
struct LayerKey: Sendable {
    /// The layer's name, for messages.
    var name: String
    /// What its scripts take for the present, and the latest time of what they make.
    let moment: Timestamp
    var inputs: [Input]
    let scripts: [LayerScript]
    /// Names it in the store.
    var digest: Digest

    /// As the build's stage is called.
    var stage: String { "layer \(name)" }

    /// Fixed, so that a recipe's own name does not make its layers stale.
    static let hostname = "localhost"

    init(
        name: String, packages: [Lock.Package], below: LayerKey?, architecture: String, moment: Timestamp,
        scripts: [LayerScript]
    ) {
        self.name = name
        self.moment = moment
        self.scripts = scripts
        inputs = [
            Input("the layer below", below?.digest.description ?? "none"),
            Input("format of layers", String(MaintainerScripts.layerFormat)), Input("architecture", architecture),
            Input("moment", String(moment.seconds)), Input("host name", Self.hostname),
        ]
        // The moment, which is in the environment too, is a reason of its own.
        inputs += MaintainerScripts.environment(moment: moment).filter { $0.0 != "SOURCE_DATE_EPOCH" }
            .map { Input("environment \($0.0)", $0.1) }
        inputs += packages.map { Input("package \($0.name) (\($0.architecture))", "\($0.version) \($0.sha256)") }
        // Numbered, for the same one may run twice.
        inputs += scripts.enumerated().map {
            Input("script \($0 + 1) \($1.name)", Digest(hashing: $1.bytes).description)
        }
        digest = inputs.digest
    }

    /// The layers of a lock from the bottom up: the base, then those that the recipe asks for in its order. The scripts
    /// are each layer's by its name.
    static func all(of lock: Lock, scripts: [String: [LayerScript]]) -> [LayerKey] {
        var keys = [LayerKey]()
        for layer in lock.layers {
            keys.append(
                LayerKey(
                    name: layer.name, packages: layer.packages, below: keys.last, architecture: lock.architecture,
                    moment: Timestamp(seconds: lock.moment(ofLayer: layer.name)), scripts: scripts[layer.name] ?? []))
        }
        return keys
    }
}
