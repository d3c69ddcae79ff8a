import RootfsModel

extension KernelChange {
    /// Where modules are.
    static let folders: [TreePath] = ["usr/lib/modules", "lib/modules"]

    /// nil where nothing of the kernel is otherwise, or nobody knows of one.
    init?(from old: ComparedImage, to new: ComparedImage, _ differences: [TreeDifference]) {
        let before = KernelFacts(old)
        let after = KernelFacts(new)
        self.init()
        oldRelease = before.release
        newRelease = after.release
        oldPackage = old.kernel?.package
        newPackage = new.kernel?.package
        oldArguments = old.kernel?.arguments ?? []
        newArguments = new.kernel?.arguments ?? []
        if let left = old.kernel?.digest, let right = new.kernel?.digest { isOtherFile = left != right }
        if let left = old.kernel, let right = new.kernel { isOtherInitrd = left.initrd != right.initrd }
        if let left = before.options, let right = after.options {
            options = Set(left.keys).union(right.keys).sorted().filter { left[$0] != right[$0] }.map {
                Option(name: $0, old: left[$0], new: right[$0])
            }
        }
        modulesAdded = after.modules.subtracting(before.modules).sorted()
        modulesRemoved = before.modules.subtracting(after.modules).sorted()
        modulesChanged = differences.count { difference in
            guard case .changed(let fields) = difference.kind, fields.contains(where: { $0.name == "content" }) else {
                return false
            }
            return KernelFacts.module(difference.path) != nil
        }
        let isSame =
            oldRelease == newRelease && oldPackage == newPackage && oldArguments == newArguments && isOtherFile != true
            && isOtherInitrd != true && options?.isEmpty ?? true && modulesAdded.isEmpty && modulesRemoved.isEmpty
            && modulesChanged == 0
        if isSame || old.side.kind == .lock || new.side.kind == .lock { return nil }
    }
}

/// What is known of one side's kernel, from beside the image or from within it.
private struct KernelFacts {
    var release: String?
    var options: [String: String]?
    /// By their paths below the release's folder, without what compresses them.
    var modules = Set<String>()

    init(_ image: ComparedImage) {
        release = image.kernel?.release
        options = image.kernel?.options
        guard let tree = image.tree else { return }
        var releases = [String]()
        for folder in KernelChange.folders {
            for index in tree.indices(below: folder) {
                let path = tree.nodes[index].path
                if path.isChild(of: folder) { releases.append(String(decoding: path.name, as: UTF8.self)) }
                if let name = Self.module(path) { modules.insert(name) }
            }
        }
        release = release ?? (releases.count == 1 ? releases[0] : nil)
        guard options == nil, let release, let path = TreePath(normalizing: "boot/config-\(release)"),
            let text = try? image.content(of: path)
        else { return }
        options = Self.options(text)
    }

    /// A module's name below the folder of its release: `kernel/fs/ext4/ext4.ko`; nil for what is none.
    static func module(_ path: TreePath) -> String? {
        for folder in KernelChange.folders {
            guard let parts = path.relative(to: folder)?.components, parts.count > 1 else { continue }
            var name = parts.dropFirst().map { shownText($0) }.joined(separator: "/")
            for ending in [".xz", ".zst", ".gz"] where name.hasSuffix(".ko" + ending) { name.removeLast(ending.count) }
            return name.hasSuffix(".ko") ? name : nil
        }
        return nil
    }

    /// `CONFIG_X=y`; what is not set is missing.
    private static func options(_ text: [UInt8]) -> [String: String] {
        var options = [String: String]()
        for line in String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
        where line.hasPrefix("CONFIG_") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { options[String(parts[0])] = parts[1].trimmingQuotes }
        }
        return options
    }
}

extension Substring {
    /// Without a pair of quotes around it.
    fileprivate var trimmingQuotes: String {
        count >= 2 && hasPrefix("\"") && hasSuffix("\"") ? String(dropFirst().dropLast()) : String(self)
    }
}
