internal import Checks
internal import Debian
internal import Kernels
internal import Recipes
internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// A kernel that was written, for the record and for the check.
struct MadeKernel: Sendable {
    var entry: ImageRecord.KernelEntry
    var subject: CheckSubject.Kernel

    init(_ kernel: BuiltKernel, _ entry: ImageRecord.KernelEntry, in directory: FilePath) throws {
        self.entry = entry
        subject = CheckSubject.Kernel(
            release: kernel.release, image: try Blob(file: directory.appending(kernel.fileName)),
            options: kernel.options, initrd: try kernel.initrd.map { try initrdTree($0, name: "the initrd") },
            arguments: entry.arguments)
    }
}

extension RecipeBuild {
    /// Checks what the image is going to hold, while it is written.
    func check(_ tree: FileTree, kernel: Promise<MadeKernel?>, recipe: Recipe) async throws -> CheckReport {
        let kernel = try await kernel.value()?.subject
        return try clock.run("check") { _ in
            let report = try CheckReport(
                checking: tree, of: recipe, architecture: architecture, kernel: kernel,
                machine: CheckSubject.Machine(), named: imageName)
            return (report, report.summary)
        }
    }

    /// Throws where the check found what must not be in an image, unless the user takes it as it is; tells the rest.
    func refuse(_ report: CheckReport, about tree: FileTree) throws {
        if report.succeeded || settings.acceptsFindings {
            if report.errors + report.warnings > 0 {
                settings.progress(
                    .note("\(name): check: \(report.summary); rootfs-build check \(directory) shows them"))
            }
            return
        }
        var report = report
        try report.findPackages(by: PackageSearch(of: tree, store: settings.store))
        var failures = report.failures
        let last = failures.count - 1
        failures[last].hint = (failures[last].hint.map { $0 + "\n" } ?? "") + checkHint
        throw Failures(failures)
    }
}

private let checkHint =
    "a finding that is known and accepted goes into the recipe's check.suppress, with a reason; --no-check builds all the same"

extension CheckReport {
    /// Checks a tree that was made from a recipe.
    fileprivate init(
        checking tree: FileTree, of recipe: Recipe, architecture: String, kernel: CheckSubject.Kernel?,
        machine: CheckSubject.Machine, named name: String, run: Run? = nil
    ) throws {
        let subject = try CheckSubject(
            tree, of: recipe, architecture: architecture, kernel: kernel, machine: machine)
        try self.init(
            of: subject, named: name,
            suppressions: recipe.check.suppress.map {
                Suppression(
                    id: $0.id.value, path: $0.path?.value, because: $0.because, location: $0.id.location)
            }, recipe: recipe, run: run)
    }
}

extension CheckSubject {
    /// A tree that was made from a recipe, in the recipe's machine.
    fileprivate init(
        _ tree: FileTree, of recipe: Recipe, architecture: String, kernel: Kernel?, machine: Machine
    ) throws {
        var machine = machine
        machine.memory = recipe.machine.memory.bytes
        machine.hasReadOnlyRoot = recipe.image.verity.value
        try self.init(tree: tree, architecture: architecture, recipe: recipe, kernel: kernel, machine: machine)
    }
}

/// Checks what a build of this recipe would put into its image. Packages are fetched and layers made as a build does,
/// into the store; no image is written, and the outputs are left alone.
public func checkRecipe(at path: String, _ check: CheckSettings, settings: BuildSettings) async throws -> CheckReport {
    let loaded = try loadRecipes([path], settings: settings)
    return try await withTaskExecutorPreference(ThreadExecutor()) {
        let workshop = try Workshop(settings, recipes: loaded.count)
        let build = RecipeBuild(
            path: path, recipe: loaded[0].recipe, isAlone: true, settings: settings, threads: ThreadTimes(),
            origin: settings.measure().wall)
        return try await build.check(check, in: workshop)
    }
}

extension RecipeBuild {
    fileprivate func check(_ check: CheckSettings, in workshop: Workshop) async throws -> CheckReport {
        let visit = Visit(workshop)
        defer { visit.leaveLayers() }
        try settings.checkArchitecture(of: recipe)
        let held = try holdLock(
            recipePath: path, recipe: recipe, settings: settings, client: workshop.client, clock: clock)
        let files = try LocalFiles(of: recipe)
        if case .unavailable(let failure) = Sandbox.availability() { throw failure }
        try checkOwners(of: settings.store)
        let lock = held.lock
        try files.checkScripts(of: recipe, lock: lock)
        let use = try UsedEntries(of: held, scripts: files.scripts, settings: settings).use()
        defer { use.end() }
        visit.use(lock)
        let sources = Sources(held: held, files: files, inputs: [], unpinned: [], previous: nil)
        let supply = supply(of: held, in: workshop)
        let scratch = try settings.store.makeTemporaryDirectory("check")
        defer { scratch.remove() }
        async let supplied: Void = supply.run()
        let base = try await makeBase(sources, supply, visit)
        let provisioned = try provisionTree(
            base.tree, recipe: recipe, overlays: files.overlays, moment: Timestamp(seconds: lock.moment),
            store: settings.store, clock: clock)
        let kernel: CheckSubject.Kernel?
        if let directory = check.kernel {
            kernel = try CheckSubject.Kernel(in: directory, architecture: architecture, record: nil)
        } else {
            kernel = try await makeKernel(sources, supply, in: scratch.path)?.subject
        }
        try await supplied
        let run = try await CheckReport.Run(
            CheckSubject(
                provisioned.tree, of: recipe, architecture: architecture, kernel: kernel, machine: check.machine),
            check.run, store: settings.store)
        var report = try clock.run("check") { _ in
            let report = try withExtendedLifetime(provisioned.nodeRelease) {
                try CheckReport(
                    checking: provisioned.tree, of: recipe, architecture: architecture, kernel: kernel,
                    machine: check.machine, named: path, run: run)
            }
            return (report, report.summary)
        }
        try report.findPackages(by: PackageSearch(of: provisioned.tree, store: settings.store))
        return report
    }
}
