public import Debian
public import RootfsModel
public import Storage
public import SystemPackage

/// One .deb, unpacked into the store: a function of the .deb alone, shared by all layers and images.
///
///     tree/       its files, with the metadata of its tar
///     control/    its control members
///     listing     the tree with digests (`Listing`)
///     traits      checksums and holes of its files (`TraitsText`)
///     list        its paths as dpkg's .list has them, in the order of the tar
///     md5sums     the MD5 of every file, only where the package brings no md5sums
///     oddities    why dpkg itself must unpack it, a line each; mostly empty
///     size        of its files together, in bytes
///     digest      of all these but the tree, whose digests the listing has
///
/// A value is cheap: it knows where the directory is, and reads what is asked for.
public struct Payload: Hashable, Sendable {
    /// The .deb's SHA-256.
    public let digest: Digest
    /// The directory in the store.
    public let directory: FilePath
    /// The package as messages name it.
    public let label: String

    /// The payload of this .deb, if the store has it.
    public static func find(_ digest: Digest, label: String, in store: Store) -> Payload? {
        store.directory(.payloads, key: digest).map { Payload(digest: digest, directory: $0, label: label) }
    }

    /// The sum of its files' sizes, in bytes: known without reading the listing.
    public func contentSize() throws(Failure) -> UInt64 {
        let path = directory.appending(Self.sizeName)
        guard let size = UInt64(String(decoding: try readFile(at: path), as: UTF8.self)) else {
            throw Failure("\(path) is no number of bytes")
        }
        return size
    }

    /// Whether all but the tree is what it was when it was unpacked. That of the tree is seen where it is read.
    func hasItsTexts() -> Bool {
        // A store of a version that took no traits has none.
        guard exists(directory.appending(Self.traitsName)),
            let kept = try? readFile(at: directory.appending(Self.digestName)),
            let digest = try? Self.digestOfTexts(in: directory)
        else { return false }
        return kept == digest.hexBytes
    }

    /// Whether all of it is what it was when it was unpacked, by the files' checksums; every byte is read.
    public func isIntact() throws -> Bool {
        guard hasItsTexts() else { return false }
        do {
            for node in try tree().nodes {
                if Task.isCancelled { throw CancellationError() }
                guard let blob = node.blob else { continue }
                if try blob.takeChecksum() != blob.traits?.checksum { return false }
            }
        } catch is Failure {
            return false
        }
        return true
    }

    static let sizeName = "size"
    static let traitsName = "traits"
    static let digestName = "digest"

    /// Names and bytes of what lies beside the tree.
    static func digestOfTexts(in directory: FilePath) throws(Failure) -> Digest {
        var hasher = DigestHasher()
        for folder in [directory, directory.appending("control")] {
            for name in try directoryNames(at: folder).map({ String(decoding: $0, as: UTF8.self) }) {
                if folder == directory && [digestName, "tree", "control"].contains(name) { continue }
                let bytes = try readFile(at: folder.appending(name))
                hasher.update(field: name)
                hasher.update(field: String(bytes.count))
                hasher.update(bytes)
            }
        }
        return hasher.finalized()
    }

    var treeDirectory: FilePath { directory.appending("tree") }

    /// Its files, by the package's own paths; blobs point into the store.
    public func tree() throws -> FileTree {
        let path = directory.appending("listing")
        var tree = try Listing.parse(try readFile(at: path), name: path.string)
        let traitsPath = self.directory.appending(Self.traitsName)
        let traits = try TraitsText.parse(try readFile(at: traitsPath), name: traitsPath.string)
        let files = tree.nodes.count { $0.blob != nil }
        guard traits.count == files else {
            throw Failure("\(traitsPath) has \(traits.count) lines for \(files) files")
        }
        let directory = treeDirectory.string
        var firstNames = [UInt32: TreePath]()
        var known = traits.makeIterator()
        tree.updateEach { node in
            guard case .file(var blob, let group) = node.kind else { return }
            var path = node.path
            if group != 0 {
                path = firstNames[group] ?? path
                firstNames[group] = path
            }
            blob.source = .file(directory: directory, path: path)
            blob.traits = known.next()
            node.kind = .file(blob, linkGroup: group)
        }
        return tree
    }

    /// The control members but `control` itself, sorted by name, as files on the host.
    public func control() throws -> [ControlMember] {
        var members = [ControlMember]()
        let directory = directory.appending("control")
        for node in try scanDirectory(directory, digesting: false).nodes {
            guard let blob = node.blob else { continue }
            members.append(
                ControlMember(
                    name: String(decoding: node.path.bytes, as: UTF8.self), mode: node.metadata.mode,
                    mtime: node.metadata.mtime, bytes: try blob.readAll()))
        }
        return members
    }

    /// One control member's bytes; nil where the package has none of this name.
    public func controlMember(_ name: String) throws(Failure) -> [UInt8]? {
        let path = directory.appending("control").appending(name)
        return exists(path) ? try readFile(at: path) : nil
    }

    /// The control file.
    public func stanza() throws(Failure) -> PackageStanza {
        let bytes = try controlMember("control") ?? []
        return try PackageStanza(parsing: bytes, file: "the control file of \(label)")
    }

    /// The content of dpkg's .list file: `/.`, then a path a line, in the order of the tar.
    public func list() throws(Failure) -> [UInt8] {
        try readFile(at: directory.appending("list"))
    }

    /// The md5sums of a package that brings none of its own.
    func computedChecksums() throws(Failure) -> [UInt8]? {
        let path = directory.appending("md5sums")
        return exists(path) ? try readFile(at: path) : nil
    }

    /// What in it is beyond our own unpacking; empty for nearly every package.
    public func oddities() throws(Failure) -> [String] {
        String(decoding: try readFile(at: directory.appending("oddities")), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }
}

/// A line of a package's conffiles.
struct Conffile: Hashable {
    var path: TreePath
    var removeOnUpgrade: Bool

    /// Parses a conffiles member (deb-conffiles(5)): `/etc/x` or `remove-on-upgrade /etc/x`, a line each.
    static func parse(_ bytes: [UInt8], label: String) throws(Failure) -> [Conffile] {
        var result = [Conffile]()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            var text = line[...]
            while let last = text.last, last == 32 || last == 9 || last == 13 { text.removeLast() }
            while let first = text.first, first == 32 || first == 9 { text.removeFirst() }
            if text.isEmpty { continue }
            var removeOnUpgrade = false
            let flag = Array("remove-on-upgrade ".utf8)
            if text.starts(with: flag) {
                removeOnUpgrade = true
                text = text.dropFirst(flag.count)
            }
            guard text.first == UInt8(ascii: "/"), let path = TreePath(normalizing: text) else {
                throw Failure("\(label): conffile `\(String(decoding: line, as: UTF8.self))` is no absolute path")
            }
            result.append(Conffile(path: path, removeOnUpgrade: removeOnUpgrade))
        }
        return result
    }
}
