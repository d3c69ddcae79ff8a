import RootfsModel

/// Paths that no package has and that dpkg, triggers and maintainer scripts make or rewrite when packages move.
struct GeneratedPaths {
    /// Who makes it, and the paths: `*` is any run of bytes, slashes too.
    private static let makers: [(maker: String, patterns: [String])] = [
        (
            "dpkg",
            [
                "var/lib/dpkg/*", "var/lib/dpkg", "var/cache/debconf/*", "var/lib/ucf/*", "var/lib/apt/*",
                "var/cache/apt/*",
            ]
        ),
        ("ldconfig", ["etc/ld.so.cache", "var/cache/ldconfig/*"]),
        ("update-alternatives", ["etc/alternatives", "etc/alternatives/*"]),
        ("deb-systemd-helper", ["var/lib/systemd/deb-systemd-*", "etc/rc?.d", "etc/rc?.d/*"]),
        (
            "update-ca-certificates",
            ["etc/ssl/certs", "etc/ssl/certs/*", "etc/ca-certificates.conf*", "usr/local/share/ca-certificates"]
        ),
        ("fc-cache", ["var/cache/fontconfig", "var/cache/fontconfig/*", "usr/share/fonts/*/.uuid"]),
        ("update-mime-database", ["usr/share/mime/*"]),
        ("update-desktop-database", ["usr/share/applications/mimeinfo.cache"]),
        ("glib-compile-schemas", ["usr/share/glib-2.0/schemas/gschemas.compiled"]),
        ("gio-querymodules", ["usr/lib/*/gio/modules/giomodule.cache"]),
        ("gdk-pixbuf-query-loaders", ["usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache"]),
        ("gtk-query-immodules", ["usr/lib/*/immodules.cache"]),
        ("gtk-update-icon-cache", ["usr/share/icons/*/icon-theme.cache"]),
        ("py3compile", ["*/__pycache__", "*/__pycache__/*", "usr/lib/python3/dist-packages/*.pyc"]),
        ("update-info-dir", ["usr/share/info/dir"]),
        ("localedef", ["usr/lib/locale/locale-archive"]),
        (
            "systemd",
            [
                "usr/lib/systemd/catalog/database", "var/lib/systemd/catalog/*", "etc/udev/hwdb.bin",
                "usr/lib/udev/hwdb.bin", "etc/.updated", "var/.updated",
            ]
        ),
        ("pam-auth-update", ["etc/pam.d/common-*", "var/lib/pam/*"]),
        ("shells", ["etc/shells", "var/lib/shells.state"]),
        ("depmod", ["usr/lib/modules/*/modules.*", "lib/modules/*/modules.*"]),
        ("update-initramfs", ["boot/initrd.img*", "var/lib/initramfs-tools/*"]),
        ("linux-update-symlinks", ["vmlinuz*", "initrd.img*"]),
        ("emacsen-common", ["var/lib/emacsen-common/*"]),
        ("update-xmlcatalog", ["etc/xml/*", "etc/sgml/*", "var/lib/xml-core/*", "var/lib/sgml-base/*"]),
        ("adduser", ["var/mail", "var/spool/mail"]),
    ]

    private let compiled = Self.makers.map { ($0.maker, $0.patterns.map { Array($0.utf8) }) }

    /// Who makes a path; nil for one that nobody is known to make.
    func maker(of path: TreePath) -> String? {
        compiled.first { _, patterns in patterns.contains { path.bytes.matches(wildcards: $0) } }?.0
    }
}
