import Debian
public import RootfsModel
import Storage
public import SystemPackage

/// One archive address that the host's APT uses: one URI, one suite.
public struct HostSource: Hashable, Sendable {
    /// Without slashes at its end: `http://deb.example.org/debian`.
    public var uri: String
    public var suite: String
    public var components: [String]
    /// Empty: all of the host's.
    public var architectures: [String]
    /// Files or fingerprints; an embedded key is not kept. What is fetched from here is checked with the files; a
    /// fingerprint and an embedded key change nothing, the distribution's keyring counts.
    public var signedBy: [String]
    /// The file it stands in, and the line.
    public var file: String
    public var line: Int
}

/// The host's APT sources as values: deb822 files (`*.sources`) and one-line files (`sources.list`, `*.list`).
/// sources.list(5). Source packages, disabled stanzas and addresses of other methods (cdrom, tor) are left out; a file
/// that cannot be read or parsed is named in `problems` and stops nothing.
public struct HostSources: Hashable, Sendable {
    /// In APT's order: sources.list, then the files of sources.list.d by name.
    public var sources: [HostSource] = []
    public var problems: [String] = []

    public init() {}

    /// Reads an APT configuration directory, `/etc/apt` by default. One that is not there has no sources.
    public init(readingConfigurationAt directory: FilePath) {
        let main = directory.appending("sources.list")
        if exists(main) { read(main, deb822: false) }
        let parts = directory.appending("sources.list.d")
        guard exists(parts) else { return }
        do throws(Failure) {
            for name in try directoryNames(at: parts).map({ String(decoding: $0, as: UTF8.self) }).sorted() {
                // APT takes no other names, so that editors' backups stay out.
                guard name.utf8.allSatisfy({ isNameByte($0) }) else { continue }
                if name.hasSuffix(".list") { read(parts.appending(name), deb822: false) }
                if name.hasSuffix(".sources") { read(parts.appending(name), deb822: true) }
            }
        } catch {
            problems.append(error.message)
        }
    }

    /// Parses one file's text.
    public mutating func parse(_ text: [UInt8], file: String, deb822: Bool) throws(Failure) {
        if deb822 { try parseStanzas(text, file: file) } else { try parseLines(text, file: file) }
    }

    private mutating func read(_ path: FilePath, deb822: Bool) {
        do throws(Failure) {
            try parse(try readFile(at: path), file: path.string, deb822: deb822)
        } catch {
            let place = error.location.map { "\($0.file):\($0.line): " } ?? ""
            problems.append(place + error.message)
        }
    }

    private mutating func parseStanzas(_ text: [UInt8], file: String) throws(Failure) {
        for stanza in try Stanza.parse(text, file: file) {
            func words(_ name: String) -> [String] {
                (stanza[name] ?? "").split(whereSeparator: { $0.isWhitespace }).map(String.init)
            }
            guard words("Types").contains("deb"), isOn(stanza["Enabled"] ?? "yes") else { continue }
            let signedBy = (stanza["Signed-By"] ?? "").contains("BEGIN PGP") ? [] : words("Signed-By")
            let uris = expand(words("URIs"), file: file)
            for uri in uris {
                for suite in words("Suites") {
                    sources.append(
                        HostSource(
                            uri: uri, suite: suite, components: words("Components"),
                            architectures: words("Architectures"),
                            signedBy: signedBy, file: file, line: stanza.line))
                }
            }
        }
    }

    private mutating func parseLines(_ text: [UInt8], file: String) throws(Failure) {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let line = String(decoding: bytes, as: UTF8.self)
            var rest = line.prefix { $0 != "#" }
            rest = rest.drop { $0.isWhitespace }
            let type = rest.prefix { !$0.isWhitespace && $0 != "[" }
            if type != "deb" { continue }
            rest = rest.dropFirst(type.count).drop { $0.isWhitespace }
            var options = [String: [String]]()
            if rest.first == "[" {
                guard let end = rest.firstIndex(of: "]") else {
                    throw Failure(
                        "an option list without its ]",
                        at: SourceLocation(file: file, line: index + 1, column: 1, text: line))
                }
                for option in rest[..<end].dropFirst().split(whereSeparator: { $0.isWhitespace }) {
                    guard let equals = option.firstIndex(of: "=") else { continue }
                    let name = option[..<equals].lowercased()
                    options[name] = option[option.index(after: equals)...].split(separator: ",").map(String.init)
                }
                rest = rest[rest.index(after: end)...]
            }
            let words = rest.split(whereSeparator: { $0.isWhitespace }).map(String.init)
            guard words.count >= 2 else {
                throw Failure(
                    "expected `deb URI SUITE COMPONENT…`",
                    at: SourceLocation(file: file, line: index + 1, column: 1, text: line))
            }
            for uri in expand([words[0]], file: file) {
                sources.append(
                    HostSource(
                        uri: uri, suite: words[1], components: Array(words.dropFirst(2)),
                        architectures: options["arch"] ?? options["architectures"] ?? [],
                        signedBy: options["signed-by"] ?? [], file: file, line: index + 1))
            }
        }
    }

    /// The addresses we can fetch from, in one form. `mirror+file:` names a file with one address a line, as cloud
    /// images have it.
    private mutating func expand(_ uris: [String], file: String) -> [String] {
        var result = [String]()
        for uri in uris {
            if uri.hasPrefix("mirror+file:") {
                let path = FilePath("/" + uri.dropFirst("mirror+file:".count).drop { $0 == "/" })
                do throws(Failure) {
                    for line in String(decoding: try readFile(at: path), as: UTF8.self).split(separator: "\n") {
                        guard let first = line.split(whereSeparator: { $0.isWhitespace }).first, first.first != "#"
                        else { continue }
                        if let address = archiveAddress(String(first)) { result.append(address) }
                    }
                } catch {
                    problems.append("\(file): \(error.message)")
                }
            } else if let address = archiveAddress(uri) {
                result.append(address)
            }
        }
        return result
    }
}

/// An archive's address in one form, without slashes at its end; nil for what is fetched by no way we have.
/// `file:/srv/debian` and `copy:/srv/debian`, APT's spellings, become `file:///srv/debian`.
func archiveAddress(_ text: String) -> String? {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let scheme = text[..<colon].lowercased()
    var rest = text[text.index(after: colon)...]
    while rest.hasSuffix("/") { rest.removeLast() }
    switch scheme {
    case "http", "https":
        guard rest.hasPrefix("//"), rest.count > 2 else { return nil }
        return "\(scheme):\(rest)"
    case "file", "copy":
        // Two slashes may have `localhost` behind them; what follows is an absolute path in any case.
        if rest.hasPrefix("//localhost/") { rest = rest.dropFirst("//localhost".count) }
        return "file:///" + rest.drop { $0 == "/" }
    default: return nil
    }
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
    default: false
    }
}

/// APT's reading of a switch.
private func isOn(_ value: String) -> Bool {
    !["no", "false", "without", "off", "disable", "0"].contains(value.lowercased())
}
