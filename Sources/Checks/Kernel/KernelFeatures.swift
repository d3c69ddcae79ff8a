import RootfsModel

/// What the image's own programs ask of the kernel: systemd, mounts, modules by name, devices that services use.
struct KernelFeatures {
    let subject: CheckSubject
    let drivers: KernelDrivers

    func findings() throws -> [Finding] {
        try libraryFindings() + systemdFindings() + mountFindings() + moduleFindings() + deviceFindings()
            + programFindings()
    }

    /// The C library says in a note from which kernel on it works, and ends every program on older ones.
    private func libraryFindings() throws -> [Finding] {
        guard let version = drivers.version, let path = subject.libraryFile(Array("libc.so.6".utf8)),
            let oldest = try subject.elfFile(at: path)?.oldestKernel, oldest.count >= 2,
            (UInt32(clamping: version.major), UInt32(clamping: version.minor)) < (oldest[0], oldest[1])
        else { return [] }
        let wanted = oldest.map(String.init).joined(separator: ".")
        return [
            Finding(
                "kernel/too-old", .error, "no program starts: the C library needs Linux \(wanted) or later", path: path,
                reasons: [
                    "the kernel that boots is \(drivers.kernel.release ?? "")",
                    "\(path)'s ABI note says \(wanted): FATAL: kernel too old",
                ], remedy: "take a newer kernel")
        ]
    }

    /// systemd's README, "REQUIREMENTS": it does not start without these.
    private static let neededBySystemd = [
        "DEVTMPFS", "CGROUPS", "TMPFS", "INOTIFY_USER", "SIGNALFD", "TIMERFD", "EPOLL", "UNIX", "SYSFS", "PROC_FS",
        "FHANDLE",
    ]

    private func systemdFindings() -> [Finding] {
        guard let path = BootPath.initPath(of: subject, drivers: drivers), path.name.elementsEqual("systemd".utf8)
        else { return [] }
        return Self.neededBySystemd.compactMap { option in
            let place = drivers.place(of: option, module: option.lowercased())
            guard !place.isThere else { return nil }
            return Finding(
                "kernel/systemd", .error, "systemd does not work with this kernel: it has no CONFIG_\(option)",
                path: path,
                reasons: [
                    "the image's init is \(path)", "systemd needs CONFIG_\(option) (its README, REQUIREMENTS)",
                    place == .absent ? "the kernel's configuration does not set it" : "its module is nowhere",
                ], remedy: "take a kernel with CONFIG_\(option)=y")
        }
    }

    private static let fileSystems: [String: (option: String, module: String)] = [
        "overlay": ("OVERLAY_FS", "overlay"), "squashfs": ("SQUASHFS", "squashfs"), "tmpfs": ("TMPFS", "tmpfs"),
        "ext4": ("EXT4_FS", "ext4"), "xfs": ("XFS_FS", "xfs"), "btrfs": ("BTRFS_FS", "btrfs"),
        "vfat": ("VFAT_FS", "vfat"), "nfs": ("NFS_FS", "nfs"), "nfs4": ("NFS_FS", "nfs"), "cifs": ("CIFS", "cifs"),
        "9p": ("9P_FS", "9p"), "virtiofs": ("VIRTIO_FS", "virtiofs"), "erofs": ("EROFS_FS", "erofs"),
        "iso9660": ("ISO9660_FS", "isofs"), "f2fs": ("F2FS_FS", "f2fs"),
    ]

    /// A line of fstab that cannot be mounted ends in systemd's emergency mode, where nobody is.
    private func mountFindings() throws -> [Finding] {
        try subject.settingLines(of: "etc/fstab").compactMap { line in
            let fields = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard fields.count >= 3, fields[1] != "/", fields[1] != "none" else { return nil }
            let options = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            guard !options.contains("noauto"), !options.contains("nofail") else { return nil }
            let type = fields[2]
            let known = type.hasPrefix("fuse") ? ("FUSE_FS", "fuse") : Self.fileSystems[type]
            guard let (option, module) = known else { return nil }
            let place = drivers.place(of: option, module: module)
            guard !place.isThere else { return nil }
            return Finding(
                "kernel/file-system", .error, "\(fields[1]) cannot be mounted: the kernel has no \(type)",
                path: "etc/fstab",
                reasons: [
                    "/etc/fstab mounts \(fields[0]) on \(fields[1]) as \(type), without nofail",
                    reason(place, option: option, module: module),
                    "what fails of fstab stops the boot (emergency mode)",
                ], remedy: "add \(module) to kernel.modules, or nofail to the line")
        }
    }

    private func reason(_ place: DriverPlace, option: String, module: String) -> String {
        place == .absent
            ? "CONFIG_\(option) is not set"
            : "CONFIG_\(option)=m, and neither the initrd nor the image has \(module).ko"
    }

