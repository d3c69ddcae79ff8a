internal import Booting
internal import Ext4
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// An image with all that it boots with, as it would ship.
struct BootSubject {
    let image: FilePath
    let record: ImageRecord
    /// Where the record was read, and where it says later whether the image is proven.
    let recordPath: FilePath
    let kernel: ImageRecord.KernelEntry

    /// - Parameter isNew: whether this program wrote the files just now: then they are not read again.
    /// - Throws: where nothing says what it boots with, or a file is not what the record says.
    init(at path: FilePath, isNew: Bool = false) throws {
        guard exists(path) else { throw Failure("there is no image \(path)") }
        let image = try ImageReference.image(at: path)
        guard let recordPath = ImageRecord.paths(beside: image).first else {
            throw Failure(
                "nothing says how to boot \(image): there is no \(ImageRecord.fileName) beside it",
                hint: "keep the image with the outputs of its build")
        }
        guard let record = parseRecord(ImageRecord.self, from: try readFile(at: recordPath)) else {
            throw Failure("\(recordPath) is not a record of this version", hint: "build again")
        }
        guard let kernel = record.kernel else {
            throw Failure(
                "\(record.name) has no kernel: its recipe says kernel: none",
                hint: "give the recipe a kernel to boot it with")
        }
        self.image = image
        self.record = record
        self.recordPath = recordPath
        self.kernel = kernel
        if !isNew { try checkFiles() }
    }

    private var folder: FilePath { image.removingLastComponent() }
    var kernelPath: FilePath { folder.appending(kernel.file) }
    var initrdPath: FilePath? { kernel.initrd == nil ? nil : folder.appending("initrd") }

    /// Whether the record is the folder's, of a build, and not of one image in it.
    var isBuild: Bool { recordPath.lastComponent?.string == ImageRecord.fileName }

    /// `boot.json`, `console.log`; with the image's name before it where the folder may hold several images.
    var bootName: String { isBuild ? BootRecord.fileName : "\(imageName).\(BootRecord.fileName)" }
    var logName: String { isBuild ? ConsoleLog.fileName : "\(imageName).\(ConsoleLog.fileName)" }

    private var imageName: String { image.lastComponent?.string ?? "image" }

    /// A proof is of these bytes and no others.
    private func checkFiles() throws {
        var files = [(image, record.imageHash), (kernelPath, kernel.digest)]
        if let path = initrdPath, let digest = kernel.initrd { files.append((path, digest)) }
        for (path, digest) in files {
            guard exists(path) else {
                throw Failure("there is no \(path), which \(recordPath) speaks of", hint: "build again")
            }
            let found = try Blob(file: path).takeDigest().description
            guard found == digest else {
                throw Failure(
                    "\(path) is not what \(recordPath.lastComponent?.string ?? "") says",
                    notes: ["\(found) instead of \(digest)"],
                    hint: path == image ? "rootfs-build verify tells what differs; build again" : "build again")
            }
        }
    }

    /// Whether the supervisor is in the image: then it says on the console when a service is ready.
    func isSupervised() throws -> Bool {
        try Ext4Reader(image).node(at: "usr/lib/microvm") != nil
    }

    /// What this machine is to show.
    func request(_ settings: BootSettings) throws -> BootRequest {
        let boot = record.boot
        let services = boot.services.map { service in
            BootRequest.Service(
                service.name, probe: service.probe.map { BootRequest.Probe($0) },
                runsForEver: service.restart == "always")
        }
        var forwards = settings.ports.map { BootRequest.Forward(guest: $0.guest, host: $0.host) }
        for port in services.compactMap({ $0.probe?.port }) where !forwards.contains(where: { $0.guest == port }) {
            forwards.append(.init(guest: port))
        }
        return BootRequest(
            kernel: kernelPath.string, initrd: initrdPath?.string, image: image.string,
            arguments: record.kernelArguments, memory: boot.memoryMiB, vcpus: boot.vcpus,
            isReadOnly: record.verity != nil, services: services,
            expect: boot.expect + settings.expect.filter { !boot.expect.contains($0) },
            isSupervised: try isSupervised(),
            deadline: settings.within.map { .seconds($0) } ?? .milliseconds(boot.withinMilliseconds),
            soak: settings.soakMilliseconds.map { .milliseconds($0) } ?? .milliseconds(boot.soakMilliseconds),
            forwards: forwards)
    }
}
