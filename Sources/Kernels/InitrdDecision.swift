public import RootfsModel

/// A driver that a microVM's root file system needs, and the option that builds it.
struct Driver {
    var module: String
    var option: String

    /// Between the kernel and its root file system, from the bus up.
    static let root = [
        Driver(module: "virtio_mmio", option: "VIRTIO_MMIO"),
        Driver(module: "virtio_blk", option: "VIRTIO_BLK"),
        Driver(module: "ext4", option: "EXT4_FS"),
    ]

    /// Other drivers that recipes list.
    private static let others = [
        Driver(module: "virtio", option: "VIRTIO"),
        Driver(module: "virtio_ring", option: "VIRTIO"),
        Driver(module: "virtio_net", option: "VIRTIO_NET"),
        Driver(module: "virtio_rng", option: "HW_RANDOM_VIRTIO"),
        Driver(module: "virtio_balloon", option: "VIRTIO_BALLOON"),
        Driver(module: "virtio_console", option: "VIRTIO_CONSOLE"),
        Driver(module: "virtio_pci", option: "VIRTIO_PCI"),
        Driver(module: "virtiofs", option: "VIRTIO_FS"),
        Driver(module: "vsock", option: "VSOCKETS"),
        Driver(module: "vmw_vsock_virtio_transport", option: "VIRTIO_VSOCKETS"),
        Driver(module: "vmw_vsock_virtio_transport_common", option: "VIRTIO_VSOCKETS_COMMON"),
        Driver(module: "overlay", option: "OVERLAY_FS"),
        Driver(module: "squashfs", option: "SQUASHFS"),
        Driver(module: "autofs4", option: "AUTOFS_FS"),
    ]

    static func option(ofModule name: String) -> String? {
        (root + others).first { $0.module == name }?.option
    }
}

/// The recipe's `kernel.initrd`.
public enum InitrdMode: String, Sendable, CaseIterable {
    /// Only where the root device or its file system needs a module.
    case auto
    case always
    case never
}

/// Whether a kernel gets an initrd, and why.
public struct InitrdDecision: Hashable, Sendable {
    public var isNeeded: Bool
    /// A clause: `virtio_mmio and virtio_blk are modules`.
    public var because: String
    /// The modules without which there is no root file system, the bus first.
    public var rootModules: [String]

    public init(isNeeded: Bool, because: String, rootModules: [String]) {
        self.isNeeded = isNeeded
        self.because = because
        self.rootModules = rootModules
    }
}

/// Decides whether a kernel needs an initrd to reach an ext4 root file system on a virtio-mmio disk.
///
/// - Parameters:
///   - config: the kernel's configuration; nil where nobody knows it.
///   - modules: the modules that came with it; nil for none.
/// - Throws: where the kernel has a driver of the root file system in no form, so that nothing could help.
public func initrdNeeded(
    mode: InitrdMode, config: KernelConfig?, modules: KernelModules?
) throws(Failure) -> InitrdDecision {
    var asModules = [String]()
    for driver in Driver.root {
        let isBuiltIn = config?.isBuiltIn(driver.option) == true || modules?.isBuiltIn(driver.module) == true
        if isBuiltIn { continue }
        if modules?.contains(driver.module) == true {
            asModules.append(driver.module)
        } else if config?.isModule(driver.option) == true {
            throw Failure(
                "the kernel cannot reach its root file system: \(driver.module) is a module and did not come with it",
                notes: ["CONFIG_\(driver.option)=m in its configuration"],
                hint: "take the kernel with kernel: {package: …}, or one that has CONFIG_\(driver.option)=y")
        } else if let config, !config.isEmpty {
            throw Failure(
                "the kernel cannot reach its root file system: it has no \(driver.module)",
                notes: ["CONFIG_\(driver.option) is not set in its configuration"],
                hint: "take a kernel that has CONFIG_\(driver.option)=y or =m")
        }
    }
    let list = asModules.count < 2
        ? asModules.joined() : asModules.dropLast().joined(separator: ", ") + " and " + (asModules.last ?? "")
    let fact = "\(list) \(asModules.count == 1 ? "is a module" : "are modules")"
    switch mode {
    case .always:
        return InitrdDecision(isNeeded: true, because: "the recipe says always", rootModules: asModules)
    case .never where asModules.isEmpty:
        return InitrdDecision(isNeeded: false, because: "the recipe says never", rootModules: [])
    case .never:
        let because = "the recipe says never, although \(fact): the kernel will not find its root file system"
        return InitrdDecision(isNeeded: false, because: because, rootModules: asModules)
    case .auto where !asModules.isEmpty:
        return InitrdDecision(isNeeded: true, because: fact, rootModules: asModules)
    case .auto where (config?.isEmpty ?? true) && modules == nil:
        let because = "nothing is known of the kernel's configuration, so its root drivers are taken to be built in"
        return InitrdDecision(isNeeded: false, because: because, rootModules: [])
    case .auto:
        let because = "the drivers of the root file system are built in"
        return InitrdDecision(isNeeded: false, because: because, rootModules: [])
    }
}
