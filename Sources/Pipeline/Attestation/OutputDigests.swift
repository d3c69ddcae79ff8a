internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The outputs of a build, each with the digest that its record names.
struct OutputDigests {
    /// A file among the outputs.
    struct Output: Hashable {
        var name: String
        var digest: String
    }

    /// In the order of their names.
    let outputs: [Output]
    private let folder: FilePath
    /// Whether the folder is a build's; else, as after an injection, kernel and initrd may lie elsewhere.
    private let isBuild: Bool

    init(_ signed: SignedRecord, image: FilePath) {
        self.init(
            of: signed.record, image: image.lastComponent?.string ?? "", in: image.removingLastComponent(),
            isBuild: signed.path.lastComponent?.string == ImageRecord.fileName)
    }

    init(of record: ImageRecord, image: String, in folder: FilePath, isBuild: Bool) {
        self.folder = folder
        self.isBuild = isBuild
        var outputs = [Output(name: image, digest: record.imageHash)]
        if isBuild { outputs.append(Output(name: "\(record.name).listing", digest: record.contentHash)) }
        if let kernel = record.kernel {
            outputs.append(Output(name: kernel.file, digest: kernel.digest))
            if let initrd = kernel.initrd { outputs.append(Output(name: "initrd", digest: initrd)) }
        }
        for (name, digest) in record.outputs ?? [:] { outputs.append(Output(name: name, digest: digest)) }
        self.outputs = outputs.sorted { $0.name < $1.name }
    }

    /// The digest of an output as it is now; nil where it is missing.
    private func found(_ output: Output) throws -> String? {
        let path = folder.appending(output.name)
        return exists(path) ? try Blob(file: path).takeDigest().description : nil
    }

    /// Whether each is there and as the record says. Reads them up to the first that is not.
    func areRight() throws -> Bool {
        try outputs.allSatisfy { try found($0) == $0.digest }
    }

    /// What is not as the record says, a sentence each.
    func faults() throws -> [String] {
        var faults = [String]()
        for output in outputs {
            guard let found = try found(output) else {
                if isBuild { faults.append("\(output.name) is missing") }
                continue
            }
            if found != output.digest { faults.append("\(output.name) is \(found) instead of \(output.digest)") }
        }
        if isBuild {
            let named = Set(outputs.map(\.name))
            for name in try names() where Self.mustBeNamed.contains(name) && !named.contains(name) {
                faults.append("\(name) is not among the files whose digests image.json has")
            }
        }
        return faults
    }

    /// The files beside them that no digest covers: how the build and the boots went, and what people put there.
    func notCovered() throws -> [String] {
        guard isBuild else { return [] }
        let named = Set(outputs.map(\.name) + [ImageRecord.fileName, "\(ImageRecord.fileName).sig"])
        return try names().filter { !named.contains($0) }
    }

    /// What decides how a machine starts, or what is said of it: such a file that the record does not name is foreign.
    private static let mustBeNamed: Set<String> = [
        "vmlinux", "Image", "initrd", "firecracker.json", kernelConfigurationName, CheckReport.fileName,
    ]

    private func names() throws -> [String] {
        try directoryNames(at: folder).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}
