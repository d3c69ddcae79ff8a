internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What two builds of a recipe wrote, file by file; `build.json`, which tells of the build itself, is left out.
struct OutputComparison {
    let outputs: [ReproduceReport.Output]
    private let directories: (FilePath, FilePath)

    init(_ first: FilePath, _ second: FilePath) throws {
        func digests(_ directory: FilePath) throws -> [String: Digest] {
            var digests = [String: Digest]()
            for name in try directoryNames(at: directory).map({ String(decoding: $0, as: UTF8.self) })
            where name != BuildRecord.fileName {
                digests[name] = try Blob(file: directory.appending(name)).takeDigest()
            }
            return digests
        }
        let (left, right) = (try digests(first), try digests(second))
        directories = (first, second)
        outputs = Set(left.keys).union(right.keys).sorted().map { name in
            .init(name: name, first: left[name]?.description, second: right[name]?.description)
        }
    }

    /// Those that are not the same, by name.
    var differing: [ReproduceReport.Output] { outputs.filter { $0.first != $0.second } }

    /// What is otherwise in the outputs besides the image, one thing each. Where the images differ, those that tell of
    /// the image follow from that and are left out: its listing, and what is JSON.
    func differences(besides image: String) throws -> [ReproduceReport.Difference] {
        let differing = self.differing
        let hasOtherImage = differing.contains { $0.name == image }
        return try differing.compactMap { output in
            let tellsOfImage = output.name.hasSuffix(".json") || output.name.hasSuffix(".listing")
            if output.name == image || hasOtherImage && tellsOfImage { return nil }
            return try difference(of: output)
        }
    }

    /// The first line in which two texts differ, the first bytes of anything else.
    private func difference(of output: ReproduceReport.Output) throws -> ReproduceReport.Difference {
        guard output.first != nil, output.second != nil else {
            func word(_ digest: String?) -> String { digest == nil ? "none" : "there" }
            return .init(
                place: output.name, field: "output", first: word(output.first), second: word(output.second),
                madeBy: nil)
        }
        let (left, right) = (
            try readFile(at: directories.0.appending(output.name)),
            try readFile(at: directories.1.appending(output.name))
        )
        func offset<Item: Equatable>(_ left: some Collection<Item>, _ right: some Collection<Item>) -> Int {
            zip(left, right).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(left.count, right.count)
        }
        if let texts = Self.lines(left).flatMap({ first in Self.lines(right).map { (first, $0) } }) {
            let index = offset(texts.0, texts.1)
            func line(_ lines: [Substring]) -> String { index < lines.count ? String(lines[index]) : "the end" }
            return .init(
                place: "\(output.name):\(index + 1)", field: "line", first: line(texts.0), second: line(texts.1),
                madeBy: nil)
        }
        let index = offset(left, right)
        return .init(
            place: output.name, field: "content from byte \(index) on",
            first: shownBytes(left.dropFirst(index).prefix(32)), second: shownBytes(right.dropFirst(index).prefix(32)),
            madeBy: nil)
    }

    /// nil for what is no text: no UTF-8, or with a NUL in it.
    private static func lines(_ bytes: [UInt8]) -> [Substring]? {
        if bytes.contains(0) { return nil }
        return String(validating: bytes, as: UTF8.self)?.split(separator: "\n", omittingEmptySubsequences: false)
    }
}
