/// The names of the packages that apt takes as installed by hand in a fresh root file system: those of priority
/// required, and the Essential ones with all that they need, which were put there before apt could be asked.
///
/// `packages` are all that are installed, with the priorities of their own control files. What is not named here and
/// was not asked for came only because others need it.
public func basePackageNames(_ packages: [PackageStanza]) -> Set<String> {
    let edges = dependencyEdges(packages)
    var isReached = packages.map(\.isEssential)
    var reached = packages.indices.filter { isReached[$0] }
    while let package = reached.popLast() {
        for needed in edges[package] where !isReached[needed] {
            isReached[needed] = true
            reached.append(needed)
        }
    }
    let base = packages.indices.filter { isReached[$0] || packages[$0].priority == "required" }
    return Set(base.map { packages[$0].name })
}
