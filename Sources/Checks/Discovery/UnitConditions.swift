internal import RootfsModel

extension Unit {
    private enum Test: String, CaseIterable {
        case exists = "PathExists"
        case directory = "PathIsDirectory"
        case executable = "FileIsExecutable"
        case notEmpty = "FileNotEmpty"
    }

    /// Whether its `Condition…` and `Assert…` lines can hold in this image (systemd.unit(5), Conditions and Asserts).
    /// Only what the image alone decides is looked at: paths that nothing makes at boot. All else may hold.
    func mayStart(in tree: FileTree) -> Bool {
        ["Condition", "Assert"].allSatisfy { kind in
            var triggers = [Bool]()
            let keys = Set(text.assignments.filter { $0.section == "Unit" && $0.key.hasPrefix(kind) }.map(\.key))
            for assignment in keys.sorted().flatMap({ text.values("Unit", $0) }) {
                var value = Substring(assignment.value)
                let isTrigger = value.hasPrefix("|")
                if isTrigger { value = value.dropFirst() }
                let isNegated = value.hasPrefix("!")
                if isNegated { value = value.dropFirst() }
                let test = Test(rawValue: String(assignment.key.dropFirst(kind.count)))
                let holds = test.map { mayHold($0, String(value), isNegated: isNegated, in: tree) } ?? true
                if isTrigger { triggers.append(holds) } else if !holds { return false }
            }
            return triggers.isEmpty || triggers.contains(true)
        }
    }

    private func mayHold(_ test: Test, _ value: String, isNegated: Bool, in tree: FileTree) -> Bool {
        var value = value
        if value.contains("%v") {
            // The kernel that boots: its modules are in the image, or there are none.
            let modules = tree.resolve("/lib/modules").flatMap { folder in
                tree.nodes[tree.indices(below: folder)].first { $0.path.isChild(of: folder) }
            }
            value = value.replacing("%v", with: modules.map { String(decoding: $0.path.name, as: UTF8.self) } ?? "-")
        }
        guard value.hasPrefix("/"), let path = TreePath(normalizing: value), !isMadeAtBoot(path),
            !path.isWithin("/var"), !path.isWithin("/tmp"), !value.contains("%")
        else { return true }
        let node = tree.resolvedNode(path)
        let holds =
            switch test {
            case .exists: node != nil
            case .directory: node?.isDirectory ?? false
            case .executable: node.map { $0.blob != nil && $0.metadata.mode & 0o111 != 0 } ?? false
            case .notEmpty: node?.blob.map { $0.size > 0 } ?? false
            }
        return holds != isNegated
    }
}

/// Whether a path lies where the kernel or the init system mounts something over the image.
func isMadeAtBoot(_ path: TreePath) -> Bool {
    let places: [TreePath] = ["/proc", "/sys", "/dev", "/run", "/var/run", "/var/lock"]
    return places.contains { path.isWithin($0) }
}
