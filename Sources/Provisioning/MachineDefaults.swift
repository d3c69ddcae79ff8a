internal import RootfsModel

/// What a microVM needs of an image with systemd and what depends on the packages that are there; what does not
/// depend on them is in the supervisor overlay, for everyone to see.
///
/// Without udev no .device unit ever comes up: the getty on ttyS0 that systemd makes from `console=ttyS0` would
/// wait 90 seconds and then not start. console-getty.service waits for no device. Without D-Bus logind starts,
/// fails and starts again.
func change(fittingMachineTo tree: FileTree, moment: Timestamp) -> TreeChange {
    func has(_ paths: TreePath...) -> Bool { paths.contains { tree.resolvedNode($0)?.blob != nil } }
    guard hasSystemd(tree) else { return TreeChange() }
    var puts = [FileNode]()
    func mask(_ path: TreePath) { puts.append(.link(path, to: "/dev/null", moment: moment)) }
    if !has("/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd", "/bin/udevadm") {
        mask("/etc/systemd/system/serial-getty@ttyS0.service")
        mask("/etc/systemd/system-generators/systemd-getty-generator")
        puts.append(
            .link(
                "/etc/systemd/system/getty.target.wants/console-getty.service",
                to: "/lib/systemd/system/console-getty.service", moment: moment))
    }
    if !has("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch") {
        mask("/etc/systemd/system/systemd-logind.service")
        mask("/etc/systemd/system/dbus-org.freedesktop.login1.service")
    }
    return TreeChange(puts: puts)
}
