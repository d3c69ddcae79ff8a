internal import RootfsModel

extension AttestedImage {
    /// The image as an SPDX 2.3 document. The `files` need their SHA-1, which the form demands.
    public func spdx() -> JSONValue {
        let names = SPDXNames(self)
        let owned = filesByOwner()
        var elements = [imageElement(owned[nil] ?? [])]
        elements += bootFiles.map(element)
        elements += packages.enumerated().map { element($1, names.packages[$0], owned[$0] ?? []) }
        elements += names.sources.compactMap { element(ofSource: packages[$0.example], $0.id) }
        elements += overlays.enumerated().map { element($1, number: $0 + 1) }
        let licences = licences.entries.keys.sorted().map { reference in
            JSONValue.object([
                "licenseId": .text(reference), "name": .text(ifAny: self.licences.entries[reference]?.name),
                "extractedText": .text(ifAny: self.licences.entries[reference]?.text),
            ])
        }
        return .object([
            "SPDXID": .text("SPDXRef-DOCUMENT"), "spdxVersion": .text("SPDX-2.3"), "dataLicense": .text("CC0-1.0"),
            "name": .text(name), "documentNamespace": .text("urn:uuid:\(uuid("spdx"))"),
            "creationInfo": .object([
                "created": .text(isoTime(moment)), "creators": .texts(["Tool: rootfs-build-\(toolVersion)"]),
                "comment": .text("created is the image's moment: no time in the image is later"),
            ]),
            "packages": .list(elements), "files": files.map { .list($0.enumerated().map { element($1, $0) }) },
            "hasExtractedLicensingInfos": .list(ifAny: licences),
            "relationships": .list(relationships(names, owned)),
        ])
    }

    private func filesByOwner() -> [Int?: [Int]] {
        Dictionary(grouping: (files ?? []).indices, by: { files?[$0].owner })
    }

    /// What every package has to say.
    private func element(
        _ id: String, _ name: String, _ members: [String: JSONValue?], files owned: [Int] = []
    ) -> JSONValue {
        var all: [String: JSONValue?] = [
            "SPDXID": .text(id), "name": .text(name), "downloadLocation": .text(PackageLicence.unknown),
            "filesAnalyzed": .boolean(!owned.isEmpty), "licenseConcluded": .text(PackageLicence.unknown),
            "licenseDeclared": .text(PackageLicence.unknown), "copyrightText": .text(PackageLicence.unknown),
        ]
        if !owned.isEmpty {
            all["packageVerificationCode"] = .object(["packageVerificationCodeValue": .text(verificationCode(owned))])
            all["licenseInfoFromFiles"] = .texts([PackageLicence.unknown])
        }
        return .object(all.merging(members) { $1 })
    }

    private func imageElement(_ owned: [Int]) -> JSONValue {
        element(
            SPDXNames.image, name,
            [
                "versionInfo": .text(contentHash.description), "summary": .text(ifAny: description),
                "primaryPackagePurpose": .text("OPERATING-SYSTEM"),
                "checksums": imageHash.map { .list([checksum($0)]) },
                "comment": .text("versionInfo is the digest of the image's listing"),
            ], files: owned)
    }

    private func element(_ file: BootFile) -> JSONValue {
        element(
            SPDXNames.id(of: file), file.name,
            [
                "versionInfo": .text(ifAny: file.version), "primaryPackagePurpose": .text("OPERATING-SYSTEM"),
                "checksums": .list([checksum(file.digest)]), "packageFileName": .text(file.name),
            ])
    }

    private func element(_ package: Package, _ id: String, _ owned: [Int]) -> JSONValue {
        let licence = package.licence
        let fileName = package.poolPath.flatMap { $0.split(separator: "/").last }.map(String.init)
        let origin = package.poolPath.map { "from the archive's \($0)" }
        let role = package.isInstalled ? nil : package.purpose.map { "not installed: the \($0) is made from it" }
        return element(
            id, package.name,
            [
                "versionInfo": .text(package.version), "supplier": .text(ifAny: package.maintainer.map(supplier)),
                "summary": .text(ifAny: package.summary),
                "homepage": .text(ifAny: package.homepage.flatMap(webAddress)),
                "checksums": package.digest.map { .list([checksum($0)]) }, "packageFileName": .text(ifAny: fileName),
                "sourceInfo": .text(ifAny: origin), "comment": .text(ifAny: role),
                "licenseDeclared": .text(licence?.expression ?? PackageLicence.unknown),
                "licenseComments": .text(ifAny: licence?.because),
                "externalRefs": reference(url(of: package)),
            ], files: owned)
    }

