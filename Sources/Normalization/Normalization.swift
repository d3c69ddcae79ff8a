// Normalization: what is taken out of a tree, or set, so that two builds of the same packages are identical and no image
// shares a secret with another. Each rule is a function from a tree to a change, with a stable id and its reason; one
// rule a file, in `Rules`. It knows no file system: whoever calls gives it the means to read a blob. What can be made the
// same when it is made is no rule: fontconfig's caches, byte code and the times in a layer are right from the start.

public import RootfsModel

/// One thing that builds would differ in, or that images must not share, and what becomes of it.
public protocol NormalizationRule: Sendable {
    /// Its stable name: what `--keep` takes and image.json tells.
    var id: String { get }
    /// One sentence, without a full stop.
    var reason: String { get }
    /// What it changes in a tree; a tree that it changed before it leaves alone. `moment` is the lock's, `read` gives a
    /// blob's bytes; what `read` throws comes through.
    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) throws -> TreeChange
}

public enum Normalization {
    /// For the tree of the packages, in this order, before anything of the recipe is laid over it: what a recipe says
    /// itself stays as it says. `layerMoments` are those of layers that were made at another moment than the lock's.
    public static func packageRules(layerMoments: Set<Timestamp> = []) -> [any NormalizationRule] {
        [
            MachineID(), RandomSeeds(), SSHHostKeys(), Snakeoil(), AccountBackups(), DpkgOld(), ShadowDates(), Logs(),
            AptState(), LdconfigCache(), ManIndex(), RunAndTmp(),
            // Byte code goes by the times that the image will have.
            BuildTimes(layerMoments: layerMoments), StaleByteCode(),
        ]
    }

    /// For the finished tree.
    public static let times: any NormalizationRule = Times()

    public static let rules: [any NormalizationRule] = packageRules() + [times]

    /// Applies rules one after the other; gives the tree and what each of them changed, those that changed nothing
    /// left out.
    public static func normalise(
        _ tree: FileTree, by rules: [any NormalizationRule] = packageRules(), moment: Timestamp,
        read: (Blob) throws -> [UInt8]
    ) throws -> (tree: FileTree, reports: [RuleReport]) {
        var tree = tree
        var reports = [RuleReport]()
        for rule in rules {
            let change = try rule.change(of: tree, moment: moment, read: read)
            guard let report = RuleReport(of: rule, change, in: tree) else { continue }
            reports.append(report)
            tree = try tree.applying(change)
        }
        return (tree, reports)
    }
}
