public import RootfsModel

/// What `firecracker --config-file` reads to start an image: machine, boot source, one drive.
///
/// A modular kernel needs its own arguments: Firecracker's defaults have `nomodule`, with which an initrd can load
/// nothing, and `8250.nr_uarts=0`, which takes the console away.
public struct FirecrackerConfiguration: Hashable, Sendable {
    /// Paths as Firecracker opens them: relative ones from the folder it is started in.
    public var kernel: String
    public var initrd: String?
    /// nil for a machine without a drive.
    public var image: String?
    /// The recipe's kernel.arguments.
    public var arguments: [String]
    public var vcpus: Int
    /// In MiB.
    public var memory: Int
    public var isReadOnly: Bool

    public init(
        kernel: String = "vmlinux", initrd: String?, image: String?, arguments: [String], vcpus: Int, memory: Int,
        isReadOnly: Bool = false
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.image = image
        self.arguments = arguments
        self.vcpus = vcpus
        self.memory = memory
        self.isReadOnly = isReadOnly
    }

    /// The file's text: JSON with sorted keys, ended by a newline. The same values give the same bytes.
    public func text() throws(Failure) -> String {
        // MAX_SUPPORTED_VCPUS of Firecracker.
        guard (1...32).contains(vcpus) else {
            throw Failure("Firecracker cannot start a machine of \(vcpus) vCPUs: 1 to 32 are possible")
        }
        guard memory > 0 else { throw Failure("Firecracker cannot start a machine of \(memory) MiB of memory") }
        var line = try KernelCommandLine(arguments)
        // Firecracker appends root=/dev/vda to a kernel's arguments for a root drive. Its documentation says not to
        // have one beside an initrd, so then the argument is ours.
        let namesRoot = line.names("root")
        if initrd != nil, !namesRoot {
            try line.append(["root=/dev/vda", isReadOnly ? "ro" : "rw"])
        }
        var bootSource: [String: JSONText] = [
            "kernel_image_path": .string(kernel), "boot_args": .string(try line.text()),
        ]
        if let initrd { bootSource["initrd_path"] = .string(initrd) }
        let drives = image.map { path in
            JSONText.object([
                "drive_id": .string("rootfs"), "path_on_host": .string(path),
                "is_root_device": .boolean(initrd == nil && !namesRoot),
                "is_read_only": .boolean(isReadOnly),
            ])
        }
        let configuration: [String: JSONText] = [
            "boot-source": .object(bootSource),
            "drives": .array(drives.map { [$0] } ?? []),
            "machine-config": .object(["vcpu_count": .number(vcpus), "mem_size_mib": .number(memory)]),
        ]
        return JSONText.object(configuration).text(indent: 0) + "\n"
    }
}

/// JSON as this module writes it: two blanks an indent, keys sorted by their bytes.
private indirect enum JSONText {
    case string(String)
    case number(Int)
    case boolean(Bool)
    case array([JSONText])
    case object([String: JSONText])

    func text(indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        switch self {
        case .string(let text): return Self.quoted(text)
        case .number(let number): return String(number)
        case .boolean(let value): return String(value)
        case .array(let elements):
            let lines = elements.map { "\(margin)  \($0.text(indent: indent + 2))" }
            return "[\n\(lines.joined(separator: ",\n"))\n\(margin)]"
        case .object(let members):
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            let lines = sorted.map { "\(margin)  \(Self.quoted($0.key)): \($0.value.text(indent: indent + 2))" }
            return "{\n\(lines.joined(separator: ",\n"))\n\(margin)}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
