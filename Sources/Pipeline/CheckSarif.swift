internal import Checks
internal import RootfsModel

/// A report as SARIF 2.1.0 (OASIS, 27 March 2020), for what shows findings beside code.
private struct SarifLog: Encodable {
    struct Message: Encodable { var text: String }

    struct Rule: Encodable {
        var id: String
        var shortDescription: Message
        var fullDescription: Message
    }

    struct Driver: Encodable {
        var name = "rootfs-build"
        var semanticVersion: String
        var rules: [Rule]
    }

    struct Tool: Encodable { var driver: Driver }

    struct Artifact: Encodable {
        var uri: String
    }

    struct Region: Encodable {
        var startLine: Int
        var startColumn: Int
    }

    struct Physical: Encodable {
        var artifactLocation: Artifact
        var region: Region?
    }

    struct Logical: Encodable {
        var name: String
        var kind: String
    }

    struct Location: Encodable {
        var physicalLocation: Physical
        var logicalLocations: [Logical]?
    }

    struct SuppressionEntry: Encodable {
        var kind = "external"
        var justification: String
    }

    struct Result: Encodable {
        var ruleId: String
        var ruleIndex: Int
        var level: String
        var message: Message
        var locations: [Location]
        var partialFingerprints: [String: String]
        var suppressions: [SuppressionEntry]
    }

    struct Run: Encodable {
        var tool: Tool
        var columnKind = "unicodeCodePoints"
        var results: [Result]
    }

    var schema = "https://json.schemastore.org/sarif-2.1.0.json"
    var version = "2.1.0"
    var runs: [Run]

    enum CodingKeys: String, CodingKey {
        case schema = "$schema"
        case version, runs
    }
}

extension CheckReport {
    /// The report as SARIF: a result for each finding, the accepted ones with their reason as suppressions. What has no
    /// place in a recipe is located in the image.
    public func sarif(toolVersion: String) throws -> String {
        let all = findings + accepted
        let ids = Set(all.map(\.id)).sorted()
        let rules = ids.map { id in
            let rule =
                allRules.first { id.hasPrefix($0.name + "/") }.map { ($0.reason, $0.specification) }
                ?? (id.hasPrefix(RunRule.name + "/") ? (RunRule.reason, RunRule.specification) : nil)
            let reason = rule?.0 ?? "what a recipe suppresses is there"
            return SarifLog.Rule(
                id: id, shortDescription: .init(text: id),
                fullDescription: .init(text: rule.map { "\(reason) (\($0.1))" } ?? reason))
        }
        let results = all.map { entry in
            SarifLog.Result(
                ruleId: entry.id, ruleIndex: ids.firstIndex(of: entry.id) ?? 0, level: entry.severity,
                message: .init(text: entry.wholeText), locations: [location(of: entry)],
                partialFingerprints: [
                    "finding/v1": [entry.id, entry.service ?? "", entry.path ?? ""].joined(separator: "\u{1F}")
                ], suppressions: entry.acceptedBecause.map { [.init(justification: $0)] } ?? [])
        }
        let log = SarifLog(
            runs: [.init(tool: .init(driver: .init(semanticVersion: toolVersion, rules: rules)), results: results)])
        return String(decoding: try recordBytes(log).dropLast(), as: UTF8.self)
    }

    private func location(of entry: Entry) -> SarifLog.Location {
        let logical = entry.service.map { [SarifLog.Logical(name: $0, kind: "module")] }
        guard let place = entry.location else {
            let uri = Self.reference(subject) + (entry.path.map { Self.reference($0) } ?? "")
            return .init(physicalLocation: .init(artifactLocation: .init(uri: uri)), logicalLocations: logical)
        }
        let uri = Self.reference(place.isInImage ? subject + place.file : place.file)
        return .init(
            physicalLocation: .init(
                artifactLocation: .init(uri: uri), region: .init(startLine: place.line, startColumn: place.column)),
            logicalLocations: logical)
    }

    /// A path as a URI reference (RFC 3986): what is not allowed in one as `%XX`.
    private static func reference(_ path: String) -> String {
        path.utf8.map { byte in
            let plain =
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "/-._~+@,=".utf8.contains(byte)
            if plain { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}

extension CheckReport.Entry {
    /// All that is said of it, in one text.
    fileprivate var wholeText: String {
        let parts = ["\(subject)\(message)"] + reasons + packages.map(\.text) + [remedy].compactMap { $0 }
        return parts.joined(separator: "\n")
    }
}
