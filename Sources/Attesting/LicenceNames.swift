/// SPDX's identifiers for the names that Debian's copyright files use.
enum LicenceNames {
    /// The identifier, an expression where it takes one; nil for a name that is not in the table. An exception behind
    /// `with` must be known too: without it the licence would be another.
    static func identifier(of name: String) -> String? {
        let text = name.lowercased()
        for word in [" with ", "-with-"] {
            guard let range = text.firstRange(of: word) else { continue }
            guard let licence = plain(String(text[..<range.lowerBound])),
                let exception = exception(String(text[range.upperBound...]), to: licence)
            else { return nil }
            return "\(licence) WITH \(exception)"
        }
        return plain(text)
    }

    private static func plain(_ name: String) -> String? {
        if let identifier = table[name] { return identifier }
        return family(name)
    }

    /// GNU's licences and those with versions: `GPL-2+`, `LGPL-2.1`, `CC-BY-SA-3.0`.
    private static func family(_ name: String) -> String? {
        for (prefix, identifier, versions) in gnu where name.hasPrefix(prefix) {
            var version = name.dropFirst(prefix.count)
            let isOpen = ["+", "-or-later"].contains { version.hasSuffix($0) }
            if version.hasSuffix("+") { version = version.dropLast() }
            for suffix in ["-or-later", "-only"] where version.hasSuffix(suffix) {
                version = version.dropLast(suffix.count)
            }
            let full = version.contains(".") ? String(version) : version + ".0"
            guard versions.contains(full) else { continue }
            return "\(identifier)-\(full)-\(isOpen ? "or-later" : "only")"
        }
        let parts = name.split(separator: "-")
        guard parts.count >= 3, parts[0] == "cc", let version = parts.last else { return nil }
        let terms = parts.dropFirst().dropLast().joined(separator: "-")
        guard ["by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd"].contains(terms) else { return nil }
        let full = version.contains(".") ? String(version) : version + ".0"
        return ["1.0", "2.0", "2.5", "3.0", "4.0"].contains(full) ? "CC-\(terms.uppercased())-\(full)" : nil
    }

    private static let gnu: [(prefix: String, identifier: String, versions: [String])] = [
        ("gpl-", "GPL", ["1.0", "2.0", "3.0"]), ("gplv", "GPL", ["1.0", "2.0", "3.0"]),
        ("lgpl-", "LGPL", ["2.0", "2.1", "3.0"]), ("lgplv", "LGPL", ["2.0", "2.1", "3.0"]),
        ("agpl-", "AGPL", ["1.0", "3.0"]), ("gfdl-", "GFDL", ["1.1", "1.2", "1.3"]),
    ]

    /// The exceptions that SPDX knows, by how they begin in copyright files and the licences that they go with.
    private static func exception(_ text: String, to licence: String) -> String? {
        var name = text
        for suffix in [" exception", "-exception", " exceptions"] where name.hasSuffix(suffix) {
            name = String(name.dropLast(suffix.count))
        }
        let isThird = licence.contains("-3.0")
        return switch name {
        case "autoconf": isThird ? "Autoconf-exception-3.0" : "Autoconf-exception-2.0"
        case "bison", "bison-2.2": "Bison-exception-2.2"
        case "classpath", "classpath-2.0": "Classpath-exception-2.0"
        case "font", "font-embedding": "Font-exception-2.0"
        case "gcc", "gcc-3.1", "gcc runtime library", "gcc-runtime-library": isThird ? "GCC-exception-3.1" : nil
        case "libtool": "Libtool-exception"
        case "linux-syscall-note", "linux syscall": "Linux-syscall-note"
        case "llvm": licence == "Apache-2.0" ? "LLVM-exception" : nil
        default: nil
        }
    }

