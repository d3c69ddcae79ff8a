internal import Checks
internal import Kernels
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The kernel's configuration among the outputs: what the machine's devices and the services need is looked up in it.
let kernelConfigurationName = "kernel.config"

extension CheckSubject.Kernel {
    /// The kernel in a directory: `vmlinux`, `vmlinuz`, `bzImage` or `Image`, with or without a release behind it;
    /// `kernel.config`, `config…` or `.config`; `initrd…`. A configuration that the kernel carries does too.
    ///
    /// - Parameter record: where the directory is a build's, what it says of the kernel.
    init(in directory: FilePath, architecture: String, record: ImageRecord?) throws {
        guard isDirectory(directory) else {
            throw Failure(
                "there is no directory \(directory) to take a kernel from",
                hint: exists(directory) ? "name the directory that the kernel's file is in" : nil, status: .usage)
        }
        let names = try directoryNames(at: directory).map { String(decoding: $0, as: UTF8.self) }.sorted()
        func file(_ prefixes: [String]) -> FilePath? {
            for prefix in prefixes {
                let found = names.filter { $0 == prefix || $0.hasPrefix(prefix + "-") || $0.hasPrefix(prefix + ".") }
                if let name = found.first { return directory.appending(name) }
            }
            return nil
        }
        let own = record?.kernel?.file
        guard let path = own.map({ directory.appending($0) }) ?? file(["vmlinux", "vmlinuz", "bzImage", "Image"]),
            exists(path)
        else {
            throw Failure(
                "there is no kernel in \(directory)", hint: "it is looked for as vmlinux, vmlinuz, bzImage or Image")
        }
        let image = try bootableKernel(in: try readFile(at: path), named: path.string, for: architecture)
        let configuration = names.contains(".config") ? directory.appending(".config") : nil
        var options: [String: String]?
        if let path = file([kernelConfigurationName, "config"]) ?? configuration {
            let configuration = KernelConfig(parsing: try readFile(at: path))
            if configuration.isEmpty {
                throw Failure(
                    "\(path) is no kernel's configuration: no line of it sets an option",
                    hint: "take it away, or put the kernel's own there")
            }
            options = configuration.options
        } else {
            options = try image.embeddedConfiguration()?.options
        }
        var initrd: FileTree?
        if record == nil || record?.kernel?.initrd != nil, let path = file(["initrd", "initramfs"]) {
            initrd = try initrdTree(try readFile(at: path), name: path.string)
        }
        self.init(
            release: record?.kernel?.release ?? image.release, image: try Blob(file: path), options: options,
            initrd: initrd, arguments: record?.kernelArguments ?? [])
    }
}
