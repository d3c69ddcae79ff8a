public import Attesting
public import SystemPackage

/// The licences that an image's packages declare.
///
/// - Parameters:
///   - name: as the user named it.
///   - temporary: a folder for what must be decompressed.
/// - Throws: where it cannot be read, or has no dpkg database.
public func licences(of path: FilePath, name: String, temporary: FilePath) throws -> LicenceReport {
    let source = try AttestedSource(path, name: name, temporary: temporary)
    return try withExtendedLifetime(source.side) {
        var book = LicenceBook()
        return LicenceReport(image: name, packages: try source.licences(into: &book))
    }
}
