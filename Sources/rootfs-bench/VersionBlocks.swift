import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Counts what of an image is other than before at the same place when one thing of the recipe changes.
struct VersionBlocks {
    /// One change, and what came of it.
    struct Change {
        var name: String
        /// Bytes of the files that are other than before, or new or gone.
        var bytes: Int
        /// Bytes of the image, in whole blocks of 4,096.
        var imageBytes: Int

        /// Three times what changed and 2 MiB.
        var allowed: Int { 3 * bytes + 2 << 20 }
    }

    let program: String
    /// With `recipes/`, `overlays/` and the package's recipe `recipes/bench.manifest`.
    let repository: FilePath
    let store: FilePath
    /// The image that each is compared with.
    let before: FilePath
    let lock: Lock
    /// Where it may write.
    let work: FilePath

    static let newSize = 5 << 20

    /// A new file of 5 MiB.
    func newFile() throws -> Change {
        let path = repository.appending(FilePath("overlays/supervisor/usr/lib/bench-changed").components)
        // Bytes that do not compress, the same every time.
        var word: UInt64 = 1
        let content = (0..<Self.newSize).map { _ in
            word = word &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: word >> 56)
        }
        try writeFile(content, to: path)
        defer { try? removeTree(at: path) }
        return try change("a new file", recipe: "recipes/bench.manifest", [])
    }

    /// The file whose size is next to 5 MiB taken out.
    func removedFile() throws -> Change {
        let sizes = try files(of: before).mapValues(\.size)
        func distance(_ size: Int) -> Int { abs(size - Self.newSize) }
        guard let path = sizes.min(by: { (distance($0.value), $0.key) < (distance($1.value), $1.key) })?.key else {
            throw Failure("\(before) has no file")
        }
        let recipe = "recipes/removed.manifest"
        let text = String(decoding: try readFile(at: repository.appending("recipes/bench.manifest")), as: UTF8.self)
        try writeFile(
            Array((text + "\nremove: [\"\(path)\"]\n").utf8), to: repository.appending(FilePath(recipe).components)
        )
        try writeFile(
            try readFile(at: repository.appending("recipes/bench.lock")),
            to: repository.appending("recipes/removed.lock"))
        return try change("a removed file", recipe: recipe, [])
    }

    /// A package rebuilt, and its layer and those above made anew, a day later.
    func updatedPackage(_ name: String) throws -> Change {
        let update = try PackageUpdate(of: [name], in: lock, repository: repository, store: store, work: work)
        return try change("\(name) updated", recipe: update.recipe, update.options)
    }

    /// An image's files with content by their path: the size, and what the listing says of the content.
    private func files(of image: FilePath) throws -> [String: (size: Int, words: [Substring])] {
        var path = image
        path.extension = "listing"
        var files = [String: (size: Int, words: [Substring])]()
        for line in String(decoding: try readFile(at: path), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.contains("type=file"), let size = words.first(where: { $0.hasPrefix("size=") }),
                let count = Int(size.dropFirst(5))
            else { continue }
            files[String(words[0].dropFirst())] = (
                count, words.filter { $0.hasPrefix("size=") || $0.hasPrefix("sha256digest=") }
            )
        }
        return files
    }

    private func change(_ name: String, recipe: String, _ options: [String]) throws -> Change {
        let output = work.appending("changed")
        try removeTree(at: output)
        _ = try run(
            [program, recipe, "--offline", "--cache", store.string, "-o", output.string, "--quiet"] + options,
            in: repository)
        let image = output.appending("\(lock.recipe).ext4")
        let (old, new) = (try files(of: before), try files(of: image))
        let bytes = Set(old.keys).union(new.keys).filter { old[$0]?.words != new[$0]?.words }
            .reduce(0) { $0 + max(old[$1]?.size ?? 0, new[$1]?.size ?? 0) }
        let change = Change(name: name, bytes: bytes, imageBytes: try changedBlocks(from: before, to: image) * 4096)
        try removeTree(at: output)
        note("  \(name), \(bytes) bytes: \(change.imageBytes) bytes of the image")
        return change
    }
}
