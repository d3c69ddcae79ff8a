internal import Debian
internal import RootfsModel

/// dpkg's database as text (dpkg 1.21, lib/dpkg): what it holds after the unpacking of new packages.
///
/// Field order within a stanza and the order of stanzas are free: dpkg rewrites the file in its own order when it
/// configures the first package. Control stanzas are taken verbatim, trailing blanks of their values included.
struct PackageDatabase {
    /// A package as its .deb says, for the database.
    struct NewPackage {
        /// The name of its files in info/, and in triggers/.
        var databaseName: String
        /// The control file, verbatim.
        var stanza: [UInt8]
        var conffiles: [Conffile]
        /// The .list file.
        var list: [UInt8]
        /// The control members but `control`, and md5sums made where the package has none.
        var members: [ControlMember]
        /// The control member `triggers`.
        var triggers: [TriggerDirective]
    }

    /// A file to be written below /var/lib/dpkg.
    struct File: Equatable {
        var path: TreePath
        var bytes: [UInt8]
        var mode: UInt16
        /// nil for the moment of the build.
        var mtime: Timestamp?
    }

    static let directory: TreePath = "var/lib/dpkg"

    /// The files that change when these packages, in their order, come to a database. `read` gives the present
    /// bytes of a file of the tree; nil where there is none.
    static func adding(
        _ packages: [NewPackage], read: (TreePath) throws -> [UInt8]?
    ) throws -> [File] {
        var files = [File]()
        let statusPath = directory.appending("status" as TreePath)
        var status = try read(statusPath) ?? []
        let installed = try installedPackages(status)
        var triggers = try TriggerDatabase(
            names: packages.flatMap { $0.triggers.map(\.name) }, installed: installed, read: read)

        for package in packages {
            if !status.isEmpty { status.append(10) }
            append(package, to: &status)
            let info = directory.appending("info" as TreePath)
            files.append(
                File(path: info.appending(Array("\(package.databaseName).list".utf8)), bytes: package.list, mode: 0o644)
            )
            for member in package.members {
                files.append(
                    File(
                        path: info.appending(Array("\(package.databaseName).\(member.name)".utf8)), bytes: member.bytes,
                        mode: member.mode, mtime: member.mtime))
            }
        }
        files.append(File(path: statusPath, bytes: status, mode: 0o644))

        for package in packages { triggers.activate(by: package) }
        for package in packages { triggers.addInterests(of: package) }
        files += triggers.changedFiles()
        return files
    }

    private static func append(_ package: NewPackage, to status: inout [UInt8]) {
        var stanza = package.stanza[...]
        // The text ends where its last line ends: an empty line would end the stanza too early.
        while stanza.last == 10 { stanza.removeLast() }
        while stanza.first == 10 { stanza.removeFirst() }
        status.append(contentsOf: stanza)
        status.append(contentsOf: "\nStatus: install ok unpacked\n".utf8)
        let conffiles = package.conffiles.filter { !$0.removeOnUpgrade }
        if conffiles.isEmpty { return }
        status.append(contentsOf: "Conffiles:\n".utf8)
        for conffile in conffiles {
            status.append(contentsOf: " /".utf8)
            status.append(contentsOf: conffile.path.bytes)
            status.append(contentsOf: " newconffile\n".utf8)
        }
    }

    /// The packages of a status file that are installed (or wait for triggers only), by name and by name:arch.
    static func installedPackages(_ status: [UInt8]) throws(Failure) -> Set<String> {
        var names = Set<String>()
        for stanza in try Stanza.parse(status, file: "/var/lib/dpkg/status") {
            guard let name = stanza["Package"], let state = stanza["Status"]?.split(separator: " ").last else {
                continue
            }
            guard ["installed", "triggers-pending", "triggers-awaited"].contains(state) else { continue }
            names.insert(name)
            if let architecture = stanza["Architecture"] { names.insert("\(name):\(architecture)") }
        }
        return names
    }

    /// The packages of a status file that are not installed well: name and status, in order.
    static func unfinishedPackages(_ status: [UInt8]) throws(Failure) -> [(name: String, status: String)] {
        try Stanza.parse(status, file: "/var/lib/dpkg/status").compactMap { stanza in
            guard let name = stanza["Package"], let state = stanza["Status"] else { return nil }
            return state == "install ok installed" ? nil : (name, state)
        }
    }
}
