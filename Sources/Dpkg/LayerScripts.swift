internal import RootfsModel
internal import Sandboxing

/// A program of the recipe's, run in a layer when all its packages are configured.
public struct LayerScript: Hashable, Sendable {
    /// As the recipe names it.
    public var name: String
    public var bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Runs a layer's own scripts, as root of the tree, without network and with what maintainer scripts have around them.
struct LayerScripts {
    var request: LayerRequest
    var root: LayerRoot
    /// The tree below the upper directory.
    var below: FileTree

    func run(
        in sandbox: Sandbox, output: (String) -> Void, progress: (LayerStep) -> Void, onFailure: (Sandbox) -> Void
    ) throws {
        var sandbox = sandbox
        sandbox.neutralized = []
        let folder = MaintainerScripts.controlDirectory
        let path = folder.appending("script".utf8)
        for script in request.scripts {
            progress(.script(name: script.name))
            var directory = try root.open(below: below)
            // A script that writes times down sees those that the image will have.
            try directory.clampTimes(to: request.moment)
            try directory.makeDirectory(folder, Metadata(mode: 0o755, mtime: request.moment))
            try directory.write(script.bytes, to: path, Metadata(mode: 0o755, mtime: request.moment))
            let command = Command(
                arguments: ["/\(String(decoding: path.bytes, as: UTF8.self))"],
                environment: MaintainerScripts.environment(moment: request.moment))
            let outcome = try sandbox.run(command) { output(String(decoding: $0, as: UTF8.self)) }
            progress(.ran(cpu: outcome.cpu))
            guard outcome.succeeded else {
                onFailure(sandbox)
                throw Failure(
                    "\(script.name) failed: \(outcome.status)", notes: outcome.lastLines(DpkgLog.lineLimit),
                    hint: "--shell-on-failure opens a shell in the tree at this point")
            }
            var cleared = try root.open(below: below)
            try cleared.removeDirectory(folder)
        }
    }
}
