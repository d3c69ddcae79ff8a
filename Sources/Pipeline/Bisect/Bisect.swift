public import Comparing
internal import Debian
internal import Dpkg
internal import Recipes
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What to bisect, and how to tell good from bad.
public struct BisectRequest: Sendable {
    /// How an image is judged.
    public enum Test: Sendable {
        /// A command for the host's shell, with the environment that it gets besides what says where the image is.
        case command(String, environment: [String])
        case boot(BootSettings)
    }

    /// The recipe that locks and builds are of; nil where both sides are recipes.
    public var recipe: String?
    /// Each with the name that the user gave it.
    public var good: (path: FilePath, name: String)
    public var bad: (path: FilePath, name: String)
    public var test: Test
    /// Where the two images of the proof go, and all others for a while.
    public var directory: FilePath
    public var temporary: FilePath

    public init(
        recipe: String?, good: (path: FilePath, name: String), bad: (path: FilePath, name: String), test: Test,
        directory: FilePath, temporary: FilePath
    ) {
        self.recipe = recipe
        self.good = good
        self.bad = bad
        self.test = test
        self.directory = directory
        self.temporary = temporary
    }
}

/// What came of a bisection.
public struct BisectReport: Encodable, Sendable {
    /// One image that was built and judged.
    public struct Step: Encodable, Sendable {
        /// From 1.
        public var number: Int
        /// How many changes were made in it, of how many.
        public var made: Int
        public var changes: Int
        /// `good`, `bad` or `cannot be tested`.
        public var verdict: String
        /// `exit status 1`, `kernel-panic: …`, or why it could not be built.
        public var because: String
    }

    /// One of the two images of the proof.
    public struct Image: Encodable, Sendable {
        public var directory: String
        public var imageHash: String
        public var verdict: String
        public var because: String
    }

    public var format = 1
    public var recipe: String
    /// All that the two sides have otherwise: `package hello 1.0 → 1.1`.
    public var changes: [String]
    /// How many of them can be made one after another.
    public var groups: Int
    public var steps: [Step]
    /// What broke it: one change, those that move together, or, where some in between could not be tested, those among
    /// which it is.
    public var culprit: [String]
    /// Whether the culprit is as small as what moves together.
    public var isExact: Bool
    /// How many of the other changes both images of the proof have.
    public var madeInBoth: Int
    public var good: Image
    public var bad: Image
    public var diff: Comparison
}

/// What is told while it goes on.
public enum BisectEvent: Sendable {
    /// What there is to be searched, and how many images it takes at most if all of them can be tested.
    case planned(changes: [String], groups: Int, most: Int)
    case stepped(BisectReport.Step)
}

/// Finds the change that broke an image, by building what lies between a good and a bad one.
///
/// - Throws: where good is not good, bad is not bad, or one of the two cannot be built or judged.
public func bisect(
    _ request: BisectRequest, settings: BuildSettings, tell: @escaping (BisectEvent) throws -> Void
) async throws -> BisectReport {
    try await withTaskExecutorPreference(ThreadExecutor()) {
        var bisection = try Bisection(request, settings: settings, tell: tell)
        return try await bisection.run()
    }
}

/// The search while it goes on. In the folder `good` is the last image that is good, `bad` the first that is bad.
private struct Bisection {
    private let request: BisectRequest
    private let settings: BuildSettings
    private let tell: (BisectEvent) throws -> Void
    private let pair: BisectPair
    private let folder: BisectFolder
    private let judge: BisectJudge
    /// Of each end: what the recipe says otherwise since its build.
    private let otherInputs: (good: [String], bad: [String])
    private var groups: [[Int]] = []
    private var steps: [BisectReport.Step] = []
    private var images: (good: BisectReport.Image?, bad: BisectReport.Image?)

    init(_ request: BisectRequest, settings: BuildSettings, tell: @escaping (BisectEvent) throws -> Void) throws {
        self.request = request
        self.tell = tell
        folder = BisectFolder(path: request.directory)
        judge = BisectJudge(test: request.test, progress: settings.progress)
        var settings = settings
        // What the check finds may be what is looked for.
        settings.acceptsFindings = true
        settings.outputDirectory = folder.step
        self.settings = settings
        let recipe = try request.recipe.map { try loadRecipes([$0], settings: settings)[0] }
        func side(_ side: (path: FilePath, name: String), _ option: String) throws -> BisectSide {
            try BisectSide(side.path, name: side.name, recipe: recipe, option: option, settings: settings)
        }
        let (good, bad) = (try side(request.good, "--good"), try side(request.bad, "--bad"))
        let names = [good, bad].map { $0.source.recipe.name.value }
        guard names[0] == names[1] else {
            throw Failure(
                "--good is of the recipe \(names[0]), --bad of \(names[1])", hint: "name two states of one recipe",
                status: .usage)
        }
        try settings.checkArchitecture(of: bad.source.recipe)
        try folder.check(recipe: names[0])
        pair = try BisectPair(good.source, bad.source)
        guard !pair.changes.isEmpty else {
            throw Failure(
                "there is nothing to search: \(request.good.name) and \(request.bad.name) have the same packages, kernel, overlays and settings",
                hint: "for an overlay or a setting name two recipes, each with its lock")
        }
        otherInputs = (try good.otherInputs(settings), try bad.otherInputs(settings))
    }

