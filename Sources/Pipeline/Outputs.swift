internal import Booting
internal import CLinux
internal import Glibc
internal import Provisioning
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

extension BuildRecord {
    static let fileName = "build.json"
}

extension ImageRecord {
    static let fileName = "image.json"

    /// Where the record of an image lies that did not come from a build: `IMAGE.json`, as an injection writes it.
    static func path(of image: FilePath) -> FilePath {
        image.removingLastComponent().appending("\(image.lastComponent?.string ?? "").json")
    }

    /// The records that are there beside an image: its own, then its folder's.
    static func paths(beside image: FilePath) -> [FilePath] {
        [path(of: image), image.removingLastComponent().appending(fileName)].filter { exists($0) }
    }
}

extension ImageRecord.KernelEntry {
    init(_ kernel: BuiltKernel, arguments: [String]) {
        self.init(
            release: kernel.release, buildID: kernel.buildID, package: kernel.package, file: kernel.fileName,
            digest: Digest(hashing: kernel.bytes).description,
            initrd: kernel.initrd.map { Digest(hashing: $0).description }, initrdBecause: kernel.initrdBecause,
            arguments: arguments, verityObstacle: kernel.verityObstacle)
    }
}

extension ImageRecord.BootEntry {
    init(_ recipe: Recipe) {
        self.init(
            expect: recipe.boot.expect.map(\.value), withinMilliseconds: recipe.boot.within.wholeMilliseconds,
            soakMilliseconds: recipe.boot.soak.wholeMilliseconds,
            services: recipe.services.map {
                .init(
                    name: $0.name.value, probe: $0.ready?.probe.value.words, restart: $0.restart.policy.rawValue)
            }, vcpus: recipe.machine.vcpus,
            memoryMiB: Int(recipe.machine.memory.bytes >> 20))
    }
}

/// The name of the lock that the outputs of this recipe were made from.
func lockName(of recipe: String) -> String { "\(recipe).lock" }

/// The names that a build of this recipe writes, whatever its kernel.
func outputNames(of recipe: String) -> [String] {
    [
        "\(recipe).ext4", "\(recipe).listing", lockName(of: recipe), "vmlinux", "Image", "initrd",
        kernelConfigurationName, "firecracker.json",
        ImageRecord.fileName, CheckReport.fileName, BuildRecord.fileName, BootRecord.fileName, ConsoleLog.fileName,
    ] + attestationNames(of: recipe)
}

/// What may be put beside the outputs about them: they are the same outputs still, and it goes with them when new ones
/// come.
private func attestationNames(of recipe: String) -> [String] {
    [
        "\(ImageRecord.fileName).sig", "\(recipe).spdx.json", "\(recipe).cdx.json", "\(recipe).intoto.json",
    ]
}

/// Writes kernel and initrd, and gives what the record says of them.
func writeKernel(_ directory: FilePath, _ kernel: BuiltKernel, arguments: [String]) throws(Failure)
    -> ImageRecord.KernelEntry
{
    try writeFile(kernel.bytes, to: directory.appending(kernel.fileName))
    if let text = kernel.configuration { try writeFile(text, to: directory.appending(kernelConfigurationName)) }
    if let initrd = kernel.initrd { try writeFile(initrd, to: directory.appending("initrd")) }
    return ImageRecord.KernelEntry(kernel, arguments: arguments)
}

/// Writes all outputs but the image, the kernel's and build.json; gives the record with the digests of all.
func writeOutputs(
    _ directory: FilePath, _ finished: FinishedTree, _ report: CheckReport, _ record: ImageRecord
) throws -> ImageRecord {
    try writeFile(finished.listing, to: directory.appending("\(record.name).listing"))
    try writeFile(try recordBytes(report), to: directory.appending(CheckReport.fileName))
    try writeMachine(directory, record)
    var record = record
    var digests = [String: String]()
    for name in [CheckReport.fileName, machineName, kernelConfigurationName, lockName(of: record.name)]
    where exists(directory.appending(name)) {
        digests[name] = try Blob(file: directory.appending(name)).takeDigest().description
    }
    record.outputs = digests
    try writeFile(try recordBytes(record), to: directory.appending(ImageRecord.fileName))
    return record
}

/// The configuration that Firecracker starts from.
private let machineName = "firecracker.json"

private func writeMachine(_ directory: FilePath, _ record: ImageRecord) throws {
    guard let kernel = record.kernel else { return }
    let configuration = FirecrackerConfiguration(
        kernel: kernel.file, initrd: kernel.initrd == nil ? nil : "initrd", image: "\(record.name).ext4",
        arguments: record.kernelArguments, vcpus: record.boot.vcpus, memory: record.boot.memoryMiB,
        isReadOnly: record.verity != nil)
    try writeFile(Array(try configuration.text().utf8), to: directory.appending(machineName))
}

/// How the outputs lie on the disk now, sorted by name: what tells later that nobody touched them.
func outputSignatures(in directory: FilePath) throws -> [BuildRecord.Output] {
    let names = try directoryNames(at: directory).map { String(decoding: $0, as: UTF8.self) }
    let attestations = names.filter { $0.hasSuffix(".ext4") }.flatMap { attestationNames(of: String($0.dropLast(5))) }
    return try names.compactMap { text in
        // A boot's evidence and attestations come and go without the image being another.
        if [BuildRecord.fileName, BootRecord.fileName, ConsoleLog.fileName].contains(text) { return nil }
        if attestations.contains(text) { return nil }
        var status = stat()
        guard stat(directory.appending(text).string, &status) == 0 else {
            throw systemFailure("read", directory.appending(text))
        }
        return BuildRecord.Output(
            name: text, size: UInt64(status.st_size), modified: Int64(status.st_mtim.tv_sec),
            modifiedNanoseconds: Int64(status.st_mtim.tv_nsec), inode: UInt64(status.st_ino))
    }
}
