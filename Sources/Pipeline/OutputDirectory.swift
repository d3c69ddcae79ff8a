internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Outputs in the making: a directory beside the final one, exchanged with it in one step when all is done.
/// Until then the previous outputs are as they were; a build that fails or is killed leaves nothing of its own
/// but what the next one sweeps away.
struct OutputDirectory: ~Copyable {
    let final: FilePath
    let staging: FilePath
    private let lock: Int32
    private let lockPath: FilePath

    init(replacing final: FilePath, of recipe: String) throws(Failure) {
        try Self.check(final, of: recipe)
        let parent = final.removingLastComponent()
        let name = final.lastComponent?.string ?? "out"
        let lockPath = Self.lockPath(of: final)
        let staging = parent.appending(".\(name).new")
        let lock = try Self.prepare(final: final, staging: staging, lockPath: lockPath)
        self.final = final
        self.staging = staging
        self.lock = lock
        self.lockPath = lockPath
    }

    /// What is locked while outputs are written, or evidence put beside them.
    static func lockPath(of final: FilePath) -> FilePath {
        final.removingLastComponent().appending(".\(final.lastComponent?.string ?? "out").lock")
    }

    /// The names in build.json, whatever version wrote it.
    private struct Outputs: Decodable {
        struct Output: Decodable {
            var name: String
        }
        var outputs: [Output]
    }

    /// Throws unless what is at this place can go when new outputs of the recipe come: nothing, or only what a build
    /// wrote or would write.
    static func check(_ final: FilePath, of recipe: String) throws(Failure) {
        guard exists(final) else { return }
        let hint = "name a new or an empty directory with -o"
        guard isDirectory(final) else { throw Failure("\(final) is a file, and outputs need a directory", hint: hint) }
        let names = try directoryNames(at: final).map { String(decoding: $0, as: UTF8.self) }
        let record = final.appending(BuildRecord.fileName)
        let outputs = exists(record) ? parseRecord(Outputs.self, from: try readFile(at: record)) : nil
        let known = Set((outputs?.outputs.map(\.name) ?? []) + outputNames(of: recipe))
        let foreign = names.filter { !known.contains($0) }
        guard foreign.isEmpty else {
            throw Failure(
                "\(final) holds what no build wrote, and outputs replace the whole directory",
                notes: Array(foreign.prefix(5)) + (foreign.count > 5 ? ["and \(foreign.count - 5) more"] : []),
                hint: hint)
        }
    }

    /// One build at a time makes these outputs; holding the lock also tells that what lies there is left over.
    private static func prepare(final: FilePath, staging: FilePath, lockPath: FilePath) throws(Failure) -> Int32 {
        let parent = final.removingLastComponent()
        try makeDirectory(at: parent.isEmpty ? "." : parent)
        let lock = open(lockPath.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else { throw systemFailure("write in", parent) }
        do throws(Failure) {
            var held = stat()
            var there = stat()
            // The owner before us removes the file when it is done: what we locked must still be the one at the path.
            guard flock(lock, LOCK_EX | LOCK_NB) == 0, fstat(lock, &held) == 0, stat(lockPath.string, &there) == 0,
                held.st_ino == there.st_ino
            else {
                throw Failure(
                    "another build is writing \(final)", hint: "wait for it, or give this one another place with -o")
            }
            try removeTree(at: staging)
            try makeDirectory(at: staging)
        } catch {
            close(lock)
            throw error
        }
        return lock
    }

    /// Puts the outputs in place of the previous ones.
    consuming func commit() throws(Failure) {
        if exists(final) {
            guard exchange_paths(staging.string, final.string) == 0 else {
                throw systemFailure("put the outputs in place at", final)
            }
        } else {
            guard rename(staging.string, final.string) == 0 else {
                throw systemFailure("put the outputs in place at", final)
            }
        }
    }

    deinit {
        // After a commit this is what was there before.
        try? removeTree(at: staging)
        unlink(lockPath.string)
        close(lock)
    }
}
