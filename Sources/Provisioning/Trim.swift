public import Recipes
public import RootfsModel

/// What one step of trimming takes away from systemd's start, and why a microVM does without it.
public struct Trimming: Sendable {
    public var step: Recipe.TrimStep
    /// What is masked, by the units' names.
    public var units: [String]
    /// A sentence.
    public var reason: String
    /// Where one of these paths is in the image, somebody wants it and the step is not done.
    public var exceptions: [TreePath] = []

    /// Every step, in their order.
    public static let all = Recipe.TrimStep.allCases.map(Trimming.init)
}

extension Trimming {
    init(_ step: Recipe.TrimStep) {
        self.step = step
        switch step {
        case .aptTimers:
            units = ["apt-daily.timer", "apt-daily-upgrade.timer"]
            reason = "A golden image is replaced by its successor, not upgraded where it runs."
        case .dpkgBackup:
            units = ["dpkg-db-backup.timer"]
            reason = "dpkg's database does not change, so it needs no daily copy."
        case .e2scrub:
            units = ["e2scrub_all.timer", "e2scrub_reap.service"]
            reason = "It checks ext4 on LVM, which the image is not on."
        case .fstrim:
            units = ["fstrim.timer"]
            reason = "The host sees to the space of its disk files; a fleet's timers would all fire at once."
        case .manDatabase:
            units = ["man-db.timer"]
            reason = "Nobody looks up manual pages in the machine."
        case .kernelModules:
            units = ["kmod-static-nodes.service", "modprobe@.service", "systemd-modules-load.service"]
            reason = "The image has no modules: the initrd has loaded what the machine needs."
            exceptions = ["/usr/bin/kmod", "/bin/kmod"]
        case .kernelMounts:
            units = [
                "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
                "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
            ]
            reason = "Each is a process at boot, for file systems that nothing in the image looks into."
        case .binaryFormats:
            units = ["systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount"]
            reason = "Programs run as they are; the automount needs a module that is not there."
            exceptions = ["/usr/sbin/update-binfmts"]
        case .crashStore:
            units = ["systemd-pstore.service"]
            reason = "The machine has no store for the kernel's last words; the console has them."
        case .partitions:
            units = ["systemd-repart.service"]
            reason = "The image is a file system without partitions."
        case .firstBoot:
            units = ["systemd-firstboot.service"]
            reason = "It asks on the console for what the recipe has set."
        case .hardwareDatabase:
            units = ["systemd-hwdb-update.service"]
            reason = "It is for udev, and compiles the same database in every machine."
            exceptions = ["/usr/bin/udevadm", "/bin/udevadm"]
        case .passwords:
            units = ["systemd-ask-password-console.path", "systemd-ask-password-wall.path"]
            reason = "Nobody is there to type a passphrase."
        case .loginRecords:
            units = ["systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"]
            reason = "Who logged in when is not asked of a machine that lives for minutes."
        case .initControl:
            units = ["systemd-initctl.socket"]
            reason = "It is for the telinit of sysvinit."
        case .encryption:
            units = [
                "cryptsetup.target", "integritysetup.target", "remote-cryptsetup.target", "remote-veritysetup.target",
                "veritysetup.target",
            ]
            reason = "The machine sets up no encrypted or verified disks itself."
            exceptions = ["/usr/sbin/cryptsetup", "/sbin/cryptsetup"]
        case .audit:
            units = ["systemd-journald-audit.socket"]
            reason = "The kernel's audit records would fill the journal and the console."
            exceptions = ["/usr/sbin/auditd", "/sbin/auditd"]
        case .journalFlush:
            units = ["systemd-journal-flush.service"]
            reason = "The journal stays in memory, and the log of the services on the disk."
        case .measuredBoot:
            units = ["systemd-pcrphase.service", "systemd-pcrphase-sysinit.service"]
            reason = "The machine has no TPM."
        case .randomSeed:
            units = ["systemd-random-seed.service"]
            reason =
                "All machines of an image would begin with the same seed; the processor and virtio-rng give better."
        case .virtualTerminals:
            units = ["getty@tty1.service", "getty-static.service"]
            reason = "The machine has a serial console and no screen."
        case .graphicalTarget:
            units = []
            reason = "`default.target` is `multi-user.target`: no display manager is waited for."
            exceptions = ["/etc/systemd/system/display-manager.service"]
        }
    }
}

/// The masks of these steps, for the units that the tree has. What /etc has of such a name already stays.
func change(trimming steps: [Recipe.TrimStep], in tree: FileTree, moment: Timestamp) -> TreeChange {
    let own: TreePath = "/etc/systemd/system"
    func has(_ path: TreePath) -> Bool { tree.resolvedNode(path) != nil }
    func hasUnit(_ name: String) -> Bool {
        let directories: [TreePath] = ["/usr/lib/systemd/system", "/lib/systemd/system"]
        return directories.contains { has($0.appending(name.utf8)) }
    }
    var puts = [FileNode]()
    func put(_ name: String, _ target: String) {
        let path = own.appending(name.utf8)
        if tree[tree.placement(of: path)] == nil { puts.append(.link(path, to: target, moment: moment)) }
    }
    for trimming in Trimming.all where steps.contains(trimming.step) && !trimming.exceptions.contains(where: has) {
        for unit in trimming.units where hasUnit(unit) { put(unit, "/dev/null") }
        if trimming.step == .graphicalTarget, hasUnit("multi-user.target") {
            put("default.target", "/lib/systemd/system/multi-user.target")
        }
    }
    return TreeChange(puts: puts)
}
