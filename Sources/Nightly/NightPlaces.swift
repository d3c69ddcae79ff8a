internal import Glibc
internal import Pipeline
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Where the nights of one recipe keep what they made: `NAME.nights` beside the outputs `NAME`. The value holds the lock
/// on it: one night at a time.
///
///     NAME.nights/
///       20261124T020000Z-1a2b3c4d/      an accepted build
///         NAME/ NAME.lock nightly.json report.md report.html …
///       20261125T020000Z-5e6f7a8b-refused/
///       nightly.json                    the last night
///       CHANGELOG.md
///       attempt/                        what is being made
///       commit.json                     a decision that is not carried out yet
final class NightPlaces: Sendable {
    let root: FilePath
    let name: String
    private let lock: Int32

    /// What commit.json says.
    struct Commit: Codable {
        /// The directory below the root that takes the place of the outputs.
        var version: String
    }

    /// - Throws: where another night is at this recipe.
    init(beside outputs: FilePath, of name: String) throws(Failure) {
        root = outputs.removingLastComponent().appending("\(outputs.lastComponent?.string ?? name).nights")
        self.name = name
        try makeDirectory(at: root)
        let path = root.appending(".lock")
        lock = open(path.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else { throw systemFailure("write in", root) }
        if flock(lock, LOCK_EX | LOCK_NB) != 0 {
            close(lock)
            throw Failure(
                "another nightly of \(name) is running: it holds \(path)",
                hint:
                    "nothing was done here; when it has ended its decision is in \(root.appending(NightRecord.fileName))"
            )
        }
    }

    deinit { close(lock) }

    var attempt: FilePath { root.appending("attempt") }
    var attemptOutputs: FilePath { outputs(of: "attempt") }
    var attemptLock: FilePath { lock(of: "attempt") }
    private var commit: FilePath { root.appending("commit.json") }

    func outputs(of version: String) -> FilePath { root.appending(version).appending(name) }
    func lock(of version: String) -> FilePath { root.appending(version).appending("\(name).lock") }

    /// A place for a new attempt; what a night that was killed left there goes.
    func makeAttempt() throws(Failure) {
        try removeTree(at: attempt)
        try makeDirectory(at: attempt)
    }

    /// What was decided and not carried out.
    func pendingCommit() throws(Failure) -> String? {
        guard exists(commit) else { return nil }
        return parseRecord(Commit.self, from: try readFile(at: commit))?.version
    }

    /// Writes down that the attempt is to take the place of the outputs. From here on nothing is decided again.
    func decide(_ version: String) throws(Failure) {
        try writeFile(try recordBytes(Commit(version: version)), to: commit)
    }

    /// Carries out a decision, as far as it is not: the attempt is kept under its name, then the lock and the outputs
    /// are replaced. Each step can be done twice.
    func carryOut(_ version: String, lock: FilePath, outputs: FilePath) throws {
        if !exists(root.appending(version)) { try keepAttempt(as: version) }
        try writeFile(try readFile(at: self.lock(of: version)), to: lock)
        try installOutputs(from: self.outputs(of: version), to: outputs, of: name)
        try addToChangelog(version)
        if unlink(commit.string) != 0, errno != ENOENT { throw systemFailure("remove", commit) }
    }

    /// Takes a decision back that cannot be carried out, for its attempt is gone.
    func forgetCommit() { unlink(commit.string) }

    func keepAttempt(as version: String) throws(Failure) {
        try moveItem(at: attempt, to: root.appending(version))
    }

    /// A name for a build of this moment and lock that nothing has yet.
    func freeName(moment: String, lock: String, suffix: String) -> String {
        let digits = moment.filter { $0 != "-" && $0 != ":" }
        let base = "\(digits)-\(lock.replacing("sha256:", with: "").prefix(8))"
        var (name, number) = (base + suffix, 2)
        while exists(root.appending(name)) {
            name = "\(base)-\(number)\(suffix)"
            number += 1
        }
        return name
    }

    /// The kept attempts with their records, by name; nil for one that cannot be read.
    func versions() throws(Failure) -> [(name: String, record: NightRecord?)] {
        var versions = [(name: String, record: NightRecord?)]()
        for bytes in try directoryNames(at: root) {
            let name = String(decoding: bytes, as: UTF8.self)
            guard name.first?.isNumber == true, isDirectory(root.appending(name)) else { continue }
            let file = root.appending(name).appending(NightRecord.fileName)
            versions.append(
                (name, exists(file) ? parseRecord(NightRecord.self, from: try readFile(at: file)) : nil))
        }
        return versions.sorted { $0.name < $1.name }
    }

    /// Puts a version's entry before the others, once.
    private func addToChangelog(_ version: String) throws(Failure) {
        let entry = root.appending(version).appending(ImageChangelog.entryName)
        guard exists(entry) else { return }
        let path = root.appending(ImageChangelog.fileName)
        let old = exists(path) ? String(decoding: try readFile(at: path), as: UTF8.self) : ""
        let text = ImageChangelog.adding(
            String(decoding: try readFile(at: entry), as: UTF8.self), of: version, to: old, name: name)
        if text != old { try writeFile(Array(text.utf8), to: path) }
    }
}
