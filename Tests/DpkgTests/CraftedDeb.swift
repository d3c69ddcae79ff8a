import Glibc
import RootfsModel
import Storage
import SystemPackage

/// A .deb made in code, honest or hostile: every byte of it is the test's.
struct CraftedDeb {
    var control: String
    var scripts: [(name: String, text: String)] = []
    var data = TarText()
    /// Members of the outer archive that replace the usual ones.
    var outer: [(name: String, bytes: [UInt8])]?

    init(_ name: String = "sample", fields: String = "") {
        control = """
            Package: \(name)
            Version: 1.0
            Architecture: all
            Maintainer: Nobody <nobody@example.org>
            \(fields.isEmpty ? "" : fields + "\n")Description: made for a test

            """
        data.add("./", type: "5", mode: 0o755)
    }

    var controlTar: [UInt8] {
        var tar = TarText()
        tar.add("./", type: "5", mode: 0o755)
        tar.add("./control", content: Array(control.utf8), mode: 0o644)
        for script in scripts {
            let isScript = ["preinst", "postinst", "prerm", "postrm"].contains(script.name)
            tar.add("./\(script.name)", content: Array(script.text.utf8), mode: isScript ? 0o755 : 0o644)
        }
        return tar.finished
    }

    var bytes: [UInt8] {
        CraftedDeb.ar(
            outer ?? [
                ("debian-binary", Array("2.0\n".utf8)), ("control.tar", controlTar), ("data.tar", data.finished),
            ])
    }

    static func ar(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        var result = Array("!<arch>\n".utf8)
        for member in members {
            func field(_ text: String, _ width: Int) { result += Array((text + String(repeating: " ", count: width)).utf8.prefix(width)) }
            field(member.name, 16)
            field("0", 12)
            field("0", 6)
            field("0", 6)
            field("100644", 8)
            field(String(member.bytes.count), 10)
            result += [0x60, 0x0A] + member.bytes
            if member.bytes.count % 2 == 1 { result.append(0x0A) }
        }
        return result
    }
}

/// A tar archive in ustar headers with GNU long names, written field by field.
struct TarText {
    private(set) var bytes = [UInt8]()

    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    mutating func directory(_ name: String, mode: Int = 0o755, uid: Int = 0, gid: Int = 0, mtime: Int = 1_600_000_000) {
        add(name, type: "5", mode: mode, uid: uid, gid: gid, mtime: mtime)
    }

    mutating func add(
        _ name: String, type: Character = "0", content: [UInt8] = [], link: String = "", mode: Int = 0o644,
        uid: Int = 0, gid: Int = 0, mtime: Int = 1_600_000_000, claimedSize: Int? = nil, user: String = "", group: String = ""
    ) {
        add(
            Array(name.utf8), type: type, content: content, link: link, mode: mode, uid: uid, gid: gid, mtime: mtime,
            claimedSize: claimedSize, user: user, group: group)
    }

    mutating func add(
        _ name: [UInt8], type: Character = "0", content: [UInt8] = [], link: String = "", mode: Int = 0o644,
        uid: Int = 0, gid: Int = 0, mtime: Int = 1_600_000_000, claimedSize: Int? = nil, user: String = "", group: String = ""
    ) {
        if name.count > 99 { raw(Array("././@LongLink".utf8), type: "L", size: name.count + 1, content: name + [0]) }
        if link.utf8.count > 99 {
            raw(Array("././@LongLink".utf8), type: "K", size: link.utf8.count + 1, content: Array(link.utf8) + [0])
        }
        raw(
            Array(name.prefix(99)), type: type, size: claimedSize ?? content.count, content: content,
            link: Array(link.utf8.prefix(99)), mode: mode, uid: uid, gid: gid, mtime: mtime, user: user, group: group)
    }

    private mutating func raw(
        _ name: [UInt8], type: Character, size: Int, content: [UInt8], link: [UInt8] = [], mode: Int = 0o644,
        uid: Int = 0, gid: Int = 0, mtime: Int = 0, user: String = "", group: String = ""
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ value: [UInt8], at offset: Int) { header.replaceSubrange(offset..<(offset + value.count), with: value) }
        func octal(_ value: Int, _ width: Int) -> [UInt8] {
            let digits = String(value, radix: 8)
            return Array((String(repeating: "0", count: max(0, width - digits.count)) + digits).utf8)
        }
        put(name, at: 0)
        put(octal(mode, 7), at: 100)
        put(octal(uid, 7), at: 108)
        put(octal(gid, 7), at: 116)
        put(octal(size, 11), at: 124)
        put(octal(mtime, 11), at: 136)
        put([UInt8](repeating: 32, count: 8), at: 148)
        put(Array(String(type).utf8), at: 156)
        put(link, at: 157)
        put(Array("ustar  ".utf8) + [0], at: 257)
        put(Array(user.utf8), at: 265)
        put(Array(group.utf8), at: 297)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6) + [0, 32], at: 148)
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }
}

/// A directory and a store for one test.
struct Scratch {
    let store: Store
    let directory: TemporaryDirectory

    init() throws {
        var template = Array("/tmp/dpkg-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("make", "/tmp") }
        root = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        store = try Store(at: root.appending("store"))
        directory = try store.makeTemporaryDirectory("test")
    }

    let root: FilePath
    var path: FilePath { directory.path }

    func remove() {
        try? removeTree(at: root)
    }

    /// Writes a .deb and gives its path.
    func write(_ deb: CraftedDeb, as name: String = "sample.deb") throws -> FilePath {
        try write(deb.bytes, as: name)
    }

    func write(_ bytes: [UInt8], as name: String) throws -> FilePath {
        let path = path.appending(name)
        try writeFile(bytes, to: path)
        return path
    }
}

/// Runs a shell command of the host; its output, both streams.
@discardableResult
func shell(_ command: String) throws -> (status: Int32, output: String) {
    guard let stream = popen("LC_ALL=C.UTF-8; export LC_ALL; { \(command)\n} 2>&1 </dev/null", "r") else {
        throw systemFailure("run", "/bin/sh")
    }
    var output = [UInt8]()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, stream)
        if count == 0 { break }
        output += buffer[..<count]
    }
    let status = pclose(stream)
    return (status >> 8 & 255, String(decoding: output, as: UTF8.self))
}
