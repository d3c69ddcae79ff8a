import Foundation
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BillTests {
    private static let sources = URL(filePath: #filePath).deletingLastPathComponent()
    /// Where `make sbom-validators` puts what others wrote.
    private static let validators = sources.deletingLastPathComponent().deletingLastPathComponent().appending(
        path: ".build/validators")
    static let hasValidators = FileManager.default.fileExists(atPath: validators.appending(path: "spdx_tools").path)

    private func bill(_ arguments: [String], in workspace: Workspace) throws -> String {
        let ending = try workspace.program.run(["sbom"] + arguments)
        #expect(ending.status == 0, "\(ending.stderr)")
        return ending.stdout
    }

    private func faults(_ form: String, _ text: String) throws -> [String] {
        let document = try TestSupport.JSON(text: text)
        return try form == "spdx" ? BillRules.faults(spdx: document) : BillRules.faults(cycloneDX: document)
    }

    @Test(arguments: ["spdx", "cyclonedx"]) func `a bill holds our rules and is the same every time`(_ form: String)
        throws
    {
        let workspace = try LicenceTests.workspace()
        for files in [[], ["--files"]] {
            let text = try bill(["out/attested", "--format", form] + files, in: workspace)
            #expect(try faults(form, text) == [])
            let again = ["out/attested", "--format", form, "-o", "bill.json"] + files
            #expect(try bill(again, in: workspace) == "")
            #expect(try workspace.text("bill.json") == text)
        }
        // From a copy of the image the same is known, as far as the record goes; from a tree what dpkg says.
        try shell("mkdir copy && cp out/attested/attested.ext4 out/attested/*.json copy/", in: workspace.root)
        #expect(
            try bill(["copy", "--format", form], in: workspace)
                == bill(["out/attested", "--format", form], in: workspace))
        #expect(
            try workspace.program.run(["inspect", "extract", "out/attested/attested.ext4", "/", "-o", "tree"]).status
                == 0)
        #expect(try faults(form, bill(["tree", "--format", form, "--files"], in: workspace)) == [])
    }

    @Test func `packages have their digests, and with the lock their pool paths`() throws {
        let workspace = try LicenceTests.workspace()
        let lock = try workspace.text("recipes/attested.lock")
        let stanza = try #require(lock.components(separatedBy: "\n\n").first { $0.hasPrefix("Package: hello\n") })
        func field(_ name: String) -> String {
            stanza.split(separator: "\n").first { $0.hasPrefix(name + ": ") }.map {
                String($0.dropFirst(name.count + 2))
            } ?? ""
        }
        func hello(_ more: [String]) throws -> TestSupport.JSON {
            let bill = try TestSupport.JSON(
                text: bill(["out/attested", "--format", "spdx"] + more, in: workspace))
            return try #require(bill.list("packages").first { $0["SPDXID"]?.string == "SPDXRef-Package-hello-all" })
        }
        let plain = try hello([])
        #expect(plain.list("checksums")[0]["checksumValue"]?.string == field("SHA256"))
        #expect(plain["sourceInfo"] == nil)
        #expect(
            plain.list("externalRefs")[0]["referenceLocator"]?.string == "pkg:deb/fixture/hello@2.10-3?arch=all")
        let located = try hello(["--lock", "recipes/attested.lock"])
        #expect(located["sourceInfo"]?.string == "from the archive's \(field("Filename"))")

        try workspace.write("other.lock", lock.replacing("Moment: 1", with: "Moment: 2"))
        let other = try workspace.program.run(
            ["sbom", "out/attested", "--format", "spdx", "--lock", "other.lock"])
        #expect(other.status == 2)
        #expect(other.stderr.contains("is not the lock that the image was built with\n"), "\(other.stderr)")
        #expect(try workspace.program.run(["sbom", "out/attested", "--format", "xml"]).status == 64)
        #expect(try workspace.program.run(["sbom", "out/attested"]).status == 64)
    }

    @Test(.enabled(if: hasValidators, "needs the validators that make sbom-validators installs"))
    func `the published schemas hold, as others check them`() throws {
        let workspace = try LicenceTests.workspace()
        for form in ["spdx", "cyclonedx"] {
            for files in [[], ["--files"]] {
                _ = try bill(["out/attested", "--format", form, "-o", "bill.\(form).json"] + files, in: workspace)
                let script = Self.sources.appending(path: "validate_bill.py").path
                let said = try shell(
                    "python3 '\(script)' '\(Self.validators.path)' \(form) bill.\(form).json", in: workspace.root,
                    environment: [
                        "PATH=\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")", "LC_ALL=C.UTF-8",
                    ])
                #expect(said == "", "\(form) \(files)")
            }
        }
    }
}
