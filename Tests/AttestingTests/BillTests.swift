import Attesting
import Debian
import RootfsModel
import TestSupport
import Testing

@Suite struct BillTests {
    /// Every kind of thing once.
    static func image(files: Bool = false) throws -> AttestedImage {
        var image = AttestedImage(
            name: "demo", description: "a demonstration", architecture: "amd64", distribution: "debian",
            release: "bookworm", contentHash: Digest(hashing: "content"), imageHash: Digest(hashing: "image"),
            moment: 1_795_227_046, toolVersion: "0.1.0")
        func groups(_ text: String) throws -> [DependencyGroup] { try DependencyGroup.parse(text, context: "Depends") }
        let copyright = CopyrightFile(parsing: Array(CopyrightFileTests.machineReadable.utf8))
        let licence = PackageLicence(
            package: "libstdc++6", version: "12.2.0-14", architecture: "amd64", file: nil, copyright: copyright,
            book: &image.licences)
        image.packages = [
            .init(
                name: "libc6", version: "1:2.36-9+deb12u1", architecture: "amd64", source: ("glibc", "2.36-9+deb12u1"),
                maintainer: "GNU Libc Maintainers <debian-glibc@lists.debian.org>",
                homepage: "https://example.org/libc",
                purpose: "base", digest: Digest(hashing: "libc6"),
                provides: try groups("libc-api (= 2)").flatMap(\.alternatives)
            ),
            .init(
                name: "libstdc++6", version: "12.2.0-14", architecture: "amd64", source: ("gcc-12", "12.2.0-14"),
                maintainer: "Somebody (the one) <somebody@example.org>", homepage: "no address",
                summary: "a \"library\"\t",
                purpose: "base", depends: try groups("absent | libc6 (>= 1:2.30), libc-api (= 2), nothing"),
                licence: licence),
            .init(
                name: "tool", version: "1~rc1", architecture: "all", maintainer: "Nobody",
                depends: try groups("libstdc++6, libc6 (>> 1:9) | libc-api (>= 1), tool")),
            .init(
                name: "linux-image", version: "6.1", architecture: "amd64", purpose: "kernel",
                digest: Digest(hashing: "deb"), isInstalled: false),
        ]
        image.packages[0].poolPath = "pool/main/g/glibc/libc6_2.36-9_amd64.deb"
        image.packages[0].origin = "Debian"
        image.bootFiles = [
            .init(name: "vmlinux", version: "6.1-cloud", digest: Digest(hashing: "vmlinux"), roles: ["kernel"])
        ]
        image.overlays = [.init(name: "overlays/first", target: "/", digest: "sha256:00")]
        if files {
            image.files = [
                .init(
                    path: "etc/motd", digest: Digest(hashing: ""), sha1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                    owner: nil),
                .init(
                    path: "usr/lib/libc.so", digest: Digest(hashing: "so"),
                    sha1: "0123456789012345678901234567890123456789", owner: 0),
            ]
        }
        return image
    }

    private func json(_ value: JSONValue) throws -> JSON {
        try JSON(text: String(decoding: value.bytes, as: UTF8.self))
    }

    @Test(arguments: [false, true]) func `both forms hold our rules`(files: Bool) throws {
        let image = try Self.image(files: files)
        #expect(try BillRules.faults(spdx: json(image.spdx())) == [])
        #expect(try BillRules.faults(cycloneDX: json(image.cycloneDX())) == [])
        // The rules find what is wrong.
        var wrong = image
        wrong.packages[1] = wrong.packages[0]
        #expect(try BillRules.faults(spdx: json(wrong.spdx())) == ["an SPDXID stands twice"])
        #expect(try BillRules.faults(cycloneDX: json(wrong.cycloneDX())).first == "a bom-ref stands twice")
        wrong = image
        wrong.licences = LicenceBook()
        #expect(try BillRules.faults(spdx: json(wrong.spdx())).first?.hasPrefix("LicenseRef-House-Rules-") == true)
        wrong = image
        wrong.name = ""
        #expect(try BillRules.faults(spdx: json(wrong.spdx())) == ["it has not the form of spdx.json"])
        #expect(try BillRules.faults(cycloneDX: json(wrong.cycloneDX())) == ["it has not the form of cyclonedx.json"])
    }

    @Test func `a package is told with its purl, its supplier and where it is from`() throws {
        let spdx = try json(Self.image().spdx())
        let packages = spdx.list("packages")
        func package(_ name: String) throws -> JSON {
            try #require(
                packages.first { $0["name"]?.string == name && $0["SPDXID"]?.string?.contains("Package") == true })
        }
        let libc = try package("libc6")
        #expect(
            libc.list("externalRefs")[0]["referenceLocator"]?.string
                == "pkg:deb/debian/libc6@1:2.36-9%2Bdeb12u1?arch=amd64&distro=bookworm")
        #expect(libc["supplier"]?.string == "Organization: GNU Libc Maintainers (debian-glibc@lists.debian.org)")
        #expect(libc["packageFileName"]?.string == "libc6_2.36-9_amd64.deb")
        let library = try package("libstdc++6")
        #expect(library["SPDXID"]?.string == "SPDXRef-Package-libstdc.2B.2B6-amd64")
        #expect(library["supplier"]?.string == "Person: Somebody the one (somebody@example.org)")
        #expect(library["homepage"] == nil)
        #expect(try package("tool")["supplier"]?.string == "Person: Nobody")
        #expect(spdx["creationInfo"]?["created"]?.string == "2026-11-21T02:10:46Z")
    }

    @Test
    func `a dependency is on what is installed: the first alternative, a name before a provider, a version that fits`()
        throws
    {
        let bill = try json(Self.image().cycloneDX())
        let needs = Dictionary(
            uniqueKeysWithValues: bill.list("dependencies").map {
                ($0["ref"]?.string ?? "", $0.list("dependsOn").compactMap(\.string))
            })
        let libc = "pkg:deb/debian/libc6@1:2.36-9%2Bdeb12u1?arch=amd64&distro=bookworm"
        let library = "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=bookworm"
        let tool = "pkg:deb/debian/tool@1~rc1?arch=all&distro=bookworm"
        #expect(needs[library] == [libc])
        #expect(needs[tool] == [libc, library])
        #expect(needs["boot:vmlinux"] == ["pkg:deb/debian/linux-image@6.1?arch=amd64&distro=bookworm#kernel"])
        #expect(needs["image"] == ["boot:vmlinux", libc, library, tool, "overlay-1"])
    }

    @Test func `the id moves with the image and what is told, and with nothing else`() throws {
        let image = try Self.image()
        func id(_ image: AttestedImage) throws -> String? { try json(image.spdx())["documentNamespace"]?.string }
        #expect(try image.spdx().bytes == Self.image().spdx().bytes)
        #expect(try id(image) != id(Self.image(files: true)))
        var other = image
        other.contentHash = Digest(hashing: "other")
        #expect(try id(image) != id(other))
        #expect(try id(image) != json(image.cycloneDX())["serialNumber"]?.string)
    }

    @Test func `any text is JSON`() throws {
        let text = "\u{0}\u{1f}\u{7f}\"\\/\né\u{1F600}\t\r"
        #expect(
            try json(.list([.text(text), .object(["b": nil, "a": .number(-1), "c": .boolean(false)])]))
                == .array([.string(text), .object(["a": .number(-1), "c": .bool(false)])]))
        #expect(try json(.object([:])) == .object([:]))
        #expect(try json(.list([])) == .array([]))
    }
}
