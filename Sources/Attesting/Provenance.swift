/// How an image was made, as an in-toto statement (v1) with SLSA's provenance (v1): what a build's records say, no more.
public struct Provenance: Sendable {
    /// A file or a folder, by its digest.
    public struct Resource: Sendable {
        public var name: String
        public var uri: String?
        /// SHA-256, hexadecimal.
        public var digest: String
        public var mediaType: String?
        public var annotations: [String: String]

        public init(
            name: String, uri: String? = nil, digest: String, mediaType: String? = nil,
            annotations: [String: String] = [:]
        ) {
            self.name = name
            self.uri = uri
            self.digest = digest
            self.mediaType = mediaType
            self.annotations = annotations
        }

        fileprivate var json: JSONValue {
            .object([
                "name": .text(name), "uri": .text(ifAny: uri), "digest": .object(["sha256": .text(digest)]),
                "mediaType": .text(ifAny: mediaType),
                "annotations": annotations.isEmpty ? nil : .object(annotations.mapValues { .text($0) }),
            ])
        }
    }

    /// What `externalParameters` and the other members mean: docs/attestations.md.
    public static let buildType = "urn:rootfs-build:build-type:image:1"
    /// Who built, where nobody says it: this program, wherever it ran.
    public static let builder = "urn:rootfs-build:builder:local"

    public var recipe: String
    public var recipeDigest: String
    /// The recipe's settings by name, variables put in, each as JSON text.
    public var settings: [String: String]
    /// The rules of normalising that were switched off.
    public var kept: [String]
    public var architecture: String
    /// Seconds since 1970.
    public var moment: Int64
    public var builder: String
    /// `rootfs-build`: its version; `program`: the checksum of its file.
    public var versions: [String: String]
    public var subjects: [Resource]
    public var dependencies: [Resource]
    public var byproducts: [Resource]

    public init(
        recipe: String, recipeDigest: String, settings: [String: String], kept: [String], architecture: String,
        moment: Int64, builder: String, versions: [String: String], subjects: [Resource], dependencies: [Resource],
        byproducts: [Resource]
    ) {
        self.recipe = recipe
        self.recipeDigest = recipeDigest
        self.settings = settings
        self.kept = kept
        self.architecture = architecture
        self.moment = moment
        self.builder = builder
        self.versions = versions
        self.subjects = subjects
        self.dependencies = dependencies
        self.byproducts = byproducts
    }

    public func statement() -> JSONValue {
        .object([
            "_type": .text("https://in-toto.io/Statement/v1"), "subject": .list(subjects.map(\.json)),
            "predicateType": .text("https://slsa.dev/provenance/v1"),
            "predicate": .object([
                "buildDefinition": .object([
                    "buildType": .text(Self.buildType),
                    "externalParameters": .object([
                        "recipe": .text(recipe), "recipeDigest": .text(recipeDigest),
                        "settings": .object(settings.mapValues { .text($0) }),
                        "keep": kept.isEmpty ? nil : .texts(kept),
                    ]),
                    "internalParameters": .object([
                        "architecture": .text(architecture), "sourceDateEpoch": .number(moment),
                    ]), "resolvedDependencies": .list(dependencies.map(\.json)),
                ]),
                "runDetails": .object([
                    "builder": .object(["id": .text(builder), "version": .object(versions.mapValues { .text($0) })]),
                    "byproducts": .list(ifAny: byproducts.map(\.json)),
                ]),
            ]),
        ])
    }
}
