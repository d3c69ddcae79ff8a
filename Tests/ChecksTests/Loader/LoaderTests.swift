import RootfsModel
import Testing

@testable import Checks

/// The order in which glibc looks for a library, one fact a test.
@Suite struct LoaderTests {
    static let interpreter = "/lib64/ld-linux-x86-64.so.2"

    static func library(_ name: String, needs needed: [String] = [], rpath: String? = nil, runpath: String? = nil)
        -> HandmadeTree.Entry
    {
        .bytes(ElfFixture(soname: name, needed: needed, rpath: rpath, runpath: runpath).bytes, mode: 0o644)
    }

    static func program(_ needed: [String], rpath: String? = nil, runpath: String? = nil, flags1: UInt64 = 0)
        -> HandmadeTree.Entry
    {
        .bytes(
            ElfFixture(interpreter: interpreter, needed: needed, rpath: rpath, runpath: runpath, flags1: flags1).bytes,
            mode: 0o755)
    }

    /// A loader's file: it says in its text where it looks.
    static let loader: HandmadeTree.Entry = .bytes(
        ElfFixture(soname: "ld-linux-x86-64.so.2").bytes
            + Array("\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0".utf8), mode: 0o755)

    /// The paths of what is loaded behind the program and the loader, and the names that lack.
    private func load(
        _ entries: [String: HandmadeTree.Entry], machine: CheckSubject.Machine = CheckSubject.Machine(),
        _ change: (inout ProcessLoader.Setting) -> Void = { _ in }
    ) throws -> [String] {
        let tree = HandmadeTree(entries.merging([Self.interpreter: Self.loader]) { $1 })
        let subject = try tree.subject(services: [], machine: machine)
        let file = try #require(try subject.elfFile(at: "opt/app/bin/main"))
        let loader = try #require(try Loaders(subject).loader(for: file))
        var setting = ProcessLoader.Setting()
        change(&setting)
        let process = try ProcessLoader("opt/app/bin/main", file, loader, setting).process
        return process.objects.dropFirst(2).map(\.path.description)
            + process.lacks.map { "lacks " + String(decoding: $0.name, as: UTF8.self) }
    }

    @Test func `the system's directories come last, in the order of the loader's file`() throws {
        let found = try load([
            "/opt/app/bin/main": Self.program(["libone.so.1", "libtwo.so.1", "libthree.so.1"]),
            "/usr/lib/x86_64-linux-gnu/libone.so.1": Self.library("libone.so.1"),
            "/lib/libone.so.1": Self.library("libone.so.1"), "/usr/lib/libtwo.so.1": Self.library("libtwo.so.1"),
            "/usr/local/lib/libthree.so.1": Self.library("libthree.so.1"),
        ])
        #expect(found == ["/usr/lib/x86_64-linux-gnu/libone.so.1", "/usr/lib/libtwo.so.1", "lacks libthree.so.1"])
    }

    @Test func `RPATH is before LD_LIBRARY_PATH, RUNPATH behind it`() throws {
        for (program, expected) in [
            (Self.program(["liba.so.1"], rpath: "/r"), "/r/liba.so.1"),
            (Self.program(["liba.so.1"], runpath: "/r"), "/e/liba.so.1"),
            (Self.program(["liba.so.1"], rpath: "/r", runpath: "/none"), "/e/liba.so.1"),
        ] {
            let found = try load([
                "/opt/app/bin/main": program, "/r/liba.so.1": Self.library("liba.so.1"),
                "/e/liba.so.1": Self.library("liba.so.1"),
            ]) { $0.libraryPath = [Array("/e".utf8)] }
            #expect(found == [expected])
        }
    }

    @Test func `a program's RPATH serves its libraries, its RUNPATH does not`() throws {
        for (program, library, expected) in [
            (Self.program(["liba.so.1"], rpath: "/r"), Self.library("liba.so.1", needs: ["libb.so.1"]), "/r/libb.so.1"),
            (
                Self.program(["liba.so.1"], runpath: "/r"), Self.library("liba.so.1", needs: ["libb.so.1"]),
                "lacks libb.so.1"
            ),
            (
                Self.program(["liba.so.1"], rpath: "/r"),
                Self.library("liba.so.1", needs: ["libb.so.1"], runpath: "/other"), "lacks libb.so.1"
            ),
        ] {
            let found = try load([
                "/opt/app/bin/main": program, "/r/liba.so.1": library, "/r/libb.so.1": Self.library("libb.so.1"),
            ])
            #expect(found == ["/r/liba.so.1", expected])
        }
    }

