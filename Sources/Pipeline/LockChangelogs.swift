internal import Debian
internal import DebianArchive
internal import Dpkg
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Adds to what moved in a lock what the packages' own changelogs say of it, from the .debs that the store has.
/// - Parameter fetching: whether those that it lacks are fetched for that.
func addChangelogs(
    to changes: inout [Lock.Change], from old: Lock, to new: Lock, fetching: Bool, resolution: Resolution,
    settings: BuildSettings, client: borrowing Mutex<ArchiveClient>, clock: StageClock
) throws {
    var told = [(change: Int, package: Lock.Package, before: String)]()
    for (index, change) in changes.enumerated() where change.kind == .upgraded || change.isSecurity {
        guard let package = new.packages.first(where: { $0.name == change.name && $0.version == change.new }) else {
            continue
        }
        // A kernel's version before has another name.
        let before = change.kind == .added ? old.packages(for: package.purpose).first?.version : change.old
        if let before { told.append((index, package, before)) }
    }
    let store = settings.store
    let missing = told.map(\.package).filter { store.file($0.sha256, size: $0.size) == nil }
    if fetching, !missing.isEmpty {
        let sources = try PackageSources(
            for: missing, of: resolution, directories: PackageDirectories(settings.packageDirectories),
            settings: settings)
        let files = missing.map(sources.file)
        try client.withLock { client in
            try clock.run("changelogs") { stage in
                var bytes: UInt64 = 0
                _ = try client.fetch(
                    files,
                    progress: {
                        bytes = $0.bytes
                        stage.advance($0.bytes, of: $0.totalBytes, .bytes)
                    })
                return ((), "\(packagesText(files.count)), \(byteText(bytes)) fetched")
            }
        }
    }
    for (index, package, before) in told {
        try Task.checkCancellation()
        // What is said of a package is not worth failing for: a damaged .deb is the build's to tell.
        guard let path = store.file(package.sha256, size: package.size),
            let text = try? DebFile(at: path, label: package.label).changelog(of: package.name)
        else { continue }
        changes[index].changelog = Changelog(parsing: text, after: before, upTo: package.version)
    }
}
