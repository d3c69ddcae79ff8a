internal import Recipes
internal import RootfsModel

/// What the patterns take away, and the list of it. A directory that matches goes with all below it.
func change(
    removing patterns: [Located<String>], from tree: FileTree
) throws -> (TreeChange, [ProvisioningReport.Removal]) {
    var mistakes = [Failure]()
    var globs = [Glob]()
    for pattern in patterns {
        do throws(Failure) {
            globs.append(try removalGlob(pattern, in: tree))
        } catch {
            mistakes.append(error)
        }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }

    var removals = [TreePath]()
    var report = patterns.map { ProvisioningReport.Removal(pattern: $0.value, paths: [], bytes: 0) }
    // The pattern that takes a directory takes what is in it; -1 stays.
    var takenBy = [TreePath: Int]()
    for node in tree.nodes {
        guard let parent = node.path.parent else { continue }
        var taker = takenBy[parent]
        if taker == nil {
            let components = node.path.components
            if let index = globs.firstIndex(where: { $0.matches(components[...]) }) {
                taker = index
                removals.append(node.path)
            }
        }
        guard let taker else { continue }
        if node.isDirectory { takenBy[node.path] = taker }
        report[taker].paths.append(node.path)
        report[taker].bytes &+= node.blob?.size ?? 0
    }
    // A pattern whose paths another had taken already did match.
    for index in report.indices where report[index].paths.isEmpty {
        report[index].isCovered = tree.nodes.contains { !$0.path.isRoot && globs[index].matches($0.path) }
    }
    return (TreeChange(removals: removals), report)
}

private func removalGlob(_ pattern: Located<String>, in tree: FileTree) throws(Failure) -> Glob {
    guard pattern.value.utf8.first == UInt8(ascii: "/") else {
        throw Failure(
            "remove: \(quoted(pattern.value)) is no absolute path", at: pattern.location, hint: "begin it with a slash")
    }
    let glob: Glob
    do throws(Failure) {
        glob = try Glob(pattern.value)
    } catch {
        throw Failure("remove: \(error.message)", at: pattern.location, hint: error.hint)
    }
    if glob.components.allSatisfy({ $0 == .anyDepth }) {
        throw Failure("remove: \(quoted(pattern.value)) would remove the whole image", at: pattern.location)
    }
    // `/bin/x` means `/usr/bin/x` where bin is a link.
    let parent = glob.literalParent.reduce(TreePath.root) { $0.appending($1) }
    guard let resolved = tree.resolve(parent) else { return glob }
    return glob.replacingLiteralParent(with: resolved)
}