    @Test func `ORIGIN is the directory of the object that says it, LIB the system's`() throws {
        let found = try load([
            "/opt/app/bin/main": Self.program(["liba.so.1", "libc.so.6"], runpath: "$ORIGIN/../lib:/opt/${LIB}"),
            "/opt/app/lib/liba.so.1": Self.library("liba.so.1", needs: ["libb.so.1"], runpath: "${ORIGIN}/private"),
            "/opt/app/lib/private/libb.so.1": Self.library("libb.so.1"),
            "/opt/lib/x86_64-linux-gnu/libc.so.6": Self.library("libc.so.6"),
        ])
        #expect(
            found == [
                "/opt/app/lib/liba.so.1", "/opt/lib/x86_64-linux-gnu/libc.so.6", "/opt/app/lib/private/libb.so.1",
            ])
    }

    @Test func `what is loaded under a DT_SONAME meets later needs of that name`() throws {
        let found = try load([
            "/opt/app/bin/main": Self.program(["/opt/app/lib/real.so", "libuser.so.1"]),
            "/opt/app/lib/real.so": Self.library("libsame.so.1"),
            "/usr/lib/libuser.so.1": Self.library("libuser.so.1", needs: ["libsame.so.1", "ld-linux-x86-64.so.2"]),
        ])
        #expect(found == ["/opt/app/lib/real.so", "/usr/lib/libuser.so.1"])
    }

    @Test func `objects for other machines are passed over, damaged ones are the end`() throws {
        let entries = [
            "/opt/app/bin/main": Self.program(["liba.so.1"], runpath: "/first"),
            "/usr/lib/liba.so.1": Self.library("liba.so.1"),
        ]
        let arm = HandmadeTree.Entry.bytes(ElfFixture(machine: 183, soname: "liba.so.1").bytes, mode: 0o644)
        #expect(try load(entries.merging(["/first/liba.so.1": arm]) { $1 }) == ["/usr/lib/liba.so.1"])
        for damaged in [
            HandmadeTree.Entry.text("not an ELF file, but long enough to be one: ................................"),
            .text(""),
        ] {
            #expect(try load(entries.merging(["/first/liba.so.1": damaged]) { $1 }) == ["lacks liba.so.1"])
        }
    }

    @Test func `glibc-hwcaps serve only processors that have the level`() throws {
        let entries = [
            "/opt/app/bin/main": Self.program(["liba.so.1"]), "/usr/lib/liba.so.1": Self.library("liba.so.1"),
            "/usr/lib/glibc-hwcaps/x86-64-v3/liba.so.1": Self.library("liba.so.1"),
        ]
        #expect(try load(entries) == ["/usr/lib/liba.so.1"])
        #expect(
            try load(entries, machine: CheckSubject.Machine(cpu: "T2"))
                == ["/usr/lib/glibc-hwcaps/x86-64-v3/liba.so.1"])
        #expect(try load(entries, machine: CheckSubject.Machine(cpu: "C3")) == ["/usr/lib/liba.so.1"])
    }

    @Test func `the cache has what it names, and a file that is gone is as if it named it not`() throws {
        let cache = LoaderCacheFixture(entries: [
            .init(name: "liba.so.1", path: "/opt/lib/liba.so.1"), .init(name: "libb.so.1", path: "/opt/lib/gone.so"),
            .init(name: "libc.so.6", path: "/opt/lib/glibc-hwcaps/x86-64-v2/libc.so.6", capability: "x86-64-v2"),
        ]).bytes
        let found = try load([
            "/opt/app/bin/main": Self.program(["liba.so.1", "libb.so.1", "libc.so.6"]),
            "/etc/ld.so.cache": .bytes(cache, mode: 0o644), "/opt/lib/liba.so.1": Self.library("liba.so.1"),
            "/usr/lib/libb.so.1": Self.library("libb.so.1"), "/usr/lib/libc.so.6": Self.library("libc.so.6"),
            "/opt/lib/glibc-hwcaps/x86-64-v2/libc.so.6": Self.library("libc.so.6"),
        ])
        #expect(found == ["/opt/lib/liba.so.1", "/usr/lib/libb.so.1", "/usr/lib/libc.so.6"])
    }

    @Test func `an object with DF_1_NODEFLIB gets nothing from the cache or the system`() throws {
        let entries = ["/usr/lib/liba.so.1": Self.library("liba.so.1")]
        let program = Self.program(["liba.so.1"], flags1: 0x800)
        #expect(try load(entries.merging(["/opt/app/bin/main": program]) { $1 }) == ["lacks liba.so.1"])
    }

    @Test func `a set-id program does not listen to LD_LIBRARY_PATH`() throws {
        let entries = ["/opt/app/bin/main": Self.program(["liba.so.1"]), "/e/liba.so.1": Self.library("liba.so.1")]
        #expect(try load(entries) { $0.libraryPath = [Array("/e".utf8)] } == ["/e/liba.so.1"])
        #expect(
            try load(entries) {
                $0.libraryPath = [Array("/e".utf8)]
                $0.isSecure = true
            } == ["lacks liba.so.1"])
    }

    @Test func `libraries that need each other end`() throws {
        let found = try load([
            "/opt/app/bin/main": Self.program(["liba.so.1"]),
            "/usr/lib/liba.so.1": Self.library("liba.so.1", needs: ["libb.so.1"], rpath: "$ORIGIN"),
            "/usr/lib/libb.so.1": Self.library("libb.so.1", needs: ["liba.so.1", "libz.so.1"]),
        ])
        #expect(found == ["/usr/lib/liba.so.1", "/usr/lib/libb.so.1", "lacks libz.so.1"])
    }

    @Test func `configuration of ldconfig includes by pattern, and never for ever`() throws {
        let subject = try HandmadeTree([
            "/etc/ld.so.conf": .text("/first # why\ninclude ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n"),
            "/etc/ld.so.conf.d/b.conf": .text("/b\n"), "/etc/ld.so.conf.d/a.conf": .text("\t/a\n"),
            "/etc/ld.so.conf.d/a.conf.old": .text("/old\n"),
        ]).subject(services: [])
        #expect(
            try loaderDirectories(in: subject).map { String(decoding: $0, as: UTF8.self) } == ["/first", "/a", "/b"])
    }
}

