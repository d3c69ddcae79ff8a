internal import Dpkg
internal import Kernels
internal import Recipes
internal import RootfsModel
internal import Storage

/// The kernel of an image and what it needs to reach its root file system.
struct BuiltKernel: Sendable {
    var bytes: [UInt8]
    /// The file's name among the outputs.
    var fileName: String
    var release: String
    var buildID: String?
    /// Its configuration's text, where a package has it beside the kernel.
    var configuration: [UInt8]?
    /// What is set in it; nil where nobody knows.
    var options: [String: String]?
    /// `linux-image-6.1.0-56-cloud-amd64 6.1.176-1`; nil for a file.
    var package: String?
    var initrd: [UInt8]?
    var initrdBecause: String
    /// Why it cannot mount a verified root device by itself; nil where it can, or where there is none.
    var verityObstacle: String?
}

/// Where a kernel's file, configuration and modules are.
private struct KernelParts {
    var file: [UInt8]
    var name: String
    var configuration: [UInt8]?
    var modules: KernelModules?
    /// The content of a path of the package.
    var read: (TreePath) throws -> [UInt8]? = { _ in nil }
    var package: String?
}

/// Takes the kernel out of its package or file, and makes the initrd that its modules ask for.
///
/// `file` is the content of the kernel that the recipe names as a file; the payloads are those that the lock holds for
/// the kernel: the kernel itself, and busybox for the initrd.
func makeKernel(
    _ kernel: Recipe.Kernel, file: [UInt8]?, architecture: String, kernelPayload: Payload?, busyboxPayload: Payload?,
    moment: Timestamp
) throws -> BuiltKernel {
    let parts = try kernelParts(kernel, file: file, payload: kernelPayload)
    let image = try bootableKernel(in: parts.file, named: parts.name, for: architecture)
    let mode: InitrdMode =
        switch kernel.initrd {
        case .auto: .auto
        case .always: .always
        case .never: .never
        }
    let config = try parts.configuration.map { KernelConfig(parsing: $0) } ?? image.embeddedConfiguration()
    let decision = try initrdNeeded(mode: mode, config: config, modules: parts.modules)
    var initrd: [UInt8]?
    if decision.isNeeded {
        guard let busyboxPayload else {
            throw Failure(
                "cannot make an initrd: the lock holds no busybox-static", notes: [decision.because],
                hint:
                    "rootfs-build lock --update resolves it, or say initrd: never for a kernel with its drivers built in"
            )
        }
        // The network's driver too: an image without kmod has nothing to load it with later.
        let listed = kernel.modules?.map(\.value) ?? ["virtio_mmio", "virtio_blk", "virtio_net"]
        let wanted = decision.rootModules + listed.filter { !decision.rootModules.contains($0) }
        let modules = try (parts.modules ?? KernelModules(paths: [], read: { _ in nil })).resolve(
            wanted, config: config, read: parts.read)
        initrd = try Initrd(
            modules: modules, busybox: try content("usr/bin/busybox", orElse: "bin/busybox", of: busyboxPayload),
            architecture: image.architecture, moment: moment
        ).bytes()
    }
    return BuiltKernel(
        bytes: image.bytes, fileName: image.form == .elf ? "vmlinux" : "Image",
        release: image.release ?? "unknown", buildID: image.buildID, configuration: parts.configuration,
        options: config?.options,
        package: parts.package, initrd: initrd,
        initrdBecause: decision.because,
        verityObstacle: verifiedRootObstacle(config: config, rootModules: decision.rootModules))
}

private func kernelParts(_ kernel: Recipe.Kernel, file: [UInt8]?, payload: Payload?) throws -> KernelParts {
    switch kernel.source {
    case .file(let path):
        return KernelParts(file: file ?? [], name: path.value)
    case .package(let request):
        guard let payload else {
            throw Failure("the lock holds no package for the kernel \(request.value)", at: request.location)
        }
        let tree = try payload.tree()
        func path(_ prefix: String) -> TreePath? {
            tree.nodes.first { String(decoding: $0.path.bytes, as: UTF8.self).hasPrefix(prefix) && $0.blob != nil }?
                .path
        }
        guard let kernelPath = path("boot/vmlinuz-") ?? path("boot/vmlinux-") else {
            throw Failure(
                "the package \(payload.label) holds no kernel: it has no /boot/vmlinuz-*", at: request.location)
        }
        let modulePaths = tree.nodes.map(\.path).filter { $0.isWithin("lib/modules") || $0.isWithin("usr/lib/modules") }
        let read: (TreePath) throws -> [UInt8]? = { try tree[$0]?.blob?.readAll() }
        return KernelParts(
            file: try tree[kernelPath]?.blob?.readAll() ?? [], name: "\(payload.label)'s \(kernelPath)",
            configuration: try path("boot/config-").flatMap { try tree[$0]?.blob?.readAll() },
            modules: try KernelModules(paths: modulePaths, read: read), read: read, package: payload.label)
    }
}

private func content(_ path: TreePath, orElse other: TreePath, of payload: Payload) throws -> [UInt8] {
    let tree = try payload.tree()
    guard let blob = tree[path]?.blob ?? tree[other]?.blob else {
        throw Failure("the package \(payload.label) has no \(path)")
    }
    return try blob.readAll()
}
