internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// fontconfig's caches, made once when all scripts have run.
///
/// During configuring fc-cache is neutralized, because once is enough. After that it need not sleep either, which it
/// does for two seconds so that later changes have later times: here times are set. With SOURCE_DATE_EPOCH it stamps
/// its caches with the moment, finds that the directories have another time and deletes them again. So the font
/// directories get the moment as their time first.
struct FontCache {
    static let program = "/usr/bin/fc-cache"
    private static let directories: [TreePath] = ["usr/share/fonts", "usr/local/share/fonts"]

    var request: LayerRequest
    var placement: Placement
    var root: LayerRoot
    /// The tree below the upper directory.
    var below: FileTree

    func build(
        in sandbox: Sandbox, output: (String) -> Void, progress: (LayerStep) -> Void, onFailure: (Sandbox) -> Void
    ) throws {
        guard try isNeeded() else { return }
        progress(.fontCache)
        var directory = try root.open(below: below)
        for node in below.nodes where isFontDirectory(node) && node.metadata.mtime != request.moment {
            try directory.setTime(ofDirectory: node.path, request.moment)
        }
        for node in try scanDirectory(root.upper, digesting: false).nodes where isFontDirectory(node) {
            try directory.setTime(ofDirectory: node.path, request.moment)
        }
        var sandbox = sandbox
        sandbox.neutralized = []
        sandbox.ignoresSleep = true
        let command = Command(
            arguments: [Self.program, "-s", "-f"], environment: MaintainerScripts.environment(moment: request.moment))
        let outcome = try sandbox.run(command) { output(String(decoding: $0, as: UTF8.self)) }
        progress(.ran(cpu: outcome.cpu))
        guard outcome.succeeded else {
            onFailure(sandbox)
            throw Failure(
                "fc-cache failed: \(outcome.status)", notes: outcome.lastLines(DpkgLog.lineLimit),
                hint: "--shell-on-failure opens a shell in the tree at this point")
        }
    }

    /// Whether this layer brings fonts or fontconfig to a tree that has fontconfig.
    private func isNeeded() throws -> Bool {
        let program: TreePath = "usr/bin/fc-cache"
        let change = placement.change.puts
        if below[program] == nil, !exists(hostPath(root.upper.string, program)) { return false }
        return !placement.guarded.isEmpty
            || change.contains { node in
                node.path == program || Self.directories.contains { node.path.isWithin($0) }
            }
    }

    private func isFontDirectory(_ node: FileNode) -> Bool {
        node.isDirectory && Self.directories.contains { node.path.isWithin($0) }
    }
}