    /// By name in lower case. Only names with one meaning: `BSD`, `GPL` or `public-domain` alone are none.
    private static let table: [String: String] = [
        "0bsd": "0BSD",
        "afl-2.0": "AFL-2.0", "afl-2.1": "AFL-2.1", "afl-3.0": "AFL-3.0",
        "apache-1": "Apache-1.0", "apache-1.0": "Apache-1.0", "apache-1.1": "Apache-1.1", "apache-2": "Apache-2.0",
        "apache-2.0": "Apache-2.0",
        // What Debian keeps in common-licenses under this name is Perl's.
        "artistic": "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0", "artistic-1.0": "Artistic-1.0",
        "artistic-2": "Artistic-2.0", "artistic-2.0": "Artistic-2.0",
        "beerware": "Beerware", "bitstream-vera": "Bitstream-Vera",
        "bsd-1-clause": "BSD-1-Clause", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
        "bsd-4-clause": "BSD-4-Clause", "bsd-4-clause-uc": "BSD-4-Clause-UC",
        "bsd-2-clause-freebsd": "BSD-2-Clause", "bsd-2-clause-views": "BSD-2-Clause-Views",
        "bsd (2 clause)": "BSD-2-Clause", "bsd (3 clause)": "BSD-3-Clause", "bsd (4 clause)": "BSD-4-Clause",
        "bsd-3-clause-clear": "BSD-3-Clause-Clear", "bsd-source-code": "BSD-Source-Code",
        "bsl-1": "BSL-1.0", "bsl-1.0": "BSL-1.0", "boost-1.0": "BSL-1.0", "boost": "BSL-1.0",
        "bzip2-1.0.6": "bzip2-1.0.6",
        "cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0", "cddl-1.0": "CDDL-1.0", "cddl-1.1": "CDDL-1.1", "cddl": "CDDL-1.0",
        "curl": "curl",
        "efl-2": "EFL-2.0", "epl-1": "EPL-1.0", "epl-1.0": "EPL-1.0", "epl-2.0": "EPL-2.0", "expat": "MIT",
        "fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR", "ftl": "FTL",
        "gfdl-niv-1.1": "GFDL-1.1-no-invariants-only", "gfdl-niv-1.1+": "GFDL-1.1-no-invariants-or-later",
        "gfdl-niv-1.2": "GFDL-1.2-no-invariants-only", "gfdl-niv-1.2+": "GFDL-1.2-no-invariants-or-later",
        "gfdl-niv-1.3": "GFDL-1.3-no-invariants-only", "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later",
        "hpnd": "HPND", "hpnd-sell-variant": "HPND-sell-variant",
        "icu": "ICU", "ijg": "IJG", "info-zip": "Info-ZIP", "isc": "ISC",
        "libpng": "Libpng", "libtiff": "libtiff", "lppl-1.3": "LPPL-1.3a", "lppl-1.3c": "LPPL-1.3c",
        "mit": "MIT", "mit-0": "MIT-0", "mit-cmu": "MIT-CMU", "mit-feh": "MIT-feh",
        "mit-modern-variant": "MIT-Modern-Variant",
        "mit-open-group": "MIT-open-group",
        "mpl-1.0": "MPL-1.0", "mpl-1.1": "MPL-1.1", "mpl-2": "MPL-2.0", "mpl-2.0": "MPL-2.0", "ms-pl": "MS-PL",
        "ncsa": "NCSA", "ntp": "NTP",
        "ofl-1.0": "OFL-1.0", "ofl-1.1": "OFL-1.1", "sil-1.1": "OFL-1.1", "sil-ofl-1.1": "OFL-1.1",
        "sil open font license 1.1": "OFL-1.1",
        "oldap-2.8": "OLDAP-2.8", "openssl": "OpenSSL",
        "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
        "php-3.01": "PHP-3.01", "php-3.0": "PHP-3.0", "postgresql": "PostgreSQL", "psf-2": "PSF-2.0",
        "psf-2.0": "PSF-2.0",
        "python-2.0": "Python-2.0",
        "qpl": "QPL-1.0", "qpl-1.0": "QPL-1.0", "ruby": "Ruby",
        "sgi-b-2.0": "SGI-B-2.0", "smlnj": "SMLNJ", "tcl": "TCL",
        "unicode-dfs-2015": "Unicode-DFS-2015", "unicode-dfs-2016": "Unicode-DFS-2016", "unlicense": "Unlicense",
        "upl-1.0": "UPL-1.0", "vim": "Vim", "w3c": "W3C", "wtfpl": "WTFPL", "wtfpl-2": "WTFPL",
        "x11": "X11", "xfree86-1.1": "XFree86-1.1", "zlib": "Zlib",
        "zpl-2.1": "ZPL-2.1",
    ]
}
