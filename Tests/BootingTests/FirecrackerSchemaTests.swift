import Foundation
import RootfsModel
import Testing

@testable import Booting

/// firecracker.json, and the one of the documentation, against what Firecracker's API takes.
@Suite struct FirecrackerSchemaTests {
    @Test(arguments: [true, false], [true, false])
    func whatIsWrittenIsWhatFirecrackerTakes(hasInitrd: Bool, isReadOnly: Bool) throws {
        let text = try FirecrackerConfiguration(
            initrd: hasInitrd ? "initrd" : nil, image: "web.ext4", arguments: ["console=ttyS0", "reboot=k", "panic=1"],
            vcpus: 2, memory: 2048, isReadOnly: isReadOnly
        ).text()
        #expect(try Schema().mistakes(in: text) == [])
    }

    /// Firecracker's own arguments, which hold where none are given, turn the console off and forbid modules.
    @Test func theArgumentsReplaceFirecrackersOwn() throws {
        let text = try FirecrackerConfiguration(
            initrd: "initrd", image: "i", arguments: ["console=ttyS0", "reboot=k", "panic=1"], vcpus: 1, memory: 128
        ).text()
        guard case .object(let file) = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)),
            case .object(let source)? = file["boot-source"], case .string(let line)? = source["boot_args"]
        else {
            Issue.record("no boot_args in \(text)")
            return
        }
        let words = line.split(separator: " ")
        #expect(words.contains("console=ttyS0") && words.contains("root=/dev/vda"))
        #expect(!words.contains("nomodule") && !words.contains { $0.hasPrefix("8250.") })
    }

    /// The page for operators has this file's text with a network device.
    @Test func theDocumentedConfigurationsAreTaken() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/firecracker.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let blocks = text.components(separatedBy: "```json\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }
        #expect(!blocks.isEmpty)
        for block in blocks { #expect(try Schema().mistakes(in: "{\(block)}") == []) }
    }

    /// The schema would tell.
    @Test func mistakesAreTold() throws {
        let text = """
            {"boot-source": {"boot_args": 1, "kernel": "vmlinux"},
             "drives": [{"drive_id": "rootfs", "is_root_device": "yes", "cache_type": "Direct"}],
             "machine-config": {"vcpu_count": 33, "mem_size_mib": true},
             "network-interfaces": {}, "disks": []}
            """
        #expect(
            try Schema().mistakes(in: text) == [
                "boot-source.boot_args is no string", "boot-source.kernel is unknown",
                "boot-source.kernel_image_path is missing", "disks is unknown",
                "drives[0].cache_type is none of Unsafe, Writeback", "drives[0].is_root_device is no boolean",
                "machine-config.mem_size_mib is no integer", "machine-config.vcpu_count is not within 1...32",
                "network-interfaces is no array",
            ])
    }
}

/// As much of a JSON Schema as the definitions use; a property that they do not have is a mistake, as for Firecracker.
private struct Schema {
    struct Definition: Decodable {
        var reference: String?
        var type: String?
        var required: [String]?
        var properties: [String: Definition]?
        var items: [Definition]?
        var values: [String]?
        var minimum: Int?
        var maximum: Int?

        enum CodingKeys: String, CodingKey {
            case reference = "$ref"
            case values = "enum"
            case type, required, properties, items, minimum, maximum
        }

        init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            reference = try keys.decodeIfPresent(String.self, forKey: .reference)
            type = try keys.decodeIfPresent(String.self, forKey: .type)
            required = try keys.decodeIfPresent([String].self, forKey: .required)
            properties = try keys.decodeIfPresent([String: Definition].self, forKey: .properties)
            items = try keys.decodeIfPresent(Definition.self, forKey: .items).map { [$0] }
            values = try keys.decodeIfPresent([String].self, forKey: .values)
            minimum = try keys.decodeIfPresent(Int.self, forKey: .minimum)
            maximum = try keys.decodeIfPresent(Int.self, forKey: .maximum)
        }
    }

    private struct File: Decodable {
        var definitions: [String: Definition] = [:]

        private struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: Name.self)
            for name in keys.allKeys where name.stringValue != "about" {
                definitions[name.stringValue] = try keys.decode(Definition.self, forKey: name)
            }
        }
    }

    private let definitions: [String: Definition]

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "FirecrackerSchema.json")
        definitions = try JSONDecoder().decode(File.self, from: Data(contentsOf: file)).definitions
    }

    /// Sorted.
    func mistakes(in text: String) throws -> [String] {
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        return mistakes(in: value, as: try #require(definitions["FullVmConfiguration"]), at: "").sorted()
    }

    private func mistakes(in value: JSONValue, as definition: Definition, at path: String) -> [String] {
        if let name = definition.reference {
            guard let other = definitions[name] else { return ["the schema has no \(name)"] }
            return mistakes(in: value, as: other, at: path)
        }
        switch (definition.type, value) {
        case ("object", .object(let members)):
            guard let properties = definition.properties else { return [] }
            let missing = (definition.required ?? []).filter { members[$0] == nil }
            return missing.map { "\(path)\($0) is missing" }
                + members.flatMap { name, member in
                    guard let property = properties[name] else { return ["\(path)\(name) is unknown"] }
                    let isFolder = (property.reference ?? property.type) != nil && member.isObject
                    return mistakes(in: member, as: property, at: path + name + (isFolder ? "." : ""))
                }
        case ("array", .array(let elements)):
            return elements.enumerated().flatMap { index, element in
                definition.items.map {
                    mistakes(in: element, as: $0[0], at: "\(path)[\(index)]" + (element.isObject ? "." : ""))
                } ?? []
            }
        case ("string", .string(let text)):
            guard let values = definition.values, !values.contains(text) else { return [] }
            return ["\(path) is none of \(values.joined(separator: ", "))"]
        case ("integer", .integer(let number)):
            let bounds = (definition.minimum ?? .min)...(definition.maximum ?? .max)
            return bounds.contains(number) ? [] : ["\(path) is not within \(bounds)"]
        case ("boolean", .boolean): return []
        default:
            let name = path.hasSuffix(".") ? String(path.dropLast()) : path
            return ["\(name) is no \(definition.type ?? "value")"]
        }
    }
}

/// JSON, in which a truth value is no number.
private enum JSONValue: Decodable {
    case object([String: JSONValue])
    case array([JSONValue])
    case string(String)
    case integer(Int)
    case boolean(Bool)

    var isObject: Bool { if case .object = self { true } else { false } }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let truth = try? value.decode(Bool.self) {
            self = .boolean(truth)
        } else if let number = try? value.decode(Int.self) {
            self = .integer(number)
        } else if let text = try? value.decode(String.self) {
            self = .string(text)
        } else if let elements = try? value.decode([JSONValue].self) {
            self = .array(elements)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }
}
