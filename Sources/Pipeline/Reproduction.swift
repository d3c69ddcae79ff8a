internal import Debian
internal import Ext4
internal import Glibc
internal import Recipes
internal import RootfsModel
internal import Storage
internal import Synchronization
public import SystemPackage

/// What two builds of one recipe came to.
public struct ReproduceReport: Encodable, Sendable {
    /// Something that the second build had otherwise than the first.
    public struct Variation: Encodable, Sendable {
        public var what: String
        public var first: String
        public var second: String
    }

    /// One of the outputs.
    public struct Output: Encodable, Sendable {
        public var name: String
        /// nil where the build wrote none of this name.
        public var first: String?
        public var second: String?
    }

    /// Something in which the outputs differ.
    public struct Difference: Encodable, Sendable {
        /// A path of the image, a part of the file system, or an output with a line's number.
        public var place: String
        public var field: String
        public var first: String
        public var second: String
        /// Who made the path, where it is one.
        public var madeBy: String?
    }

    public var recipe: String
    public var reproducible: Bool
    /// The first build's.
    public var imageHash: String
    public var varied: [Variation]
    /// What was the same for both, a sentence each.
    public var notVaried: [String]
    public var outputs: [Output]
    public var differences: [Difference]
    /// How many differences are not listed.
    public var more: Int
    /// Blocks of the images that differ as a consequence of these differences alone.
    public var consequences: UInt64
}

/// What a reproduction needs from outside.
public struct ReproduceSettings: Sendable {
    /// This program.
    public var program: FilePath
    /// This process's, `NAME=value`.
    public var environment: [String]
    /// The folder in which both builds get one of their own.
    public var work: FilePath
    /// Options that both builds are given.
    public var options: [String]

    public init(program: FilePath, environment: [String], work: FilePath, options: [String]) {
        self.program = program
        self.environment = environment
        self.work = work
        self.options = options
    }
}

/// Builds a recipe twice, each time with an empty store and under other conditions, and compares all outputs.
///
/// A recipe without a lock gets one first, as a build would write it. Packages that the store has, or that the first
/// build fetched, are not fetched again.
public func reproduce(
    recipe path: String, settings: BuildSettings, _ reproduction: ReproduceSettings
) async throws -> ReproduceReport {
    var settings = settings
    let work = try TemporaryDirectory(beside: reproduction.work.appending("rootfs-build-reproduce"))
    settings.outputDirectory = work.path.appending("none")
    let recipe = try loadRecipes([path], settings: settings)[0].recipe
    try settings.checkArchitecture(of: recipe)
    let client = Mutex(try archiveClient(settings))
    let held = try holdLock(
        recipePath: path, recipe: recipe, settings: settings, client: client,
        clock: StageClock(recipe: recipe.name.value, settings: settings))
    let memory = try memoryDirectory(forBytes: memoryToBuild(packages: held.lock.packages.map(\.size)))
        .map { try TemporaryDirectory(beside: $0.appending("rootfs-build-reproduce")) }
    let conditions = try BuildConditions(
        environment: reproduction.environment, now: settings.now, jobs: settings.jobs, work: work.path,
        memory: memory?.path)
    let pair = BuildPair(
        recipe: recipe, path: path, lock: held.lock, settings: settings, reproduction: reproduction,
        conditions: conditions)
    return try await withTaskExecutorPreference(ThreadExecutor()) {
        try pair.build(isSecond: false)
        try pair.build(isSecond: true)
        let report = try pair.compare()
        memory?.remove()
        work.remove()
        return report
    }
}

private struct BuildPair: Sendable {
    let recipe: Recipe
    let path: String
    let lock: Lock
    let settings: BuildSettings
    let reproduction: ReproduceSettings
    let conditions: BuildConditions

    private func directory(_ isSecond: Bool) -> FilePath {
        isSecond ? conditions.directories.1 : conditions.directories.0
    }

    private func output(_ isSecond: Bool, _ name: String = "") -> FilePath {
        let directory = directory(isSecond).appending("out")
        return name.isEmpty ? directory : directory.appending(name)
    }

