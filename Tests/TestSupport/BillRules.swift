import Foundation

/// What has to be true of a bill of materials, by rules of our own: the forms in Rules/, and that all that is named is there.
public enum BillRules {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Rules")

    /// What is wrong; nothing where all is as it is to be.
    public static func faults(spdx document: JSON) throws -> [String] {
        var faults = try faults(of: document, "spdx.json")
        let elements = document.list("packages") + document.list("files")
        let ids = elements.compactMap { $0["SPDXID"]?.string } + ["SPDXRef-DOCUMENT"]
        let known = Set(ids)
        if known.count != ids.count { faults.append("an SPDXID stands twice") }
        for relationship in document.list("relationships") {
            for end in ["spdxElementId", "relatedSpdxElement"] {
                let id = relationship[end]?.string ?? ""
                if !known.contains(id) { faults.append("\(id) is related and not there") }
            }
        }
        let licences = Set(document.list("hasExtractedLicensingInfos").compactMap { $0["licenseId"]?.string })
        for package in document.list("packages") {
            for word in references(package["licenseDeclared"]?.string ?? "") where !licences.contains(word) {
                faults.append("\(word) is not told")
            }
        }
        if !document.list("relationships").contains(where: { $0["relationshipType"]?.string == "DESCRIBES" }) {
            faults.append("it describes nothing")
        }
        return faults
    }

    /// Likewise.
    public static func faults(cycloneDX document: JSON) throws -> [String] {
        var faults = try faults(of: document, "cyclonedx.json")
        let image = document["metadata"]?["component"]
        let ids = ([image].compactMap(\.self) + document.list("components")).flatMap(references(of:))
        let known = Set(ids)
        if known.count != ids.count { faults.append("a bom-ref stands twice") }
        for dependency in document.list("dependencies") {
            let others = dependency.list("dependsOn").compactMap(\.string)
            if Set(others).count != others.count { faults.append("\(others) has one twice") }
            for id in [dependency["ref"]?.string ?? ""] + others where !known.contains(id) {
                faults.append("\(id) is needed and not there")
            }
        }
        return faults
    }

    private static func faults(of document: JSON, _ rules: String) throws -> [String] {
        let text = try String(contentsOf: folder.appending(path: rules), encoding: .utf8)
        var validator = SchemaValidator(root: try JSON(text: text))
        return try validator.accepts(document) ? [] : ["it has not the form of \(rules)"]
    }

    private static func references(_ expression: String) -> [String] {
        expression.split { " ()".contains($0) }.map(String.init).filter { $0.hasPrefix("LicenseRef-") }
    }

    private static func references(of component: JSON) -> [String] {
        [component["bom-ref"]?.string].compactMap(\.self) + component.list("components").flatMap(references(of:))
    }
}

extension JSON {
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The values of a member that is a list; none where it is not.
    public func list(_ key: String) -> [JSON] {
        if case .array(let values)? = self[key] { values } else { [] }
    }
}
