internal import RootfsModel

/// What scripts made gets the time of what it was made from, as far as that shows: of the newest of the packages' files
/// in its directory, else in the nearest directory above that has any, else of `usr/lib/os-release`. A directory in
/// which the build changed something has that time itself, so nothing in it that was made is older than it, which caches
/// are asked for. The font directories stay as they are: their times are in fontconfig's caches.
struct BuildTimes: NormalizationRule {
    let id = "build-times"
    let reason = "the time at which a layer was made, in which thousands of paths would differ after every update"

    /// Those at which layers were made, besides the lock's.
    var layerMoments: Set<Timestamp> = []

    private static let fonts: [TreePath] = ["usr/share/fonts", "usr/local/share/fonts"]

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let moments = layerMoments.union([moment])
        func isMade(_ node: FileNode) -> Bool {
            moments.contains(node.metadata.mtime) && !Self.fonts.contains { node.path.isWithin($0) }
        }
        guard let release = tree.resolvedNode("usr/lib/os-release")?.metadata.mtime, !moments.contains(release) else {
            return TreeChange()
        }
        // The newest of the packages' files in each directory.
        var newest = [TreePath: Timestamp]()
        for node in tree.nodes where !node.isDirectory && !moments.contains(node.metadata.mtime) {
            guard node.metadata.mtime < moment, let parent = node.path.parent else { continue }
            newest[parent] = max(newest[parent] ?? node.metadata.mtime, node.metadata.mtime)
        }
        // What is made in each directory gets this; directories come before what is in them.
        var times = [TreePath: Timestamp]()
        var linked = [UInt32: Timestamp]()
        var puts = [FileNode]()
        for var node in tree.nodes {
            let above = node.path.parent.flatMap { times[$0] } ?? release
            let own = node.isDirectory && !isMade(node) ? node.metadata.mtime : nil
            let time = node.isDirectory ? [newest[node.path], own].compactMap(\.self).max() ?? above : above
            if node.isDirectory { times[node.path] = time }
            if isMade(node) {
                // All names of a file have one time.
                node.metadata.mtime = node.linkGroup == 0 ? time : linked[node.linkGroup] ?? time
                linked[node.linkGroup] = node.metadata.mtime
                puts.append(node)
            }
        }
        return TreeChange(puts: puts)
    }
}
