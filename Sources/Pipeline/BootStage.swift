internal import Booting
public import RootfsModel
internal import Storage
public import SystemPackage

/// How a boot went, for the command line.
public struct BootResult: Encodable, Sendable {
    public var succeeded: Bool
    public var summary: String
    public var seconds: Double
    public var missing: [String]
    public var accelerator: String
    public var console: [String]
    /// What to tell the user of a boot that failed.
    public var failure: Failure? {
        succeeded
            ? nil : Failure("the boot failed: \(summary)", notes: missing.map { "not seen: \($0)" }, status: .negative)
    }
}

/// Boots the outputs of a build and waits for what its recipe expects on the console.
public func boot(
    directory: FilePath, expect: [String], within: Int?, accel: String, showConsole: Bool,
    progress: @escaping ProgressSink
) throws -> BootResult {
    let path = directory.appending(ImageRecord.fileName)
    guard exists(path) else {
        throw Failure(
            "\(directory) holds no build: it has no \(ImageRecord.fileName)",
            hint: "build a recipe first, and name out/NAME")
    }
    guard let record = parseRecord(ImageRecord.self, from: try readFile(at: path)) else {
        throw Failure("\(path) is not a record of this version", hint: "build again")
    }
    guard let kernel = record.kernel else {
        throw Failure("\(record.name) has no kernel: its recipe says kernel: none", hint: "give it one to boot it here")
    }
    let expected = record.boot.expect + expect.filter { !record.boot.expect.contains($0) }
    guard !expected.isEmpty else {
        throw Failure(
            "nothing says what \(record.name) has to print",
            hint: "name it with --expect, or in the recipe's boot.expect",
            status: .usage)
    }
    let machine = VirtualMachine(
        kernel: directory.appending(kernel.file).string,
        initrd: kernel.initrd == nil ? nil : directory.appending("initrd").string,
        image: directory.appending("\(record.name).ext4").string, arguments: record.kernelArguments,
        memory: record.boot.memoryMiB, vcpus: record.boot.vcpus,
        acceleration: VirtualMachine.Acceleration(rawValue: accel) ?? .tcg)
    let report = try machine.boot(
        expecting: expected, within: within.map { .seconds($0) } ?? .milliseconds(record.boot.withinMilliseconds),
        console: { line in if showConsole { progress(.note(line.description)) } })
    if report.succeeded { progress(.note(report.summary)) }
    if !showConsole, let failure = report.failure { throw failure }
    return BootResult(
        succeeded: report.succeeded, summary: report.summary,
        seconds: Double(report.duration.components.seconds) + Double(report.duration.components.attoseconds) / 1e18,
        missing: report.missing, accelerator: report.accelerator, console: report.lines.map(\.description))
}
