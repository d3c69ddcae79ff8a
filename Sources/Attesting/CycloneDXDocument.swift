internal import RootfsModel

extension AttestedImage {
    /// The image as a CycloneDX 1.6 document.
    public func cycloneDX() -> JSONValue {
        let urls = packages.map { package in
            url(of: package) + (package.isInstalled ? "" : "#\(package.purpose ?? "other")")
        }
        let owned = Dictionary(grouping: (files ?? []).indices, by: { files?[$0].owner })
        var components = bootFiles.map(component)
        components += packages.enumerated().map { component($1, urls[$0], owned[$0] ?? []) }
        components += overlays.enumerated().map { component($1, number: $0 + 1) }
        components += (owned[nil] ?? []).compactMap(fileComponent)
        return .object([
            "bomFormat": .text("CycloneDX"), "specVersion": .text("1.6"), "version": .number(1),
            "serialNumber": .text("urn:uuid:\(uuid("cyclonedx"))"),
            "metadata": .object([
                "timestamp": .text(isoTime(moment)),
                "tools": .object([
                    "components": .list([
                        .object([
                            "type": .text("application"), "name": .text("rootfs-build"), "version": .text(toolVersion),
                        ])
                    ])
                ]),
                "component": .object([
                    "type": .text("operating-system"), "bom-ref": .text(Self.imageReference), "name": .text(name),
                    "version": .text(contentHash.description), "description": .text(ifAny: description),
                    "hashes": imageHash.map { .list([hash($0)]) },
                    "properties": properties([("architecture", architecture), ("contentHash", contentHash.description)]
                    ),
                ]),
            ]),
            "components": .list(components), "dependencies": .list(dependencyList(urls)),
        ])
    }

    private static let imageReference = "image"

    private func component(_ file: BootFile) -> JSONValue {
        .object([
            "type": .text("operating-system"), "bom-ref": .text(reference(to: file)), "name": .text(file.name),
            "version": .text(ifAny: file.version), "hashes": .list([hash(file.digest)]),
        ])
    }

    private func component(_ package: Package, _ url: String, _ owned: [Int]) -> JSONValue {
        let maintainer = package.maintainer.map(maintainerParts)
        let licence = package.licence
        let isKnown = licence.map { $0.expression != PackageLicence.unknown } ?? false
        let sources = package.source.map { source in
            [
                JSONValue.object([
                    "type": .text("library"), "name": .text(source.name), "version": .text(source.version),
                    "purl": .text(self.url(ofSource: source, of: package)),
                ])
            ]
        }
        return .object([
            "type": .text("library"), "bom-ref": .text(url), "name": .text(package.name),
            "version": .text(package.version), "purl": .text(self.url(of: package)),
            "description": .text(ifAny: package.summary),
            "supplier": maintainer.map { name, address in
                .object([
                    "name": .text(name), "contact": address.map { .list([.object(["email": .text($0)])]) },
                ])
            },
            "licenses": isKnown
                ? licence.map {
                    .list([.object(["expression": .text($0.expression), "acknowledgement": .text("declared")])])
                } : nil,
            "hashes": package.digest.map { .list([hash($0)]) },
            "pedigree": sources.map { .object(["ancestors": .list($0)]) },
            "externalReferences": package.homepage.flatMap(webAddress).map {
                .list([.object(["type": .text("website"), "url": .text($0)])])
            },
            "components": .list(ifAny: owned.compactMap(fileComponent)),
            "properties": properties([
                ("layer", package.isInstalled ? package.purpose : nil),
                ("role", package.isInstalled ? nil : package.purpose), ("poolPath", package.poolPath),
                ("license", licence?.because),
            ]),
        ])
    }

    private func component(_ overlay: Overlay, number: Int) -> JSONValue {
        .object([
            "type": .text("data"), "bom-ref": .text("overlay-\(number)"), "name": .text(overlay.name),
            "properties": properties([
                ("target", overlay.target), ("listingDigest", overlay.digest.isEmpty ? nil : overlay.digest),
            ]),
        ])
    }

    private func fileComponent(_ number: Int) -> JSONValue? {
        guard let file = files?[number] else { return nil }
        return .object([
            "type": .text("file"), "bom-ref": .text("file-\(number + 1)"), "name": .text("/" + file.path),
            "hashes": .list([hash(file.digest)]),
        ])
    }

    private func dependencyList(_ urls: [String]) -> [JSONValue] {
        let files = bootFiles.map { reference(to: $0) }
        let installed = packages.indices.filter { packages[$0].isInstalled }.map { urls[$0] }
        let folders = overlays.indices.map { "overlay-\($0 + 1)" }
        var all = [dependency(Self.imageReference, files + installed + folders)]
        all += bootFiles.map { file in
            let sources = packages.indices.filter { file.roles.contains(packages[$0].purpose ?? "") }
            return dependency(reference(to: file), sources.map { urls[$0] })
        }
        all += dependencies().enumerated().map { index, others in dependency(urls[index], others.map { urls[$0] }) }
        return all + folders.map { dependency($0, []) }
    }

    private func dependency(_ reference: String, _ others: [String]) -> JSONValue {
        .object(["ref": .text(reference), "dependsOn": others.isEmpty ? nil : .texts(others)])
    }

    private func reference(to file: BootFile) -> String { "boot:\(file.name)" }

    private func hash(_ digest: Digest) -> JSONValue {
        .object(["alg": .text("SHA-256"), "content": .text(digest.hex)])
    }

    private func properties(_ values: [(name: String, value: String?)]) -> JSONValue? {
        .list(
            ifAny: values.compactMap { name, value in
                value.map { .object(["name": .text("rootfs-build:\(name)"), "value": .text($0)]) }
            })
    }
}
