import RootfsModel

/// What the rules for modules share: where files are, and what an object lacks.
struct ModuleCheck {
    let subject: CheckSubject
    let places: LibraryPlaces
    let objects: ObjectCheck
    /// Where PAM's modules are.
    let authenticationFolders: [TreePath]
    private let systemFolder: TreePath?

    init(_ subject: CheckSubject) throws {
        self.subject = subject
        places = LibraryPlaces(subject)
        objects = try ObjectCheck(subject, places)
        var folders = [TreePath]()
        for path in places.files(named: Array("pam_permit.so".utf8)) + places.files(named: Array("pam_unix.so".utf8)) {
            if let folder = path.parent, !folders.contains(folder) { folders.append(folder) }
        }
        authenticationFolders = folders
        systemFolder = places.files(named: Array("libc.so.6".utf8)).first?.parent
    }

    /// Where a package would bring a library: beside the C library.
    func place(of name: String) -> TreePath? { systemFolder?.appending(Array(name.utf8)) }

    func hasAuthenticationModule(_ name: String) -> Bool {
        if name.hasPrefix("/") { return subject.tree.resolve(bytes: Array(name.utf8)) != nil }
        // $ISA is Solaris' word for a folder that Linux has not.
        let bytes = Array(name.replacing("$ISA/", with: "").utf8)
        return authenticationFolders.contains { subject.tree.resolve(bytes: bytes, from: $0) != nil }
    }

    /// A finding for each thing that a module lacks.
    func lacks(
        of path: TreePath, _ id: String, _ severity: Severity, because reason: String, service: ServiceLoad? = nil
    ) throws -> [Finding] {
        try objects.lacks(of: path).map { lack in
            Finding(
                id, severity, "\(path) \(lack.clause)", service: service?.service, path: path,
                reasons: (service?.launch.reasons ?? []) + [reason],
                remedy: lack.library.map { "add the package that brings \(String(decoding: $0, as: UTF8.self))" }
                    ?? "take a build of it made for this distribution's release",
                missing: lack.library.flatMap { place(of: String(decoding: $0, as: UTF8.self)) },
                location: service?.launch.location)
        }
    }
}