    private func element(ofSource package: Package, _ id: String) -> JSONValue? {
        guard let source = package.source else { return nil }
        return element(
            id, source.name,
            [
                "versionInfo": .text(source.version), "primaryPackagePurpose": .text("SOURCE"),
                "externalRefs": reference(url(ofSource: source, of: package)),
            ])
    }

    private func element(_ overlay: Overlay, number: Int) -> JSONValue {
        element(
            SPDXNames.overlay(number), overlay.name,
            [
                "primaryPackagePurpose": .text("SOURCE"), "comment": .text("a folder, laid over \(overlay.target)"),
                "sourceInfo": overlay.digest.isEmpty ? nil : .text("the digest of its listing is \(overlay.digest)"),
            ])
    }

    private func element(_ file: File, _ number: Int) -> JSONValue {
        .object([
            "SPDXID": .text(SPDXNames.file(number)), "fileName": .text("./" + file.path),
            "checksums": .list([
                checksum(file.digest),
                .object(["algorithm": .text("SHA1"), "checksumValue": .text(file.sha1 ?? "")]),
            ]), "licenseConcluded": .text(PackageLicence.unknown),
            "licenseInfoInFiles": .texts([PackageLicence.unknown]), "copyrightText": .text(PackageLicence.unknown),
        ])
    }

    private func relationships(_ names: SPDXNames, _ owned: [Int?: [Int]]) -> [JSONValue] {
        var all = [JSONValue]()
        func relate(_ from: String, _ kind: String, _ to: String) {
            all.append(
                .object([
                    "spdxElementId": .text(from), "relationshipType": .text(kind), "relatedSpdxElement": .text(to),
                ]))
        }
        relate("SPDXRef-DOCUMENT", "DESCRIBES", SPDXNames.image)
        for file in bootFiles {
            relate(SPDXNames.image, "DEPENDS_ON", SPDXNames.id(of: file))
            for (index, package) in packages.enumerated() where file.roles.contains(package.purpose ?? "") {
                relate(SPDXNames.id(of: file), "GENERATED_FROM", names.packages[index])
            }
        }
        for number in overlays.indices { relate(SPDXNames.image, "CONTAINS", SPDXNames.overlay(number + 1)) }
        for (index, others) in dependencies().enumerated() {
            let id = names.packages[index]
            if packages[index].isInstalled { relate(SPDXNames.image, "CONTAINS", id) }
            for other in others { relate(id, "DEPENDS_ON", names.packages[other]) }
            if let source = SPDXNames.source(of: packages[index]) { relate(id, "GENERATED_FROM", source) }
            for file in owned[index] ?? [] { relate(id, "CONTAINS", SPDXNames.file(file)) }
        }
        for file in owned[nil] ?? [] { relate(SPDXNames.image, "CONTAINS", SPDXNames.file(file)) }
        return all
    }

    /// SPDX 2.3, 7.9: the digest of the files' digests.
    private func verificationCode(_ owned: [Int]) -> String {
        let digests = owned.compactMap { files?[$0].sha1 }.sorted().joined()
        var hasher = SHA1Hasher()
        digests.utf8.withContiguousStorageIfAvailable { hasher.update(UnsafeRawBufferPointer($0)) }
        return hasher.hex
    }

    private func checksum(_ digest: Digest) -> JSONValue {
        .object(["algorithm": .text("SHA256"), "checksumValue": .text(digest.hex)])
    }

    private func reference(_ url: String) -> JSONValue {
        .list([
            .object([
                "referenceCategory": .text("PACKAGE-MANAGER"), "referenceType": .text("purl"),
                "referenceLocator": .text(url),
            ])
        ])
    }

    /// A person or a team, as far as a name tells.
    private func supplier(_ maintainer: String) -> String {
        let (name, address) = maintainerParts(maintainer)
        let words = ["team", "maintainers", "group", "developers", "project", "packagers", "task force"]
        let isTeam = words.contains { name.lowercased().contains($0) } || address?.contains("@lists.") == true
        // Brackets hold the address here.
        let plain = name.filter { !"()".contains($0) }
        return (isTeam ? "Organization: " : "Person: ") + plain + (address.map { " (\($0))" } ?? "")
    }
}

/// The address of a site, where it is one.
func webAddress(_ text: String) -> String? {
    let isAddress = ["http://", "https://"].contains { text.hasPrefix($0) && text.count > $0.count }
    let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}[]".utf8.contains($0) }
    return isAddress && isPlain ? text : nil
}