    private func moduleFindings() throws -> [Finding] {
        var findings = [Finding]()
        if let release = drivers.kernel.release, !drivers.imageReleases.isEmpty {
            if !drivers.imageReleases.contains(release) {
                findings.append(
                    Finding(
                        "kernel/modules-release", .warning,
                        "the image has modules of other kernels only: none of them can be loaded", path: "lib/modules",
                        reasons: [
                            "the kernel that boots is \(release)",
                            "/lib/modules has \(drivers.imageReleases.joined(separator: ", "))",
                        ], remedy: "install the modules of \(release), or boot the kernel that they are of"))
            } else if drivers.imageLoadsModules {
                let folder = (subject.tree.resolve("lib/modules") ?? "lib/modules").appending(release.utf8)
                let lists = ["modules.dep", "modules.dep.bin"].map { folder.appending($0.utf8) }
                if !lists.contains(where: { subject.tree[$0] != nil }) {
                    findings.append(
                        Finding(
                            "kernel/modules-list", .warning, "modprobe finds no module: \(folder) has no modules.dep",
                            path: folder, reasons: ["the kernel that boots is \(release)"],
                            remedy: "run depmod \(release) in the image", missing: lists[0]))
                }
            }
        }
        guard let path = BootPath.initPath(of: subject, drivers: drivers), path.name.elementsEqual("systemd".utf8),
            drivers.kernel.options != nil, drivers.kernel.release != nil
        else { return findings }
        for folder in ["etc/modules-load.d", "usr/lib/modules-load.d", "lib/modules-load.d"] as [TreePath] {
            guard subject.tree[folder]?.isDirectory == true else { continue }
            for node in subject.tree.nodes[subject.tree.indices(below: folder)] {
                guard node.path.name.suffix(5).elementsEqual(".conf".utf8) else { continue }
                for module in try subject.settingLines(of: node.path) where !isKnown(module: module) {
                    findings.append(
                        Finding(
                            "kernel/module", .warning, "the module \(module) cannot be loaded", path: node.path,
                            reasons: [
                                "\(node.path) asks for it",
                                "neither the initrd nor the image has \(module).ko for the kernel that boots",
                            ], remedy: "add \(module) to kernel.modules, or remove the line"))
                }
            }
        }
        return findings
    }

    /// Whether a module is there, or may be built in.
    private func isKnown(module: String) -> Bool {
        let name = KernelDrivers.normalized(module)
        if drivers.brings(module: name) { return true }
        // An option's name often is its module's, and a module of an unknown option may be built in.
        let named = Self.devices.map { ($0.option, $0.module) } + Self.fileSystems.values.map { ($0.option, $0.module) }
        guard let option = named.first(where: { $0.1 == name })?.0 else { return true }
        return drivers.place(of: option, module: name).isThere
    }

    private static let devices: [(option: String, module: String, what: String)] = [
        ("VIRTIO_NET", "virtio_net", "network"), ("VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport", "vsock"),
        ("HW_RANDOM_VIRTIO", "virtio_rng", "rng"), ("VIRTIO_BALLOON", "virtio_balloon", "balloon"),
        ("FUSE_FS", "fuse", "FUSE"),
    ]

    private func deviceFindings() -> [Finding] {
        var findings = [Finding]()
        var without = [String]()
        for device in Self.devices where device.what != "FUSE" {
            let place = drivers.place(of: device.option, module: device.module)
            guard !place.isThere else { continue }
            let why = reason(place, option: device.option, module: device.module)
            switch device.what {
            case "network":
                findings.append(
                    Finding(
                        "kernel/network", .warning, "the machine has no network: no driver for virtio-net",
                        reasons: [why], remedy: "add virtio_net to kernel.modules"))
            case "vsock":
                let users = subject.services.filter(Self.usesVsock)
                if users.isEmpty { without.append("vsock (\(why))") }
                findings += users.map { user in
                    Finding(
                        "kernel/vsock", .error, "the kernel has no vsock, which the service uses", service: user.name,
                        reasons: [why], remedy: "add vmw_vsock_virtio_transport to kernel.modules",
                        location: user.location)
                }
            default: without.append("\(device.what) (\(why))")
            }
        }
        if !without.isEmpty {
            findings.append(
                Finding(
                    "kernel/devices-unused", .note,
                    "such devices of the machine would do nothing: " + without.joined(separator: "; "),
                    remedy: "list their modules in kernel.modules if the machine has them"))
        }
        return findings
    }

    private static func usesVsock(_ service: Service) -> Bool {
        service.commands.contains { command in
            command.words.contains { word in
                let word = word.lowercased()
                return word.hasPrefix("vsock-listen:") || word.hasPrefix("vsock-connect:") || word.hasPrefix("vsock:")
            }
        }
    }

    /// Programs that are nothing without a file system of the kernel.
    private static let programs: [String: (option: String, module: String, what: String)] = [
        "sshfs": ("FUSE_FS", "fuse", "FUSE"), "s3fs": ("FUSE_FS", "fuse", "FUSE"),
        "bindfs": ("FUSE_FS", "fuse", "FUSE"), "squashfuse": ("FUSE_FS", "fuse", "FUSE"),
        "fuse-overlayfs": ("FUSE_FS", "fuse", "FUSE"), "mergerfs": ("FUSE_FS", "fuse", "FUSE"),
        "lxcfs": ("FUSE_FS", "fuse", "FUSE"), "dockerd": ("OVERLAY_FS", "overlay", "overlayfs"),
        "containerd": ("OVERLAY_FS", "overlay", "overlayfs"),
    ]

    private func programFindings() -> [Finding] {
        subject.services.flatMap { service in
            service.commands.compactMap { command in
                guard let program = command.words.first?.split(separator: "/").last,
                    let needed = Self.programs[String(program)]
                else { return nil }
                let place = drivers.place(of: needed.option, module: needed.module)
                guard !place.isThere else { return nil }
                // containerd and dockerd have other, slower ways to store images.
                let isFatal = needed.option == "FUSE_FS" && !command.mayFail
                return Finding(
                    isFatal ? "kernel/fuse" : "kernel/overlay", isFatal ? .error : .warning,
                    "\(program) needs \(needed.what), which the kernel does not have", service: service.name,
                    reasons: [
                        "\(command.role) starts \(command.words[0])",
                        reason(place, option: needed.option, module: needed.module),
                    ], remedy: "add \(needed.module) to kernel.modules", location: command.location ?? service.location)
            }
        }
    }
}
