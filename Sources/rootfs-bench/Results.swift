/// What the rounds gave, by what was measured.
struct Results {
    private var values = [String: [Double]]()
    /// The image hash of each kind of build; it must be the same in every round.
    private var hashes = [String: String]()

    var imageHash: String? { hashes[Self.cold] }

    static let cold = "cold build"
    static let unpacked = "payloads in the store, no layer"
    static let late = "one package added to the last layer"
    static let overlay = "an overlay changed"
    static let unchanged = "unchanged"
    static let bootstrap = "mmdebstrap + mke2fs -d"
    static let write = "tree → ext4, and the image's SHA-256"
    static let plainWrite = "tree → ext4"
    static let mke2fs = "mke2fs -d"
    static let copy = "cp of the image"
    static let kernel = "vmlinux out of a bzImage"
    static let pipe = "decompressor in a pipe"
    static let bare = "bare decompression"
    static let solve = "load and solve from a stored index"
    static let apt = "apt-get --print-uris"
    static let memory = "memory of the program, cold build"
    static let children = "memory of the largest program below it"
    static let writeMemory = "memory, tree → ext4"
    static let peerMemory = "mmdebstrap or any program below it"
    static let mke2fsMemory = "mke2fs -d, memory"
    static let diffImages = "diff of two images by themselves, ten packages updated"
    static let diffListings = "diff of their listings alone"
    static let diffBuilds = "diff of the two builds' folders"
    static let diffIdentical = "diff of a build with its equal"
    static let diffMemory = "memory, diff of two images"
    static let diffMounts = "diff -r of the mounted images"
    static let diffoscope = "diffoscope of the mounted images"
    private var changes = [VersionBlocks.Change]()

    mutating func add(_ name: String, _ value: Double) {
        values[name, default: []].append(value)
    }

    mutating func add(_ change: VersionBlocks.Change) { changes.append(change) }

    /// Whether an image is the one that the same build gave before.
    mutating func isSame(_ name: String, _ hash: String) -> Bool {
        defer { hashes[name] = hash }
        return hashes[name].map { $0 == hash } ?? true
    }

    /// The table, goals included.
    var lines: [Line] {
        [
            line(Self.cold, of: Self.bootstrap, .ratio(0.33)),
            line(Self.unpacked, of: Self.bootstrap, .ratio(0.18)),
            line(Self.late, of: Self.bootstrap, .ratio(0.10)),
            line(Self.overlay, of: Self.bootstrap, .amount(1.5)),
            line(Self.unchanged, of: Self.bootstrap, .amount(0.2)),
            line(Self.plainWrite, of: Self.copy, .ratio(1.5)),
            line(Self.plainWrite, of: Self.mke2fs, .ratio(0.15)),
            line(Self.write, of: Self.copy, nil),
            line(Self.write, of: Self.mke2fs, nil),
            line(Self.kernel, of: Self.bare, .ratio(2)),
            line(Self.kernel, of: Self.pipe, nil),
            line(Self.solve, of: Self.apt, .amount(0.4)),
            line(Self.memory, of: Self.peerMemory, .amount(400), .mebibytes),
            line(Self.children, of: nil, nil, .mebibytes),
            line(Self.writeMemory, of: Self.mke2fsMemory, nil, .mebibytes),
            line(Self.diffImages, of: Self.diffMounts, .amount(1)),
            line(Self.diffImages, of: Self.diffoscope, nil),
            line(Self.diffListings, of: Self.diffMounts, .amount(0.2)),
            line(Self.diffBuilds, of: Self.diffMounts, nil),
            line(Self.diffIdentical, of: Self.diffMounts, .amount(0.3)),
            line(Self.diffMemory, of: nil, .amount(300), .mebibytes),
        ].compactMap { $0 } + changes.compactMap(line)
    }

    private func line(_ change: VersionBlocks.Change) -> Line? {
        let mebibyte = 1_048_576.0
        let size = fixed(Double(change.bytes) / mebibyte, 1)
        return Line(
            "what of the image changes: \(change.name), \(size) MiB", .mebibytes,
            ours: [Double(change.imageBytes) / mebibyte],
            peer: ("3 × as much, and 2 MiB", [Double(change.allowed) / mebibyte]), goal: .ratio(1))
    }

    private func line(_ name: String, of peer: String?, _ goal: Line.Goal?, _ unit: Line.Unit = .seconds) -> Line? {
        Line(name, unit, ours: values[name] ?? [], peer: peer.map { ($0, values[$0] ?? []) }, goal: goal)
    }
}
