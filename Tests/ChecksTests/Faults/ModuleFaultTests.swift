import Checks
import RootfsModel
import Testing

/// A service with all that it opens by name: users by LDAP after files, logins by PAM, TLS by NSS, a GStreamer pipeline.
private func goodService() -> HandmadeTree {
    func library(_ name: String, _ needed: [String] = [], more: String = "") -> HandmadeTree.Entry {
        .bytes(ElfFixture(soname: name, needed: needed).bytes + Array(more.utf8), mode: 0o644)
    }
    let folder = ModuleFaultTests.folder
    return systemdTree(
        enabled(
            "stream.service",
            "[Service]\nExecStart=/usr/bin/gst-launch-1.0 -q videotestsrc num-buffers=1 ! video/x-raw,width=8 ! fakesink\n"
        ).merging(
            enabled("login.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
        ) { $1 }.merging([
            "/usr/bin/gst-launch-1.0": LoaderTests.program(["libgstreamer-1.0.so.0"]),
            "/usr/sbin/sshd": LoaderTests.program(["libnss3.so"]),
            "/lib64/ld-linux-x86-64.so.2": LoaderTests.loader,
            "\(folder)/libc.so.6": library("libc.so.6"),
            "\(folder)/libgstreamer-1.0.so.0": library("libgstreamer-1.0.so.0"),
            "\(folder)/gstreamer-1.0/libgstvideotestsrc.so": library("", more: "\0videotestsrc\0"),
            "\(folder)/gstreamer-1.0/libgstcoreelements.so": library("", more: "\0fakesink\0"),
            "\(folder)/libnss3.so": library("libnss3.so"), "\(folder)/libsoftokn3.so": library("libsoftokn3.so"),
            "\(folder)/libfreeblpriv3.so": library("libfreeblpriv3.so"),
            "\(folder)/libnssckbi.so": library("libnssckbi.so"),
            "\(folder)/libnss_ldap.so.2": library("libnss_ldap.so.2"),
            "\(folder)/security/pam_unix.so": library(""), "\(folder)/security/pam_permit.so": library(""),
            "\(folder)/gconv/gconv-modules": .text("# list\nmodule\tISO-8859-1//\tINTERNAL\tISO8859-1\t1\n"),
            "\(folder)/gconv/ISO8859-1.so": library(""),
            "\(folder)/gconv/gconv-modules.d/extra.conf": .text("alias\tX//\tY//\n"),
            "/etc/nsswitch.conf": .text(
                "passwd: files ldap\nhosts: files [!UNAVAIL=return] dns # why\nnetgroup: nis\n"),
            "/etc/pam.d/sshd": .text(
                "@include common\nauth [success=1 default=ignore] pam_unix.so nullok\nauth required pam_permit.so\n"
                    + "-session optional pam_systemd.so\naccount include other.so\n"),
            "/etc/systemd/journald.conf.d/50-console.conf": .text("[Journal]\nForwardToConsole=yes\n"),
        ]) { $1 })
}

@Suite struct ModuleFaultTests {
    static let folder = "/usr/lib/x86_64-linux-gnu"

    static func needing(_ name: String, more: String = "") -> HandmadeTree.Entry {
        .bytes(ElfFixture(soname: "", needed: [name]).bytes + Array(more.utf8), mode: 0o644)
    }

    static let faults = [
        PlantedFault(
            name: "the only source of users is missing", changes: ["/etc/nsswitch.conf": .text("passwd: sss\n")],
            id: "modules/nss", says: "libnss_sss.so.2"),
        PlantedFault(
            name: "one source of hosts is missing", changes: ["/etc/nsswitch.conf": .text("hosts: mymachines dns\n")],
            id: "modules/nss", severity: .note, says: "libnss_mymachines.so.2"),
        PlantedFault(
            name: "a source's library is missing", changes: ["\(folder)/libnss_ldap.so.2": needing("libldap-2.5.so.0")],
            id: "modules/nss", severity: .warning, says: "needs libldap-2.5.so.0"),
        PlantedFault(
            name: "a module that a login must pass",
            changes: [
                "/etc/pam.d/sshd": .text("auth required pam_google_authenticator.so\n")
            ], id: "modules/pam", says: "/etc/pam.d/sshd:1: auth required"),
        PlantedFault(
            name: "the same of a program that nobody starts",
            changes: ["/etc/pam.d/vsftpd": .text("#\nauth required pam_listfile.so\n")], id: "modules/pam",
            severity: .warning, says: "/etc/pam.d/vsftpd:2"),
        PlantedFault(
            name: "a module that a login may pass",
            changes: ["/etc/pam.d/sshd": .text("session optional pam_motd.so\n")],
            id: "modules/pam", severity: .note, says: "pam_motd.so"),
        PlantedFault(
            name: "a converter is missing",
            changes: ["\(folder)/gconv/gconv-modules.d/extra.conf": .text("module INTERNAL EUC-KR// EUC-KR 1\n")],
            id: "modules/gconv", severity: .warning, says: "EUC-KR.so for one"),
        PlantedFault(
            name: "NSS without its token", changes: ["\(folder)/libsoftokn3.so": nil], id: "modules/softoken",
            says: "opens libsoftokn3.so"),
        PlantedFault(
            name: "the token without its database",
            changes: ["\(folder)/libsoftokn3.so": needing("libsqlite3.so.0")], id: "modules/softoken",
            says: "needs libsqlite3.so.0"),
        PlantedFault(
            name: "a pipeline's element is in no plugin",
            changes: ["\(folder)/gstreamer-1.0/libgstvideotestsrc.so": nil],
            id: "modules/gstreamer", says: "the element videotestsrc"),
        PlantedFault(
            name: "a script's pipeline, beside the script of another service",
            changes: [
                "/etc/systemd/system/stream.service": .text("[Service]\nExecStart=/opt/stream.sh\n"),
                "/etc/systemd/system/login.service": .text("[Service]\nExecStart=/usr/sbin/sshd -D /opt/x.sh\n"),
                "/opt/stream.sh": .script("#!/bin/sh\nexec gst-launch-1.0 videotestsrc ! nosuchsink\n"),
                "/opt/x.sh": .script("#!/bin/sh\n"), "/usr/bin/sh": LoaderTests.program(["libc.so.6"]),
            ],
            id: "modules/gstreamer", says: "/opt/stream.sh:2: exec gst-launch-1.0"),
        PlantedFault(
            name: "a pipeline's plugin lacks a library",
            changes: [
                "\(folder)/gstreamer-1.0/libgstvideotestsrc.so": needing("liborc-0.4.so.0", more: "\0videotestsrc\0")
            ],
            id: "modules/gstreamer", says: "needs liborc-0.4.so.0"),
        PlantedFault(
            name: "an addon of an overlay lacks a library",
            changes: ["/opt/app/node_modules/sharp/sharp.node": needing("libvips-cpp.so.42")], id: "modules/object",
            severity: .warning, says: "needs libvips-cpp.so.42"),
        PlantedFault(
            name: "a package's plugin lacks a library",
            changes: ["\(folder)/caca/libgl_plugin.so": needing("libGLU.so.1")], id: "modules/object", severity: .note,
            says: "needs libGLU.so.1"),
    ]

    func findings(_ subject: CheckSubject) throws -> [Finding] {
        try check(subject).filter { $0.id.hasPrefix("modules/") || $0.id.hasPrefix("libraries/") }
    }

    @Test func `nothing is said of the good tree`() throws {
        #expect(try findings(goodService().subject()) == [])
    }

    @Test(arguments: faults) func `a planted fault is found with its reason`(fault: PlantedFault) throws {
        let findings = try findings(goodService().with(fault.changes).subject())
        let finding = try #require(findings.first { $0.id == fault.id }, "\(findings)")
        #expect(finding.severity == fault.severity)
        let lines = [finding.message] + finding.reasons
        #expect(lines.contains { $0.contains(fault.says) }, "\(lines)")
        #expect(findings.count == 1)
    }

    @Test func `builds for other machines and other C libraries are not for this loader`() throws {
        let arm = ElfFixture(machine: 183, soname: "", needed: ["libgone.so.1"])
        let musl = ElfFixture(soname: "", needed: ["libc.musl-x86_64.so.1", "libgone.so.1"])
        let tree = goodService().with([
            "/opt/app/prebuilds/linux-arm64/a.node": .bytes(arm.bytes, mode: 0o644),
            "/opt/app/prebuilds/linuxmusl-x64/a.node": .bytes(musl.bytes, mode: 0o644),
        ])
        #expect(try findings(tree.subject()) == [])
    }
}
