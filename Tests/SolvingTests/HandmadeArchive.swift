import Debian
import RootfsModel
import Solving

/// A universe of handmade stanzas, one index for each text, in order. A stanza is written in one line for each field;
/// Version and Architecture default to 1 and all.
func universe(
    _ texts: String..., priorities: [Int] = [], architecture: String = "amd64", exclude: [String] = [], pins: [Pin] = []
) throws -> Universe {
    var sources = [Universe.Source]()
    for (number, text) in texts.enumerated() {
        let stanzas = text.split(separator: "\n\n").map { stanza -> String in
            var stanza = String(stanza)
            if !stanza.contains("Version:") { stanza += "\nVersion: 1" }
            if !stanza.contains("Architecture:") { stanza += "\nArchitecture: all" }
            return stanza
        }
        let index = try PackageIndex(parsing: Array(stanzas.joined(separator: "\n\n").utf8), file: "Packages \(number)")
        sources.append(
            Universe.Source(
                pocket: "pocket\(number)", index: index,
                priority: priorities.indices.contains(number) ? priorities[number] : 500))
    }
    return try Universe(
        architecture: architecture, sources: sources, exclude: exclude.map { Exclusion($0) }, pins: pins)
}

extension Universe {
    /// The names that the requests of one layer become, sorted.
    func install(_ requests: String...) throws -> [String] {
        try solve([LayerRequests(layer: "asked", requests: requests.map { try Request(parsing: $0) })])
            .packages.map(\.stanza.name)
    }

    /// `name version`.
    func versions(_ requests: String...) throws -> [String] {
        try solve([LayerRequests(layer: "asked", requests: requests.map { try Request(parsing: $0) })])
            .packages.map { "\($0.stanza.name) \($0.stanza.version)" }
    }

    /// The whole message of requests that cannot be satisfied.
    func message(_ requests: String...) throws -> String {
        do {
            let solution = try solve([
                LayerRequests(layer: "asked", requests: requests.map { try Request(parsing: $0) })
            ])
            return "solved: " + solution.packages.map(\.stanza.name).joined(separator: " ")
        } catch {
            return "\(error)"
        }
    }
}
