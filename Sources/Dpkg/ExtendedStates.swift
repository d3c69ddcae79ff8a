/// apt's own memory, /var/lib/apt/extended_states: which packages came only because others need them.
public enum ExtendedStates {
    /// The file's bytes for these packages, sorted by name. apt takes packages for all architectures as its own.
    public static func bytes(
        autoInstalled: [(name: String, architecture: String)], nativeArchitecture: String
    ) -> [UInt8] {
        let stanzas = autoInstalled.map { package in
            (package.name, package.architecture == "all" ? nativeArchitecture : package.architecture)
        }
        let text = stanzas.sorted { $0 < $1 }.map { name, architecture in
            "Package: \(name)\nArchitecture: \(architecture)\nAuto-Installed: 1\n\n"
        }
        return Array(text.joined().utf8)
    }
}
