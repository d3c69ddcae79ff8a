import Checks
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Packages of a recipe rebuilt a day later: their libraries' code is other than before, and their files are as new as
/// the update. `recipes/updated.manifest` is the recipe with them.
struct PackageUpdate {
    let recipe = "recipes/updated.manifest"
    /// What a build of it needs.
    let options: [String]

    /// - Parameters:
    ///   - lock: of `recipes/bench.manifest` in `repository`.
    ///   - store: has the packages' .debs.
    init(of names: [String], in lock: Lock, repository: FilePath, store: FilePath, work: FilePath) throws {
        var updated = lock
        updated.moment += 86_400
        let debs = work.appending("update-debs")
        try removeTree(at: debs)
        try makeDirectory(at: debs)
        for name in names {
            guard let index = lock.packages.firstIndex(where: { $0.name == name }),
                let old = try Store(at: store).file(lock.packages[index].sha256, size: lock.packages[index].size)
            else { throw Failure("\(name) is not among the recipe's packages: name another with --update") }
            let version = lock.packages[index].version + "+bench1"
            let tree = work.appending("update")
            try removeTree(at: tree)
            _ = try run(["dpkg-deb", "-R", old.string, tree.string])
            guard try Self.changeCode(below: tree) > 0 else {
                throw Failure("\(name) has no library whose code could change: name another with --update")
            }
            _ = try run(["sed", "-i", "s/^Version: .*/Version: \(version)/", tree.appending("DEBIAN/control").string])
            _ = try run(
                ["find", tree.string, "-exec", "touch", "-h", "-d", "@\(updated.moment - 3600)", "{}", "+"])
            let deb = debs.appending("\(name).deb")
            _ = try run(["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "-b", tree.string, deb.string])
            let content = try readFile(at: deb)
            updated.packages[index].version = version
            updated.packages[index].size = UInt64(content.count)
            updated.packages[index].sha256 = Digest(hashing: content)
        }
        try writeFile(
            try readFile(at: repository.appending("recipes/bench.manifest")),
            to: repository.appending(FilePath(recipe).components))
        try writeFile(Array(updated.following(lock).text.utf8), to: repository.appending("recipes/updated.lock"))
        options = ["--package-dir", debs.string]
    }

    /// Changes what is loaded to be run of all libraries of a package; how many bytes that were.
    private static func changeCode(below tree: FilePath) throws -> Int {
        var changed = 0
        for path in try run(["find", tree.string, "-type", "f", "-size", "+0", "-name", "*.so.*", "-print0"]).output
            .split(separator: 0).map({ FilePath(String(decoding: $0, as: UTF8.self)) })
        {
            var content = try readFile(at: path)
            let old = content
            let file = try ElfFile(reading: Blob(old)) { _, range in
                Array(old[Int(range.lowerBound)..<Int(range.upperBound)])
            }
            for code in file?.segments ?? [] where code.type == 1 && code.flags & 1 == 1 && code.offset > 0 {
                guard code.offset < UInt64(old.count), code.fileSize <= UInt64(old.count) - code.offset else {
                    continue
                }
                changed += Int(code.fileSize)
                for index in Int(code.offset)..<Int(code.offset + code.fileSize) { content[index] ^= 0x55 }
            }
            try writeFile(content, to: path)
        }
        return changed
    }
}
