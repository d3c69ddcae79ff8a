internal import Debian
public import RootfsModel
internal import Sandboxing

/// What maintainer scripts find around them. All of it goes into a layer's key.
public enum MaintainerScripts {
    /// The environment of every script and of dpkg itself.
    ///
    /// Without PYTHONDONTWRITEBYTECODE python3's byte compiler leaves files that depend on the order of its runs.
    public static func environment(moment: Timestamp) -> [(String, String)] {
        [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"),
            ("TERM", "dumb"), ("LANG", "C.UTF-8"), ("LANGUAGE", "C.UTF-8"), ("LC_ALL", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"), ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
            ("PYTHONDONTWRITEBYTECODE", "1"), ("SOURCE_DATE_EPOCH", String(moment.seconds)),
        ]
    }

    /// The changes of code that change what a layer is: part of a layer's key.
    public static let layerFormat = 2

    /// Says to invoke-rc.d that no service is to be started, while scripts run.
    static let policy = Array("#!/bin/sh\nexit 101\n".utf8)
    static let policyPath: TreePath = "usr/sbin/policy-rc.d"

    static let controlDirectory: TreePath = "var/lib/dpkg/tmp.ci"

    /// A new package's preinst as dpkg calls it.
    static func preinst(of package: LayerPackage, dpkgVersion: String, moment: Timestamp) -> Command {
        Command(
            arguments: ["/\(String(decoding: controlDirectory.bytes, as: UTF8.self))/preinst", "install"],
            environment: environment(moment: moment) + [
                ("PERL_DL_NONLAZY", "1"), ("DPKG_MAINTSCRIPT_PACKAGE", package.stanza.name),
                ("DPKG_MAINTSCRIPT_ARCH", package.stanza.architecture), ("DPKG_MAINTSCRIPT_NAME", "preinst"),
                ("DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT", "1"), ("DPKG_RUNNING_VERSION", dpkgVersion),
                ("DPKG_ADMINDIR", "/var/lib/dpkg"), ("DPKG_ROOT", ""), ("DPKG_FORCE", "security-mac,downgrade"),
            ])
    }

    /// A script that failed: which, with what, how, and its last words.
    static func failure(
        package: String, script: String, how: String, lines: [String]
    ) -> Failure {
        let isFull = lines.contains { $0.contains("No space left on device") }
        return Failure(
            "\(script) of \(package) failed: \(how)", notes: lines.isEmpty ? ["it printed nothing"] : lines,
            hint: isFull
                ? "free space where the store is, or choose another place with --cache"
                : "--shell-on-failure opens a shell in the tree at this point")
    }
}
