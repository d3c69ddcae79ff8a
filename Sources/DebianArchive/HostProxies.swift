import Glibc
import RootfsModel
import Storage
public import SystemPackage

extension ProxySettings {
    /// The proxies that the host's APT uses: `Acquire::http::Proxy` and `Acquire::https::Proxy` of apt.conf and
    /// apt.conf.d (apt.conf(5)); HTTPS takes the one for HTTP where it has none of its own, as APT does. Empty where
    /// APT names none: the environment decides then. Settings for single hosts and proxy programs are not read; a file
    /// that cannot be parsed counts up to where it can.
    public init(readingConfigurationAt directory: FilePath) {
        var values = [String: String]()
        let parts = directory.appending("apt.conf.d")
        let names = ((try? directoryNames(at: parts)) ?? []).map { String(decoding: $0, as: UTF8.self) }.sorted()
        for name in names where !name.contains(".") || name.hasSuffix(".conf") {
            if let bytes = try? readFile(at: parts.appending(name)) { readAPTConfiguration(bytes, into: &values) }
        }
        if let bytes = try? readFile(at: directory.appending("apt.conf")) { readAPTConfiguration(bytes, into: &values) }
        let http = values["acquire::http::proxy"].flatMap(Self.proxy)
        self.init(http: http, https: values["acquire::https::proxy"].flatMap(Self.proxy) ?? http)
    }

    /// libcurl takes an empty text for "no proxy, whatever the environment says": APT's DIRECT.
    private static func proxy(_ value: String) -> String? {
        if value.isEmpty { return nil }
        return value.uppercased() == "DIRECT" ? "" : value
    }
}

/// Reads an apt.conf text: `A::B "value";` and `A { B "value"; };`. Names in lower case; the last value wins.
func readAPTConfiguration(_ bytes: [UInt8], into values: inout [String: String]) {
    var scopes = [String]()
    var words = [String]()
    for token in aptTokens(bytes) {
        switch token {
        case .word(let text): words.append(text)
        case .open:
            scopes.append(words.first?.lowercased() ?? "")
            words = []
        case .close:
            _ = scopes.popLast()
            words = []
        case .end:
            if words.count >= 2 {
                let name = (scopes + [words[0].lowercased()]).filter { !$0.isEmpty }.joined(separator: "::")
                values[name] = words[1]
            }
            words = []
        }
    }
}

private enum APTToken {
    case word(String)
    case open, close, end
}

private func aptTokens(_ bytes: [UInt8]) -> [APTToken] {
    var tokens = [APTToken]()
    var rest = bytes[...]
    func starts(_ text: String) -> Bool { rest.starts(with: text.utf8) }
    while let byte = rest.first {
        switch byte {
        case UInt8(ascii: " "), 9, 10, 13: rest.removeFirst()
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ";"):
            tokens.append(byte == UInt8(ascii: "{") ? .open : byte == UInt8(ascii: "}") ? .close : .end)
            rest.removeFirst()
        case UInt8(ascii: "\""):
            rest.removeFirst()
            let text = rest.prefix { $0 != UInt8(ascii: "\"") && $0 != 10 }
            tokens.append(.word(String(decoding: text, as: UTF8.self)))
            rest = rest.dropFirst(text.count + 1)
        case UInt8(ascii: "#"): rest = rest.drop { $0 != 10 }
        case _ where starts("//"): rest = rest.drop { $0 != 10 }
        case _ where starts("/*"):
            while !rest.isEmpty && !starts("*/") { rest.removeFirst() }
            rest = rest.dropFirst(2)
        default:
            let text = rest.prefix { !" \t\r\n{};\"".utf8.contains($0) }
            tokens.append(.word(String(decoding: text, as: UTF8.self)))
            rest = rest.dropFirst(text.count)
        }
    }
    return tokens
}
