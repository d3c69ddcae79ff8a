import RootfsModel

/// What one object lacks by itself, as the loader would see it when a program opens it later with dlopen(3). Whoever opens
/// it may have loaded its libraries before or set a path, so what is anywhere in the tree is taken to be found.
final class ObjectCheck {
    private let subject: CheckSubject
    private let loaders: Loaders
    private let places: LibraryPlaces

    init(_ subject: CheckSubject, _ places: LibraryPlaces) throws {
        self.subject = subject
        self.places = places
        self.loaders = try Loaders(subject)
    }

    struct Lack: Hashable {
        /// What lacks, as a clause that follows the object's name.
        var clause: String
        /// The library that is missing; nil for one that is too old.
        var library: [UInt8]?
    }

    /// What an object lacks; nothing where it is no object that glibc's loader takes.
    func lacks(of path: TreePath) throws -> [Lack] {
        guard let file = try subject.elfFile(at: path), file.isDynamic,
            file.kind == .shared || file.kind == .executable,
            !file.needed.contains(where: { $0.starts(with: "libc.musl".utf8) || $0.elementsEqual("libc.so".utf8) }),
            let loader = try loaders.loader(for: file) ?? loaders.loader(forLibrary: file)
        else { return [] }
        if file.isCutOff { return [Lack(clause: file.defect ?? "is cut off")] }
        let process = try ProcessLoader.direct(path, file, loader)
        var lacks = [Lack]()
        for lack in process.lacks where places.files(named: lack.name).isEmpty {
            let name = String(decoding: lack.name, as: UTF8.self)
            lacks.append(Lack(clause: "needs \(name), which the image does not have", library: lack.name))
        }
        for (provider, versions) in unmet(
            of: file,
            by: { name in
                process.objects.dropFirst().first { $0.names.contains(name) }.map { ($0.path, $0.file) }
            })
        {
            lacks.append(
                Lack(clause: "needs \(versions.joined(separator: ", ")), which \(provider.path) does not have"))
        }
        return lacks
    }
}
