// ArchiveFixture: a small signed Debian archive, made for a test.
//
//     let key = try FixtureKey()                                    // a throw-away gpg key; gone with the value
//     let archive = try FixtureArchive(key: key)                    // a temporary directory; gone with the value
//     try archive.write(FixtureSuite("bookworm", packages: [        // dists/bookworm and pool/, signed
//         FixturePackage("hello", version: "2.10-3", fields: ["Depends": "libhello1 (>= 2.0)"],
// files: [.file("usr/bin/hello", "#!/bin/sh\necho hello\n", mode: 0o755), .link("usr/bin/hi", to: "hello")],
//             scripts: ["postinst": "#!/bin/sh\nexit 0\n"]),
//         FixturePackage("libhello1", architecture: "amd64", files: [.file("usr/lib/libhello.so.1", "…")]),
//     ]))
//     archive.uri            file:///…                              // for --mirror
//     key.keyring            …/keyring.gpg, key.armored …/keyring.asc
//
//     let server = try FixtureServer(serving: archive.root)         // HTTP on 127.0.0.1, the kernel picks the port
//     server.uri             http://127.0.0.1:PORT
//     server.inject(.cut(after: 1000), at: "pool/main/h/hello/hello_2.10-3_all.deb", times: 2)
//     server.requests        what was asked, in the order of arrival
//
// `FixturePackage.deb()` gives one package's bytes without an archive: any file kinds, owners and modes, without root
// and without dpkg. gpg is the one program needed; `FixtureKey.isPossible` says whether the host has it (for
// `.enabled(if:)`). A suite's fields can be wrong on purpose: see FixtureSuite. Everything is the same on every run but
// the key.

import Debian
import Glibc
public import RootfsModel
import Storage
public import SystemPackage

/// What a suite of the archive says of itself, and what is in it.
public struct FixtureSuite: Sendable {
    /// The directory's name below dists/.
    public var name: String
    public var suite: String
    public var codename: String
    public var origin = "Debian"
    public var architecture = "amd64"
    /// More fields of the Release file.
    public var fields: [String: String] = [:]
    /// 2026-01-01 00:00:00 UTC.
    public var date: Int64 = 1_767_225_600
    public var validUntil: Int64?
    public var hasByHash = true
    /// Forms of each index: suffixes.
    public var forms = [".xz", ".gz"]
    /// Whether Release lists the uncompressed index, as archives do that do not serve it.
    public var listsText = true
    public var components = ["main"]
    public var packages: [FixturePackage]
    /// Replaces what Packages says of a package's size or digest, by package name.
    public var wrongSizes: [String: UInt64] = [:]
    public var wrongDigests: [String: Digest] = [:]

    public init(_ name: String, packages: [FixturePackage]) {
        self.name = name
        self.suite = name
        self.codename = name
        self.packages = packages
    }
}

/// A signed archive in a temporary directory, taken away with the value.
public final class FixtureArchive: Sendable {
    /// Holds dists/ and pool/.
    public let root: FilePath
    public let key: FixtureKey
    private let directory: FixtureDirectory

    public init(key: FixtureKey) throws {
        self.key = key
        self.directory = try FixtureDirectory("archive")
        self.root = directory.path.appending("debian")
        try makeDirectory(at: root)
    }

    public var uri: String { "file://" + root.string }

    /// The pool path of a package.
    public static func poolPath(_ package: FixturePackage) -> String {
        let version = package.version.split(separator: ":").last ?? ""
        return "pool/\(package.component)/\(package.name.prefix(1))/\(package.name)/"
            + "\(package.name)_\(version)_\(package.architecture).deb"
    }

    /// Writes or replaces a suite: its packages, indexes and InRelease.
    public func write(_ suite: FixtureSuite) throws {
        let dists = root.appending("dists").appending(FilePath(suite.name).components)
        var listed = [(path: String, bytes: [UInt8], isServed: Bool)]()
        for component in suite.components {
            var text = [UInt8]()
            for package in suite.packages where package.component == component {
                let deb = try package.deb()
                let path = Self.poolPath(package)
                try put(deb, at: root.appending(FilePath(path).components))
                var stanza = package.control
                stanza.set("Filename", to: path)
                stanza.set("Size", to: "\(suite.wrongSizes[package.name] ?? UInt64(deb.count))")
                stanza.set("SHA256", to: (suite.wrongDigests[package.name] ?? Digest(hashing: deb)).hex)
                text += stanza.bytes + [10]
            }
            let path = "\(component)/binary-\(suite.architecture)/Packages"
            if suite.listsText || suite.forms.contains("") { listed.append((path, text, suite.forms.contains(""))) }
            if suite.forms.contains(".xz") { listed.append((path + ".xz", try compressed(text, .xz), true)) }
            if suite.forms.contains(".gz") { listed.append((path + ".gz", try compressed(text, .gzip), true)) }
        }
        var table = ""
        for (path, bytes, isServed) in listed {
            table += "\n \(Digest(hashing: bytes).hex) \(bytes.count) \(path)"
            if !isServed { continue }
            let file = dists.appending(FilePath(path).components)
            try put(bytes, at: file)
            if suite.hasByHash {
                let byHash = file.removingLastComponent().appending("by-hash").appending("SHA256")
                try put(bytes, at: byHash.appending(Digest(hashing: bytes).hex))
            }
        }
        var release = Stanza()
        release.set("Origin", to: suite.origin)
        release.set("Label", to: suite.origin)
        release.set("Suite", to: suite.suite)
        release.set("Codename", to: suite.codename)
        release.set("Date", to: archiveDate(suite.date))
        if let end = suite.validUntil { release.set("Valid-Until", to: archiveDate(end)) }
        if suite.hasByHash { release.set("Acquire-By-Hash", to: "yes") }
        release.set("Architectures", to: "all \(suite.architecture)")
        release.set("No-Support-for-Architecture-all", to: "Packages")
        release.set("Components", to: suite.components.joined(separator: " "))
        for (name, value) in suite.fields.sorted(by: { $0.key < $1.key }) { release.set(name, to: value) }
        release.set("SHA256", to: table)
        try put(try key.clearSigned(release.bytes), at: dists.appending("InRelease"))
    }

    private func put(_ bytes: [UInt8], at path: FilePath) throws {
        try makeDirectory(at: path.removingLastComponent())
        try writeFile(bytes, to: path)
    }
}

/// A temporary directory with a short path (gpg-agent's socket is in one), taken away with the value.
public final class FixtureDirectory: Sendable {
    public let path: FilePath

    public init(_ purpose: String) throws {
        var template = Array("/tmp/\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("make a directory in", "/tmp") }
        self.path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit { try? removeTree(at: path) }
}
