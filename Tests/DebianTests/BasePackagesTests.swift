import Debian
import RootfsModel
import Testing

@Suite struct BasePackagesTests {
    private func package(_ name: String, _ fields: String...) throws -> PackageStanza {
        let text = (["Package: \(name)", "Version: 1", "Architecture: all"] + fields).joined(separator: "\n") + "\n"
        return try PackageStanza(parsing: Array(text.utf8), file: name)
    }

    @Test func `essential packages with all that they need and required ones are the base, their needs are not`() throws
    {
        let names = basePackageNames([
            try package("shell", "Essential: yes", "Depends: library", "Pre-Depends: gone | merged"),
            try package("library", "Depends: data, shell"),
            try package("data", "Priority: optional"),
            try package("marker", "Provides: merged"),
            try package("filesystems", "Priority: required", "Depends: blocks, data"),
            try package("blocks"),
            try package("manager", "Priority: important", "Depends: shell"),
        ])
        #expect(names == ["shell", "library", "data", "marker", "filesystems"])
        #expect(basePackageNames([]) == [])
    }
}
