internal import Debian
internal import DebianArchive
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Where the packages of a lock may be, besides the store: the user's directories, then the mirrors.
struct PackageSources {
    private let mirrors: [String: [String]]
    private let places: [Digest: FilePath]

    /// - Parameter packages: those that are to be had. Where all of them lie in directories, no mirror is looked for.
    init(
        for packages: [Lock.Package], of resolution: Resolution, directories: PackageDirectories,
        settings: BuildSettings
    ) throws {
        let places = try directories.find(packages)
        self.places = places
        // Offline, too, what is missing is named, and a host without a mirror can build.
        let isComplete = packages.allSatisfy { places[$0.sha256] != nil }
        mirrors = settings.offline || isComplete ? [:] : try resolution.locations(settings)
    }

    func file(_ package: Lock.Package) -> PinnedFile {
        var file = PinnedFile(
            package: "\(package.label) (\(package.architecture))", poolPath: package.filename,
            mirrors: mirrors[package.pocket] ?? [], digest: package.sha256, size: package.size)
        if let path = places[package.sha256] {
            file.locations.insert(location(of: path.string, at: "file://"), at: 0)
        }
        return file
    }
}

/// The failure of packages that no place has: each with all that helps to find it elsewhere.
func missingPackages(_ failures: [(package: Lock.Package, failure: FetchFailure)], recipe: String) -> Failure {
    var notes = [String]()
    for (package, failure) in failures {
        notes.append("\(package.label) (\(package.architecture)), \(package.sha256)")
        notes.append("  \(package.pocket): \(package.filename)")
        notes += failure.attempts.map { "  \($0.location): \($0.text)" }
    }
    let names = Set(failures.map(\.package.name)).sorted().joined(separator: " ")
    let hint =
        failures.allSatisfy(\.failure.isMissing)
        ? "mirrors drop a package soon after its successor: name a directory that has the .deb with --package-dir, or a "
            + "mirror that keeps old versions with --mirror; or move the lock: rootfs-build lock --update \(recipe) \(names)"
        : failures.lazy.compactMap(\.failure.failure.hint).first
    return Failure(
        failures.count == 1
            ? "cannot fetch a package of the lock" : "cannot fetch \(failures.count) packages of the lock",
        notes: notes, hint: hint)
}

/// `--package-dir`: directories in which the user keeps .debs, under any names.
final class PackageDirectories: Sendable {
    private struct State {
        /// What lies in them, by size; nil until it was asked for.
        var files: [UInt64: [(path: FilePath, blob: Blob)]]?
        var digests: [FilePath: Digest] = [:]
    }

    private let directories: [FilePath]
    private let state = Mutex(State())

    init(_ directories: [FilePath]) {
        self.directories = directories
    }

    /// The files that are these packages. Only what has the size of one is read, and once.
    func find(_ packages: [Lock.Package]) throws -> [Digest: FilePath] {
        if directories.isEmpty { return [:] }
        return try state.withLock { state in
            let files = try state.files ?? scan()
            state.files = files
            var found = [Digest: FilePath]()
            for package in packages {
                for file in files[package.size] ?? [] {
                    let digest = try state.digests[file.path] ?? file.blob.takeDigest()
                    state.digests[file.path] = digest
                    if digest == package.sha256 { found[digest] = file.path }
                }
            }
            return found
        }
    }

    private func scan() throws -> [UInt64: [(path: FilePath, blob: Blob)]] {
        var files = [UInt64: [(path: FilePath, blob: Blob)]]()
        for directory in directories {
            for node in try scanDirectory(directory, digesting: false).nodes {
                guard let blob = node.blob else { continue }
                files[blob.size, default: []].append((hostPath(directory.string, node.path), blob))
            }
        }
        return files
    }
}
