/// A kernel's configuration: the text of `/boot/config-RELEASE`.
public struct KernelConfig: Sendable {
    public enum Setting: Hashable, Sendable {
        case builtIn
        case module
        case off
        /// A number or a string, without its quotes.
        case value(String)
    }

    private var settings: [String: Setting] = [:]

    /// Reads `CONFIG_X=…` and `# CONFIG_X is not set`; other lines mean nothing.
    public init(parsing bytes: [UInt8]) {
        for line in bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            let text = Substring(decoding: line, as: UTF8.self)
            if text.hasPrefix("CONFIG_"), let equals = text.firstIndex(of: "=") {
                let name = text[..<equals].dropFirst("CONFIG_".count)
                let value = text[text.index(after: equals)...]
                settings[String(name)] =
                    switch value {
                    case "y": .builtIn
                    case "m": .module
                    case "n": .off
                    default:
                        if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
                            .value(String(value.dropFirst().dropLast()))
                        } else {
                            .value(String(value))
                        }
                    }
            } else if text.hasPrefix("# CONFIG_"), text.hasSuffix(" is not set") {
                settings[String(text.dropFirst("# CONFIG_".count).dropLast(" is not set".count))] = .off
            }
        }
    }

    public init(parsing text: String) {
        self.init(parsing: Array(text.utf8))
    }

    /// The setting of `VIRTIO_BLK`, with or without `CONFIG_` in front; what the text does not mention is off.
    public subscript(name: String) -> Setting {
        settings[name.hasPrefix("CONFIG_") ? String(name.dropFirst("CONFIG_".count)) : name] ?? .off
    }

    public func isBuiltIn(_ name: String) -> Bool { self[name] == .builtIn }
    public func isModule(_ name: String) -> Bool { self[name] == .module }
    /// What is set, by its whole name: `y`, `m` or a value.
    public var options: [String: String] {
        var options = [String: String]()
        for (name, setting) in settings {
            options["CONFIG_" + name] =
                switch setting {
                case .builtIn: "y"
                case .module: "m"
                case .off: nil
                case .value(let value): value
                }
        }
        return options
    }

    /// Whether the text holds no setting at all: it is no configuration.
    public var isEmpty: Bool { settings.isEmpty }
}
