import ArgumentParser
import FoundationEssentials
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Runs single steps at three sizes and tells the exponent with which the time of each grows.
struct Scale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Run trees of 10⁴, 10⁵ and 10⁶ paths and archives of up to 3,000 packages through their steps.")

    @Option(help: "An existing directory to work in; 12 GB are needed for a million paths.")
    var work = ".build"

    @Option(help: "How many paths, with commas between, or none.")
    var paths = "10000,100000,1000000"

    @Option(help: "How many packages, likewise.")
    var packages = "300,1000,3000"

    func run() throws {
        try table("paths", Self.sizes(paths), command: "scale-tree")
        try table("packages", Self.sizes(packages), command: "scale-packages")
    }

    private static func sizes(_ text: String) throws -> [Int] {
        if text == "none" { return [] }
        return try text.split(separator: ",").map { word in
            guard let size = Int(word), size > 0 else { throw ValidationError("\(word) is no size.") }
            return size
        }
    }

    private func table(_ noun: String, _ sizes: [Int], command: String) throws {
        if sizes.isEmpty { return }
        var columns = [[Step]]()
        for size in sizes {
            let directory = try TemporaryDirectory(beside: absolutePath(work).appending("rootfs-bench"))
            let ended = try rootfs_bench.run([
                try thisProgram(), command, "--\(noun)", "\(size)", "--work", directory.path.string,
            ])
            columns.append(try JSONDecoder().decode([Step].self, from: Data(ended.output)))
            if size == sizes.last { print(scaleTable(noun, sizes, columns).joined(separator: "\n")) }
            fflush(nil)
            note("\(size) \(noun): done; removing them")
            try removeTree(at: directory.path)
        }
    }
}

/// A line a step: wall time, processor time and memory at each size, and the exponent of the processor time: that of a
/// disk, and of others on the machine, is not the program's.
func scaleTable(_ noun: String, _ sizes: [Int], _ columns: [[Step]]) -> [String] {
    var lines = [
        padded("step", 34) + sizes.map { padded("\($0) \(noun)", 30, toLeft: true) }.joined()
            + padded("exponent", 12, toLeft: true)
    ]
    for (index, step) in (columns.last ?? []).enumerated() {
        let cells = columns.map { column -> String in
            if index >= column.count { return "" }
            let step = column[index]
            return "\(fixed(step.seconds, 2)) s \(fixed(step.processor, 2)) s \(step.peak >> 20) MiB"
        }
        let costs = zip(sizes, columns).compactMap { size, column in
            index < column.count ? (size: Double(size), cost: column[index].processor) : nil
        }
        lines.append(
            padded(step.name, 34) + cells.map { padded($0, 30, toLeft: true) }.joined()
                + padded(exponent(of: costs).map { fixed($0, 2) } ?? "", 12, toLeft: true))
    }
    return lines
}
