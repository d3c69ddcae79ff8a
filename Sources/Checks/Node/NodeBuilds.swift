import RootfsModel
import Synchronization

/// How each Node of one tree was built, read once, however many rules ask for it: that is a hundred megabytes.
final class NodeBuilds: Sendable {
    private let known = Mutex<[TreePath: NodeBuild?]>([:])

    func build(of program: TreePath, _ make: () throws -> NodeBuild?) rethrows -> NodeBuild? {
        if let build = known.withLock({ $0[program] }) { return build }
        let build = try make()
        known.withLock { $0[program] = .some(build) }
        return build
    }
}