    mutating func run() async throws -> BisectReport {
        try folder.begin()
        do {
            try await verifyEnd([], as: .good)
            try await verifyEnd(Set(pair.changes.indices), as: .bad)
            // Now the store has all packages of both.
            groups = try BisectGroups(pair, stanza: stanza).groups
            var search = BisectSearch(groups: groups.count)
            try tell(.planned(changes: pair.changes.map(\.text), groups: groups.count, most: search.most))
            while let count = search.next {
                let moved = Set(groups[..<count].joined())
                let (verdict, image) = try await step(moved)
                search.note(verdict, of: count)
                try keep(image, verdict)
            }
            return try report(search)
        } catch {
            folder.clear()
            throw error
        }
    }

    /// Makes sure that an end is what the user says it is.
    private mutating func verifyEnd(_ moved: Set<Int>, as expected: BisectSearch.Verdict) async throws {
        let isGood = expected == .good
        let (name, option) = isGood ? (request.good.name, "--good") : (request.bad.name, "--bad")
        let (verdict, image) = try await step(moved)
        if verdict == expected { return try keep(image, verdict) }
        let because = steps.last?.because ?? ""
        let others = isGood ? otherInputs.good : otherInputs.bad
        let notes =
            others.isEmpty ? [] : ["since that build these are others: " + others.prefix(8).joined(separator: ", ")]
        if verdict == .skipped {
            throw Failure(
                "\(option) \(name) cannot be tested: \(because)", notes: notes,
                hint: "both ends have to be built and judged before anything in between is")
        }
        throw Failure(
            "\(option) \(name) is \(verdict.rawValue): \(because)", notes: notes,
            hint: others.isEmpty
                ? "nothing between the two can be told apart by this test"
                : "what broke it may be one of these: name two recipes, each with its lock and overlays")
    }

    /// Builds what has these changes, and judges it.
    private mutating func step(_ moved: Set<Int>) async throws -> (BisectSearch.Verdict, BisectReport.Image?) {
        let number = steps.count + 1
        let (made, all) = (moved.count, pair.changes.count)
        settings.progress(.note("step \(number): \(made) of \(all) changes"))
        var outcome: (verdict: BisectSearch.Verdict, because: String)
        var hash: String?
        do {
            let source = try pair.mixture(of: moved)
            var quiet = settings
            // What is not pinned, and what was fresh, is not news at every step.
            quiet.progress = { [sink = settings.progress] event in
                if case .note = event { return }
                sink(event)
            }
            let held = HeldLock(
                lock: source.lock, path: folder.step.appending(lockName(of: source.recipe.name.value)), isNew: false)
            let result = try await build(
                [(source.path, source.recipe, RecipeBuild.Given(held: held, files: source.files))], settings: quiet)[0]
            hash = result.imageHash
            outcome = try await judge.judge(FilePath(result.directory), recipe: source.recipe.name.value, step: number)
        } catch let failure as Failure where hash == nil {
            outcome = (.skipped, "it cannot be built: \(failure.message)")
        } catch let failures as Failures where hash == nil {
            outcome = (.skipped, "it cannot be built: \(failures.all.first?.message ?? "")")
        }
        try Task.checkCancellation()
        let step = BisectReport.Step(
            number: number, made: made, changes: all, verdict: outcome.verdict.rawValue, because: outcome.because)
        steps.append(step)
        try tell(.stepped(step))
        let image = hash.map {
            BisectReport.Image(
                directory: "", imageHash: $0, verdict: outcome.verdict.rawValue, because: outcome.because)
        }
        return (outcome.verdict, image)
    }

    /// Puts the image of the last step where its verdict belongs.
    private mutating func keep(_ image: BisectReport.Image?, _ verdict: BisectSearch.Verdict) throws {
        guard var image, verdict != .skipped else { return try removeTree(at: folder.step) }
        image.directory = (verdict == .good ? folder.good : folder.bad).string
        try folder.keepStep(isGood: verdict == .good)
        if verdict == .good { images.good = image } else { images.bad = image }
    }

    private func stanza(_ package: Lock.Package) throws -> PackageStanza {
        guard let payload = Payload.find(package.sha256, label: package.label, in: settings.store) else {
            throw Failure("the store lost \(package.label) while it was needed", hint: "run it again")
        }
        return try payload.stanza()
    }

    private func report(_ search: BisectSearch) throws -> BisectReport {
        guard let good = images.good, let bad = images.bad else { throw CancellationError() }
        let culprit = groups[search.good..<search.bad].joined().sorted().map { pair.changes[$0].text }
        let diff = try compareImages(
            ComparisonRequest(
                old: (folder.good, "good"), new: (folder.bad, "bad"), temporary: request.temporary,
                jobs: settings.jobs, architecture: settings.hostArchitecture))
        return BisectReport(
            recipe: pair.bad.recipe.name.value, changes: pair.changes.map(\.text), groups: groups.count, steps: steps,
            culprit: culprit, isExact: search.bad - search.good == 1,
            madeInBoth: groups[..<search.good].reduce(0) { $0 + $1.count }, good: good, bad: bad, diff: diff)
    }
}
