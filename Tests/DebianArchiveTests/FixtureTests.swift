import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

/// What the other tests build on, checked by dpkg itself.
@Suite(.enabled(if: access("/usr/bin/dpkg-deb", X_OK) == 0, "dpkg-deb is not installed"))
struct FixtureTests {
    private func dpkgDeb(_ arguments: [String], in directory: FilePath) throws -> String {
        let output = directory.appending("output")
        let errors = directory.appending("errors")
        let end = try runProgram(
            "/usr/bin/dpkg-deb", arguments, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"], output: output,
            errors: errors)
        let words = String(decoding: try readFile(at: errors), as: UTF8.self)
        #expect(end == .exited(0), "\(words)")
        return String(decoding: try readFile(at: output), as: UTF8.self)
    }

    @Test(arguments: [FixturePackage.Compression.none, .gzip, .xz, .zstd])
    func dpkgReadsAPackageAsItWasDescribed(compression: FixturePackage.Compression) throws {
        var package = FixturePackage(
            "odd", version: "2:1.0~rc1-1", architecture: "amd64", fields: ["Depends": "libc6 (>= 2.36)"],
            files: [
                .file("usr/bin/tool", "tool\n", mode: 0o4755, uid: 5, gid: 70_000), .link("usr/bin/alias", to: "tool"),
                .hardLink("usr/bin/twin", to: "usr/bin/tool"), .directory("var/lib/odd", mode: 0o1777, gid: 8),
                FixtureFile(Array("dev/null".utf8), .characterDevice(major: 1, minor: 3), mode: 0o666),
                FixtureFile(Array("run/pipe".utf8), .fifo, mode: 0o600), .file("etc/odd.conf", "x=1\n"),
                .file("usr/share/" + String(repeating: "long", count: 60), "long\n"),
            ], scripts: ["postinst": "#!/bin/sh\nexit 0\n"], conffiles: ["/etc/odd.conf"],
            triggers: "interest-noawait /usr/lib\n")
        package.compression = compression
        let directory = try FixtureDirectory("deb")
        let deb = directory.path.appending("odd.deb")
        try writeFile(package.deb(), to: deb)
        #expect(
            try dpkgDeb(["--field", deb.string, "Version", "Depends"], in: directory.path)
                == "Version: 2:1.0~rc1-1\nDepends: libc6 (>= 2.36)\n")
        let listed = try dpkgDeb(["--contents", deb.string], in: directory.path)
        let lines = listed.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(
            lines == [
                "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./usr/",
                "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./usr/bin/", "-rwsr-xr-x 5/70000 5 2023-11-14 22:13 ./usr/bin/tool",
                "lrwxrwxrwx 0/0 0 2023-11-14 22:13 ./usr/bin/alias -> tool",
                "hrw-r--r-- 0/0 0 2023-11-14 22:13 ./usr/bin/twin link to ./usr/bin/tool",
                "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./var/", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./var/lib/",
                "drwxrwxrwt 0/8 0 2023-11-14 22:13 ./var/lib/odd/", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./dev/",
                "crw-rw-rw- 0/0 1,3 2023-11-14 22:13 ./dev/null", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./run/",
                "prw------- 0/0 0 2023-11-14 22:13 ./run/pipe", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./etc/",
                "-rw-r--r-- 0/0 4 2023-11-14 22:13 ./etc/odd.conf", "drwxr-xr-x 0/0 0 2023-11-14 22:13 ./usr/share/",
                "-rw-r--r-- 0/0 5 2023-11-14 22:13 ./usr/share/" + String(repeating: "long", count: 60),
            ])
        let control = directory.path.appending("control")
        _ = try dpkgDeb(["--control", deb.string, control.string], in: directory.path)
        #expect(
            try directoryNames(at: control).map { String(decoding: $0, as: UTF8.self) }.sorted() == [
                "conffiles", "control", "md5sums", "postinst", "triggers",
            ])
        #expect(
            String(decoding: try readFile(at: control.appending("md5sums")), as: UTF8.self).hasPrefix(
                "7cfb3b1aedd632d8ae7cc974271f3652  usr/bin/tool\n"))
    }
}
