import Foundation
import Provisioning
import Recipes
import RootfsModel
import Testing

private let own: TreePath = "etc/systemd/system"

/// A tree that has these units of systemd's.
private func tree(_ units: [String], _ more: [FileNode] = []) throws -> FileTree {
    let directory: TreePath = "usr/lib/systemd/system"
    return try baseTree(units.map { file(directory.appending($0.utf8), "[Unit]\n") } + more)
}

private func trimmed(_ tree: FileTree, _ steps: [Recipe.TrimStep] = Recipe.TrimStep.allCases) throws -> FileTree {
    var recipe = plain()
    recipe.supervisor.trim = steps
    return try provisioned(recipe, tree: tree).tree
}

@Suite struct TrimTests {
    @Test func unitsOfTheImageAreMaskedAndNoOthers() throws {
        let tree = try trimmed(try tree(["fstrim.timer", "systemd-pstore.service", "multi-user.target"]))
        for unit in ["fstrim.timer", "systemd-pstore.service"] {
            #expect(tree[own.appending(unit.utf8)]?.linkTarget == Array("/dev/null".utf8))
        }
        #expect(tree[own.appending("apt-daily.timer".utf8)] == nil)
        #expect(
            tree[own.appending("default.target".utf8)]?.linkTarget
                == Array("/lib/systemd/system/multi-user.target".utf8))
    }

    @Test func onlyTheStepsThatTheRecipeNamesAreDone() throws {
        let base = try tree(["fstrim.timer", "man-db.timer", "multi-user.target"])
        let some = try trimmed(base, [.fstrim])
        #expect(some[own.appending("fstrim.timer".utf8)] != nil)
        #expect(some[own.appending("man-db.timer".utf8)] == nil)
        #expect(some[own.appending("default.target".utf8)] == nil)
        #expect(try trimmed(base, [])[own.appending("fstrim.timer".utf8)] == nil)
    }

    @Test func whatSomebodyWantsStays() throws {
        let modules = try trimmed(
            try tree(["kmod-static-nodes.service"], [file("usr/bin/kmod", "elf", mode: 0o755)]))
        #expect(modules[own.appending("kmod-static-nodes.service".utf8)] == nil)
        let mine = try trimmed(try tree(["fstrim.timer"], [file("etc/systemd/system/fstrim.timer", "mine")]))
        #expect(try text("etc/systemd/system/fstrim.timer", in: mine) == "mine")
    }

    @Test func noUnitIsMaskedTwiceAndStoppingStaysPossible() {
        let units = Trimming.all.flatMap(\.units)
        #expect(Set(units).count == units.count)
        #expect(!units.contains("ctrl-alt-del.target"))
    }

    @Test func theTableOfTheDocumentationIsTheCodes() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = String(decoding: try Data(contentsOf: root.appending(path: "docs/trim.md")), as: UTF8.self)
        func code(_ texts: [String]) -> String { texts.map { "`\($0)`" }.joined(separator: ", ") }
        let rows = Trimming.all.map {
            "| `\($0.step.rawValue)` | \(code($0.units)) | \($0.reason) | \(code($0.exceptions.map(\.description))) |"
        }
        let table = ["| step | masked | reason | not where the image has |", "|---|---|---|---|"] + rows
        #expect(text.contains(table.joined(separator: "\n") + "\n\n"))
    }
}
