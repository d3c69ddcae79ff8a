import ArgumentParser
import Debian
import FoundationEssentials
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Runs rootfs-build in turn with the programs that do the same work, all with the same packages on this disk.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Measure builds of a recipe against mmdebstrap with mke2fs, and single steps against their peers.",
        discussion: """
            Needs root, mmdebstrap, e2fsprogs, dpkg-dev and the host's APT sources. What the store given has need not be \
            downloaded. Exit status: 0 measured, whether the goals were met or missed; otherwise something did not run, \
            or two builds that should be equal were not.
            """)

    @Option(help: "The program.")
    var program = ".build/release/rootfs-build"

    @Option(help: "The recipe.")
    var recipe = "recipes/browser.manifest"

    @Option(help: "A package that the recipe does not have and that needs no other: what is changed late.")
    var late = "tree"

    @Option(
        help:
            "A package with a library that no script of a build loads, to be updated to see how much of the image changes."
    )
    var update = "libharfbuzz-subset0"

    @Flag(help: "Measure how versions of an image are compared, and nothing else.")
    var diff = false

    @Option(help: "Packages likewise, separated by commas, that one of two versions to be compared has newer.")
    var updates =
        "libz3-4,libharfbuzz-subset0,libcups2,libcolord2,libxaw7,libxfont2,libxkbfile1,libdrm-intel1,libxft2,libdouble-conversion3"

    @Option(help: "How often each is run, in turn; 0: only count what of the image changes.")
    var rounds = 3

    @Option(help: "An existing directory to work in, on a disk with 12 GB free.")
    var work = ".build"

    @Option(help: "A store whose downloads are used; it is not changed. (default: the user's)")
    var store: String?

    @Option(help: "Where the figures go.")
    var output = "bench.json"

    @Option(help: "The text whose table is replaced.")
    var readme = "README.md"

    /// What `bench.json` holds.
    struct Report: Codable {
        var machine: Machine
        var rounds: Int
        var packages: Int
        var imageHash: String
        var lines: [Line]
    }

    func run() throws {
        let directory = try TemporaryDirectory(beside: absolutePath(work).appending("rootfs-bench"))
        var machine = try Machine()
        note("measuring on \(machine.text)")
        note("working in \(directory.path)")
        let bench = try Workbench(
            at: directory.path, program: absolutePath(program), recipe: absolutePath(recipe), late: late,
            store: absolutePath(store ?? userStore()))
        machine.loadBefore = try Machine.load()
        var results = Results()
        for round in 0..<rounds where !diff {
            note("round \(round + 1) of \(rounds)")
            try bench.measure(into: &results)
        }
        note("versions of the image")
        if diff {
            let names = updates.split(separator: ",").map(String.init)
            try bench.measureDiff(updating: names, rounds: rounds, into: &results)
        } else {
            try bench.measureVersions(updating: update, into: &results)
        }
        machine.loadAfter = try Machine.load()
        let lines = results.lines
        if rounds == 0 {
            print(markdownTable(lines), terminator: "")
            return
        }
        let report = Report(
            machine: machine, rounds: rounds, packages: bench.lock.packages.count,
            imageHash: results.imageHash ?? "", lines: lines)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeFile(Array(try encoder.encode(report)) + [10], to: FilePath(output))
        try writeTable(report)
    }

    /// To stdout, and into the README.
    private func writeTable(_ report: Report) throws {
        let recipeName = FilePath(recipe).lastComponent?.string ?? recipe
        let part = """
            `\(recipeName)`, \(report.packages) packages, \(report.rounds) rounds in turn, medians (ratios: also the \
            least and the greatest).
            Measured on \(report.machine.text).


            """ + markdownTable(report.lines)
        print(part, terminator: "")
        let text = String(decoding: try readFile(at: FilePath(readme)), as: UTF8.self)
        let mark = diff ? "bench diff" : "bench"
        guard let changed = replacingPart(mark, of: text, with: part) else {
            throw Failure("\(readme) has no <!-- \(mark) --> … <!-- /\(mark) --> to put the table in")
        }
        try writeFile(Array(changed.utf8), to: FilePath(readme))
    }
}

/// A path that holds wherever it is used; the path itself where nothing is there.
func absolutePath(_ path: String) -> FilePath {
    guard let resolved = realpath(path, nil) else { return FilePath(path) }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
}

/// Tells what is going on, on stderr.
func note(_ text: String) {
    Array("\(text)\n".utf8).withUnsafeBytes { _ = writeWhole($0, to: STDERR_FILENO) }
}
