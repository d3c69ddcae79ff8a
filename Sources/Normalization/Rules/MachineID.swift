internal import RootfsModel

/// machine-id(5): from an empty file systemd makes an id at boot, and takes it for no first boot. The bus gets a link to it
/// at boot where it has nothing; a copy would be another id.
struct MachineID: NormalizationRule {
    let id = "machine-id"
    let reason = "every machine makes its own at first boot"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        var change = TreeChange()
        if let node = tree["etc/machine-id"], let blob = node.blob, blob.size > 0 {
            change.puts.append(node.with(content: []))
        }
        if let node = tree["var/lib/dbus/machine-id"], node.blob != nil { change.removals.append(node.path) }
        return change
    }
}
