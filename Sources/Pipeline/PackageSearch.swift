internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Finds the packages that have a path: those of the image by dpkg's own lists, and those of the store by what was
/// unpacked there. No other is known: an archive's index does not say what is in a package.
final class PackageSearch {
    private struct Package {
        var name: String
        var version: String
        var isInstalled: Bool
    }

    private let tree: FileTree
    private let store: Store?
    /// What was read, once something was looked for.
    private var known: (packages: [Package], owners: [TreePath: [Int]])?

    init(of tree: FileTree, store: Store?) {
        self.tree = tree
        self.store = store
    }

    /// At most five, those of the image first, then by name and the newest version.
    func packages(with path: TreePath) throws -> [CheckReport.Mending] {
        let known = try self.known ?? readAll()
        self.known = known
        // A package may have /lib/x for what lies in /usr/lib/x.
        let names = path.isWithin("usr") ? [path, path.relative(to: "usr") ?? path] : [path]
        var found = [String: Package]()
        for package in names.flatMap({ known.owners[$0] ?? [] }).map({ known.packages[$0] }) {
            if let other = found[package.name],
                other.isInstalled || DebianVersion(package.version) < DebianVersion(other.version)
            {
                continue
            }
            found[package.name] = package
        }
        return found.values.sorted { ($0.isInstalled ? 0 : 1, $0.name) < ($1.isInstalled ? 0 : 1, $1.name) }.prefix(5)
            .map { .init(package: $0.name, version: $0.version, path: path.description, isInstalled: $0.isInstalled) }
    }

    private func readAll() throws -> (packages: [Package], owners: [TreePath: [Int]]) {
        var packages = [Package]()
        var owners = [TreePath: [Int]]()
        func add(_ package: Package, _ paths: [TreePath]) {
            for path in paths { owners[path, default: []].append(packages.count) }
            packages.append(package)
        }
        var versions = [String: String]()
        for stanza in (try? Stanza.parse(tree["var/lib/dpkg/status"]?.blob?.readAll() ?? [], file: "status")) ?? [] {
            if let name = stanza["Package"] { versions[name] = stanza["Version"] }
        }
        for (name, paths) in try tree.packageFileLists() {
            add(Package(name: name, version: versions[name] ?? "", isInstalled: true), paths)
        }
        guard let store else { return (packages, owners) }
        for digest in try store.keys(of: .payloads) {
            // One that is damaged, or goes meanwhile, tells nothing.
            guard let payload = Payload.find(digest, label: "", in: store), let list = try? payload.list(),
                let stanza = try? payload.stanza()
            else { continue }
            add(Package(name: stanza.name, version: stanza.version.description, isInstalled: false), packagePaths(list))
        }
        return (packages, owners)
    }
}
