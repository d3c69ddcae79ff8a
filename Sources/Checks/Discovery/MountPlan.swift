internal import RootfsModel

/// What is mounted over the image when its services run, as far as the image says it: /etc/fstab, the mount units that
/// are started, and what systemd mounts by itself.
struct MountPlan: Sendable {
    struct Mount: Hashable, Sendable {
        var point: TreePath
        var type: String
        var options: Set<String>
        /// Who says so.
        var source: String

        /// Whether it begins empty at every boot.
        var isTemporary: Bool { ["tmpfs", "ramfs"].contains(type) }
    }

    private(set) var mounts: [Mount] = []
    /// Whether the root is for reading only while services run.
    let hasReadOnlyRoot: Bool

    init(_ subject: CheckSubject) throws {
        let arguments = subject.kernel?.arguments ?? []
        let initSystem = try initSystem(of: subject, arguments: arguments)
        let isSystemd = initSystem == .systemd
        var rootOptions: Set<String>?
        for line in try Self.lines("/etc/fstab", subject) {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard fields.count >= 3, fields[1].hasPrefix("/"), let point = TreePath(normalizing: fields[1]) else {
                continue
            }
            let options = Set((fields.count > 3 ? fields[3] : "").split(separator: ",").map(String.init))
            if point.isRoot {
                rootOptions = options
            } else if !options.contains("noauto") {
                mounts.append(Mount(point: point, type: fields[2], options: options, source: "/etc/fstab"))
            }
        }
        if isSystemd {
            for unit in try startedUnits(UnitDirectory(subject), arguments: arguments, in: subject)
            where unit.name.ending == "mount" {
                guard let place = unit.text.value("Mount", "Where"), let point = TreePath(normalizing: place) else {
                    continue
                }
                let options = (unit.text.value("Mount", "Options") ?? "").split(separator: ",").map(String.init)
                mounts.append(
                    Mount(
                        point: point, type: unit.text.value("Mount", "Type") ?? "", options: Set(options),
                        source: unit.path.description))
            }
            for point: TreePath in ["/run", "/dev/shm"] where !mounts.contains(where: { $0.point == point }) {
                mounts.append(Mount(point: point, type: "tmpfs", options: ["nosuid", "nodev"], source: "systemd"))
            }
        }
        if SmallSupervisor.isFirst(initSystem, in: subject) {
            for point: TreePath in ["/run", "/dev/shm", "/tmp"] {
                mounts.append(
                    Mount(point: point, type: "tmpfs", options: ["nosuid", "nodev"], source: "the supervisor"))
            }
        }
        // systemd makes the root as fstab has it, whatever the kernel was told.
        let isRemounted = isSystemd && rootOptions?.contains("rw") ?? false
        hasReadOnlyRoot =
            !isRemounted
            && (subject.machine.hasReadOnlyRoot || rootOptions?.contains("ro") ?? false
                || arguments.last { $0 == "ro" || $0 == "rw" } == "ro" && isSystemd && rootOptions == nil)
    }

    /// The innermost mount that a path lies on; nil for the root's.
    func mount(of path: TreePath) -> Mount? {
        mounts.filter { path.isWithin($0.point) }.max { $0.point.bytes.count < $1.point.bytes.count }
    }

    private static func lines(_ path: TreePath, _ subject: CheckSubject) throws -> [Substring] {
        guard let bytes = try subject.content(of: path, limit: 1 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
    }
}
