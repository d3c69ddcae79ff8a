import Foundation
import RootfsModel
import Testing

@testable import Normalization

@Suite struct NormalizationTests {
    @Test func `rules have names of their own and say why in a clause`() {
        let rules = Normalization.rules
        #expect(Set(rules.map(\.id)).count == rules.count)
        for rule in rules {
            #expect(rule.id.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil, "\(rule.id)")
            #expect(rule.reason.count > 20 && rule.reason.last != ".", "\(rule.reason)")
        }
    }

    @Test func `the manual has every rule with its reason, and no other`() throws {
        let manual = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/normalization.md")
        let rows = try String(contentsOf: manual, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count == Normalization.rules.count)
        for (row, rule) in zip(rows, Normalization.rules) {
            #expect(row.hasPrefix("| `\(rule.id)` | ") && row.hasSuffix(" | \(rule.reason) |"), "\(row)")
        }
    }

    @Test func `a rule that is left out changes nothing, and nothing tells of it`() throws {
        let tree = try FileTree([file("etc/ssh/ssh_host_rsa_key"), file("tmp/x")])
        let rules = Normalization.packageRules().filter { $0.id != "ssh-host-keys" }
        let (after, reports) = try Normalization.normalise(tree, by: rules, moment: moment, read: bytes)
        #expect(after["etc/ssh/ssh_host_rsa_key"] != nil)
        #expect(reports.map(\.rule) == ["run-and-tmp"])
    }

    @Test func `a rule sees what those before it left`() throws {
        let tree = try FileTree([file("etc/shadow-", "root:*:20000:0:::::\n")])
        let (after, reports) = try Normalization.normalise(tree, moment: moment, read: bytes)
        #expect(after["etc/shadow-"] == nil)
        #expect(reports.map(\.rule) == ["account-backups"])
    }

    @Test func `a directory of which everything changed is told once`() throws {
        let late = moment.seconds + 1
        let tree = try FileTree([
            directory(.root), directory("a", at: late), directory("a/b", at: late), file("a/b/c", [1], at: late),
            file("a-b", [1], at: late), directory("d", at: late), directory("d/e", at: late), file("d/f", [1], at: 7),
            file("g", [1], at: 7),
        ])
        let (_, reports) = try normalised(tree, by: Times())
        // /a-b stands between /a and what is in it.
        #expect(reports.map(\.paths) == [["/a/", "/a-b", "/d", "/d/e/"]])
        #expect(reports.map(\.count) == [6])
    }

    @Test func `nothing to do is nothing told`() throws {
        let tree = try FileTree([file("etc/hostname", "a\n"), file("usr/bin/x")])
        let (after, reports) = try Normalization.normalise(
            tree, by: Normalization.rules, moment: moment, read: bytes)
        #expect(after == tree)
        #expect(reports == [])
    }

    @Test func `what a directory holds is found where other names sort between`() throws {
        let tree = try FileTree([directory("a"), file("a-b"), file("a/x"), file("a/y/z"), file("a0"), file("b")])
        #expect(tree.nodes[tree.indices(below: "a")].map(\.path.description) == ["/a/x", "/a/y", "/a/y/z"])
        #expect(tree.indices(below: "b").isEmpty)
        #expect(tree.indices(below: "none").isEmpty)
        #expect(tree.nodes[tree.indices(below: .root)].count == tree.nodes.count - 1)
    }
}
