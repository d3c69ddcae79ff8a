internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What the two builds of a reproduction run under otherwise, and what they cannot.
struct BuildConditions {
    /// One thing that is not the same for both.
    struct Variation: Encodable, Sendable {
        var what: String
        var first: String
        var second: String
    }

    private(set) var variations: [Variation] = []
    /// What is the same for both although it might be otherwise elsewhere, a sentence each.
    private(set) var same: [String] = []
    /// The program's clock, in seconds since 1970.
    let clocks: (Int64, Int64)
    let jobs: (Int, Int)
    /// The environment of each, `NAME=value`.
    let environments: ([String], [String])
    /// Where each one works; made, and removed by the caller.
    let directories: (FilePath, FilePath)
    private let hostname: String?
    private let hasOtherIDs: Bool

    /// The variables that are set otherwise, in each build; nil is unset.
    private static let variables: [(name: String, first: String?, second: String?)] = [
        ("LANG", "C.UTF-8", "tr_TR.UTF-8"), ("LC_ALL", "C", "de_DE.UTF-8"), ("TZ", "UTC", "Asia/Kathmandu"),
        ("HOME", "/root", "/nonexistent"), ("USER", "root", "somebody"), ("LOGNAME", "root", "somebody"),
        ("SOURCE_DATE_EPOCH", nil, "1"), ("SWIFT_DETERMINISTIC_HASHING", "1", nil),
    ]

    /// 400 days: another year, month and weekday.
    private static let shift: Int64 = 400 * 86_400

    /// - Parameters:
    ///   - environment: this process's, `NAME=value`.
    ///   - work: a directory for both.
    ///   - memory: a directory of a file system in memory, where it has room.
    init(environment: [String], now: Int64, jobs: Int, work: FilePath, memory: FilePath?) throws {
        let deep = FilePath("a/rather/deeply/nested/place/for/a/build")
        directories = (work.appending("1"), (memory ?? work).appending("2").pushing(deep))
        clocks = (now, now + Self.shift)
        self.jobs = (1, jobs > 1 ? jobs : 3)
        let names = Set(Self.variables.map(\.name) + ["TMPDIR"])
        let rest = environment.filter { !names.contains(String($0.prefix { $0 != "=" })) }
        func variables(_ pick: ((name: String, first: String?, second: String?)) -> String?, _ place: FilePath)
            -> [String]
        {
            rest + Self.variables.compactMap { variable in pick(variable).map { "\(variable.name)=\($0)" } }
                + ["TMPDIR=\(place.appending("tmp"))"]
        }
        environments = (
            variables({ $0.first }, directories.0), variables({ $0.second }, directories.1)
        )
        hostname =
            try Self.canRun("echo elsewhere > /proc/sys/kernel/hostname", under: ["unshare", "--uts"], in: work)
            ? "elsewhere" : nil
        hasOtherIDs =
            try geteuid() == 0 && Self.hasMachinesIDs
            && Self.canRun(":", under: Self.idWrapper, in: work)
        tell(memory: memory)
    }

    /// The day in UTC, as `2026-11-23`.
    private static func dayText(_ seconds: Int64) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }

    private mutating func tell(memory: FilePath?) {
        func vary(_ what: String, _ first: String, _ second: String) {
            variations.append(Variation(what: what, first: first, second: second))
        }
        vary("store", "empty", "empty")
        vary("clock of the program", Self.dayText(clocks.0), "\(Self.dayText(clocks.1)), 400 days later")
        vary("jobs", "\(jobs.0)", "\(jobs.1)")
        vary("umask", "022", "077")
        for variable in Self.variables { vary(variable.name, variable.first ?? "unset", variable.second ?? "unset") }
        vary("TMPDIR, store and outputs", "\(directories.0)", "\(directories.1)")
        if let hostname {
            vary("host name", "this machine's", hostname)
        } else {
            same.append("the host name: this host gives no namespace to change it in")
        }
        if hasOtherIDs {
            vary("user", "root", "root of a user namespace, with other ids")
        } else {
            same.append("the user and the ids: that takes root of the machine, and user namespaces")
        }
        if memory == nil {
            same.append(
                "the file system that gives directories in its own order: /dev/shm has no room or runs no programs")
        } else {
            vary("order of directories", "as the disk gives it", "as a file system in memory gives it")
        }
        same.append(
            "the clock that maintainer scripts see: only this program's own is shifted, theirs is as much later as the second build began later"
        )
        same.append("the packages: both builds take the same .deb files, by their digests")
        same.append("the kernel, the processor and this program")
    }

    /// The words that run a program as the first or the second build.
    func words(isSecond: Bool) -> [String] {
        let umask = ["/bin/sh", "-c", "umask \(isSecond ? "077" : "022"); exec \"$@\"", "sh"]
        guard isSecond else { return umask }
        var words = umask
        if let hostname {
            words += [
                "unshare", "--uts", "/bin/sh", "-c", "echo \(hostname) > /proc/sys/kernel/hostname; exec \"$@\"", "sh",
            ]
        }
        return hasOtherIDs ? words + Self.idWrapper : words
    }

    /// Runs what follows as root of a user namespace whose root is the machine's and whose other ids are others. The
    /// helper in the background gives it its ids: who makes the namespace may not.
    private static let idWrapper = [
        "/bin/sh", "-c",
        """
        main=$$
        (
            tries=0
            until [ "$(readlink /proc/$main/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do
                tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1
                sleep 0.02
            done
            printf '0 0 1\\n1 1000000001 65535\\n' > /proc/$main/uid_map
            printf '0 0 1\\n1 1000000001 65535\\n' > /proc/$main/gid_map
        ) &
        exec unshare --user /bin/sh -c '
            tries=0
            until grep -q . /proc/self/uid_map && grep -q . /proc/self/gid_map; do
                tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1
                sleep 0.02
            done
            exec "$@"' sh "$@"
        """, "sh",
    ]

    /// Whether this process sees the machine's own ids.
    private static var hasMachinesIDs: Bool {
        let text = (try? readFile(at: "/proc/self/uid_map")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: " ").map { $0.prefix { $0 != "\n" } } == ["0", "0", "4294967295"]
    }

    private static func canRun(_ command: String, under words: [String], in work: FilePath) throws -> Bool {
        let end = try runProgram(
            "/usr/bin/env", words + ["/bin/sh", "-c", command], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            output: work.appending("output"), errors: work.appending("errors"))
        return end == .exited(0)
    }
}

/// A directory in memory, if there is one with so many bytes of room in which programs may run.
func memoryDirectory(forBytes needed: UInt64) -> FilePath? {
    let place: FilePath = "/dev/shm"
    var status = statvfs()
    guard statvfs(place.string, &status) == 0, access(place.string, W_OK) == 0,
        // ST_NOEXEC, which Glibc shows only with _GNU_SOURCE.
        status.f_flag & 8 == 0
    else { return nil }
    let (free, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow || free >= needed ? place : nil
}

/// What two builds of packages of these sizes take, in bytes: unpacked files, layers and the image are some ten times
/// the packages' size.
func memoryToBuild(packages sizes: [UInt64]) -> UInt64 {
    let bytes = sizes.reduce(0x1p28) { $0 + 12 * Double($1) }
    return bytes < 0x1p64 ? UInt64(bytes) : .max
}