/// A cache as ldconfig writes it.
struct LoaderCacheFixture {
    struct Entry {
        var name: String
        var path: String
        var capability: String?
    }

    var entries: [Entry]

    var bytes: [UInt8] {
        func number(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        let capabilities = Array(Set(entries.compactMap(\.capability))).sorted()
        var strings = [UInt8]()
        let start = 48 + entries.count * 24
        func place(_ text: String) -> UInt32 {
            strings += Array(text.utf8) + [0]
            return UInt32(start + strings.count - text.utf8.count - 1)
        }
        var table = [UInt8]()
        for entry in entries {
            table += number(UInt32(0x0303)) + number(place(entry.name)) + number(place(entry.path)) + number(UInt32(0))
            let index = entry.capability.flatMap { capabilities.firstIndex(of: $0) }
            table += number(index.map { 1 << 62 | UInt64($0) } ?? UInt64(0))
        }
        let names = capabilities.map { place($0) }
        while strings.count % 4 != 0 { strings.append(0) }
        let extensionStart = start + strings.count
        var result = Array("glibc-ld.so.cache1.1".utf8) + number(UInt32(entries.count))
        result += number(UInt32(strings.count)) + [2, 0, 0, 0] + number(UInt32(extensionStart))
        result += [UInt8](repeating: 0, count: 12) + table + strings
        result += number(UInt32(0xEAA4_2174)) + number(UInt32(1))
        result += number(UInt32(1)) + number(UInt32(0)) + number(UInt32(extensionStart + 24))
        return result + number(UInt32(names.count * 4)) + names.flatMap { number($0) }
    }
}