    func build(isSecond: Bool) throws {
        let place = directory(isSecond)
        let name = recipe.name.value
        let stage = isSecond ? "second build" : "first build"
        settings.progress(.started(recipe: name, stage: stage))
        let began = settings.measure().wall
        try makeDirectory(at: place.appending("tmp"))
        let store = try Store(at: place.appending("store"))
        try lend(to: store, from: [settings.store] + (isSecond ? [Store(at: directory(false).appending("store"))] : []))
        let clock = isSecond ? conditions.clocks.1 : conditions.clocks.0
        let jobs = isSecond ? conditions.jobs.1 : conditions.jobs.0
        let words =
            conditions.words(isSecond: isSecond) + [
                reproduction.program.string, "build", "--no-check", try absolute(path), "--cache", store.root.string,
                "-o",
                output(isSecond).string, "--jobs", String(jobs), "--now", String(clock), "--quiet",
            ] + reproduction.options
        let (printed, said) = (place.appending("stdout"), place.appending("stderr"))
        let end = try runProgram(
            "/usr/bin/env", words, environment: isSecond ? conditions.environments.1 : conditions.environments.0,
            output: printed, errors: said)
        guard end == .exited(0) else {
            let lines = String(decoding: try readFile(at: said), as: UTF8.self).split(separator: "\n").map(String.init)
            throw Failure(
                "the \(stage) of \(path) failed", notes: lines.isEmpty ? ["it ended with \(end)"] : lines.suffix(40))
        }
        let seconds = (settings.measure().wall - began) / 1_000_000_000
        settings.progress(.finished(recipe: name, stage: stage, detail: "\(seconds) s, \(jobs) jobs"))
    }

    private func absolute(_ path: String) throws(Failure) -> String {
        guard let resolved = realpath(path, nil) else { throw systemFailure("read", FilePath(path)) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Gives a store the packages of the lock that others have, the files themselves where they lie on one disk, and
    /// copies of those that lie in the user's directories.
    private func lend(to store: Store, from others: [Store]) throws {
        let scratch = try store.makeTemporaryDirectory("lend")
        var missing = [Lock.Package]()
        for package in lock.packages where store.file(package.sha256) == nil {
            try Task.checkCancellation()
            guard let file = others.lazy.compactMap({ $0.file(package.sha256, size: package.size) }).first else {
                missing.append(package)
                continue
            }
            let copy = scratch.path.appending(package.sha256.hex)
            if link(file.string, copy.string) != 0 { try writeFile(try readFile(at: file), to: copy) }
            try store.keep(fileAt: copy, as: package.sha256)
        }
        if missing.isEmpty { return }
        for file in try PackageDirectories(settings.packageDirectories).find(missing).values {
            try Task.checkCancellation()
            _ = try store.keep(bytes: try readFile(at: file))
        }
    }

    func compare() throws -> ReproduceReport {
        let name = recipe.name.value
        settings.progress(.started(recipe: name, stage: "compare"))
        let comparison = try OutputComparison(output(false), output(true))
        let image = "\(name).ext4"
        let digests = comparison.outputs.first { $0.name == image }
        var report = ReproduceReport(
            recipe: path, reproducible: comparison.differing.isEmpty, imageHash: digests?.first ?? "none",
            varied: conditions.variations.map { .init(what: $0.what, first: $0.first, second: $0.second) },
            notVaried: conditions.same, outputs: comparison.outputs, differences: [], more: 0, consequences: 0)
        if digests?.first != digests?.second { try addImage(image, to: &report) }
        report.differences += try comparison.differences(besides: image)
        settings.progress(
            .finished(recipe: name, stage: "compare", detail: report.reproducible ? "equal" : "they differ"))
        return report
    }

    private func addImage(_ name: String, to report: inout ReproduceReport) throws {
        let comparison = try ImageComparison(output(false, name), output(true, name))
        let makers = try FileMakers(of: comparison.tree, recipe: recipe, overlays: LocalFiles(of: recipe).overlays)
        report.differences = comparison.differences.map { difference in
            .init(
                place: difference.place, field: difference.field, first: difference.left, second: difference.right,
                madeBy: difference.path.map { makers.maker(of: $0) })
        }
        report.more = comparison.more
        report.consequences = comparison.consequences
    }
}
