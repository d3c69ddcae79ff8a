import RootfsModel

/// Node's internationalisation data: inside, in a library, or in a file of exactly its version.
public struct ICURule: Rule {
    public static let name = "icu"
    public static let reason = "Node without the ICU data that it was told of exits with status 9 before it runs a line"
    public static let specification =
        "Node's documentation, Internationalization support; its src/node_i18n.cc (InitializeICUDirectory)"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        try subject.nodeInvocations().flatMap { invocation -> [Finding] in
            guard let build = try subject.nodeBuild(of: invocation.program) else { return [] }
            switch build.icu {
            case .none, .full: return []
            case .shared: return invocation.asStarted(try libraryFindings(build, invocation, in: subject))
            case .small: return invocation.asStarted(try fileFindings(build, invocation, in: subject))
            }
        }
    }

    /// A libicudata of all languages has some 30 MB; one without data (ICU's stubdata) some 10 kB.
    private static let leastData: UInt64 = 1 << 20

    private func libraryFindings(_ build: NodeBuild, _ invocation: NodeInvocation, in subject: CheckSubject) throws
        -> [Finding]
    {
        guard let version = build.icuVersion else { return [] }
        let start = [
            "\(invocation.serviceCommand.role) runs \(invocation.program)",
            "\(build.path) was built with the system's ICU \(version)",
        ]
        return ["libicui18n.so.\(version)", "libicuuc.so.\(version)", "libicudata.so.\(version)"].compactMap { name in
            let folder = build.path.parent ?? .root
            // Beside libnode, where the loader finds both, or in a folder that it knows.
            let beside = subject.tree.resolve(folder.appending(name.utf8))
            guard let path = beside ?? subject.libraryFile(Array(name.utf8)), let blob = subject.tree[path]?.blob else {
                let wanted = folder.appending(name.utf8)
                // A Node elsewhere may bring its own by RPATH; then the loader's rule speaks.
                guard folder.isWithin("usr/lib") || folder.isWithin("usr/bin") || folder.isWithin("lib") else {
                    return nil
                }
                return Finding(
                    "icu/library-missing", .error, "Node does not start: \(name) is not in the image",
                    service: invocation.service.name, path: build.path, reasons: start + others(name, in: subject),
                    remedy: "install libicu\(version)", missing: wanted, location: invocation.location)
            }
            guard name.hasPrefix("libicudata"), blob.size < Self.leastData else { return nil }
            return Finding(
                "icu/data-stub", .error, "\(path) has no data in it: Node cannot use ICU",
                service: invocation.service.name, path: path,
                reasons: start + ["it has \(blob.size) bytes, and the data are some 30 MB"],
                remedy: "install libicu\(version) anew", location: invocation.location)
        }
    }

    /// Other versions of the library, which do not help.
    private func others(_ name: String, in subject: CheckSubject) -> [String] {
        let stem = String(name.prefix { $0 != "." }) + ".so."
        let found = subject.tree.nodes.filter { $0.path.name.starts(with: stem.utf8) }.map(\.path.description)
        return found.isEmpty ? [] : ["the image has \(found.prefix(3).joined(separator: ", "))"]
    }

    private func fileFindings(_ build: NodeBuild, _ invocation: NodeInvocation, in subject: CheckSubject) throws
        -> [Finding]
    {
        let fromOption = invocation.command.icuDataDirectory
        guard let version = build.icuVersion, let value = fromOption ?? invocation.environment["NODE_ICU_DATA"],
            !value.isEmpty
        else { return [] }
        let source = fromOption != nil ? "--icu-data-dir" : "NODE_ICU_DATA"
        let package = "icudt\(version)\(build.icuEndianness)"
        let start = [
            "\(invocation.serviceCommand.role) runs \(invocation.program)",
            "it was built with small-icu, ICU \(version): English alone is inside", "\(source) is \(value)",
        ]
        let folder =
            value.hasPrefix("/") ? TreePath(normalizing: value) : NodeResolution.joined(invocation.folder, value)
        guard let folder else { return [] }
        let wanted = folder.appending("\(package).dat".utf8)
        func finding(_ id: String, _ message: String, _ reasons: [String]) -> Finding {
            Finding(
                id, .error, message, service: invocation.service.name, path: wanted, reasons: start + reasons,
                remedy: "put \(package).dat of ICU \(version) there, or remove \(source)", missing: wanted,
                location: invocation.location)
        }
        guard let blob = subject.tree.resolvedNode(wanted)?.blob else {
            let there = (subject.tree.resolve(folder)).map { subject.tree.nodes[subject.tree.indices(below: $0)] } ?? []
            let data = there.filter { $0.path.name.starts(with: "icudt".utf8) }.map(\.path.description)
            return [
                finding(
                    "icu/data-missing", "Node exits at once: it cannot find \(package).dat",
                    [data.isEmpty ? "\(folder) has no ICU data" : "the folder has \(data.joined(separator: ", "))"])
            ]
        }
        let data = try ICUData(blob, read: subject.read)
        switch data.defect {
        case .notICU: return [finding("icu/data-invalid", "\(wanted) is no ICU data file", [])]
        case .otherByteOrder:
            return [finding("icu/data-invalid", "\(wanted) is for machines of the other byte order", [])]
        case .cutOff: return [finding("icu/data-invalid", "\(wanted) is cut off", [])]
        case nil: break
        }
        guard let found = data.package, found != package else { return [] }
        return [
            finding(
                "icu/data-version", "\(wanted) holds \(found), and Node needs \(package)",
                ["the name of the file is right, and what is in it is of another ICU"])
        ]
    }
}
