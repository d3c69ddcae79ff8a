import Foundation
import Testing

/// The direction of dependencies, kept by reading every import of the sources.
@Suite struct ArchitectureTests {
    /// What each target may import besides the standard library.
    static let allowed: [String: Set<String>] = [
        // For strerror_r(3), which every wrapper of the system needs.
        "RootfsModel": ["Crypto", "CXXHash", "Glibc"],
        "Recipes": ["RootfsModel", "Yams"],
        // For memchr(3), which finds a line's end ten times faster than a loop.
        "Debian": ["RootfsModel", "Glibc"],
        "Solving": ["RootfsModel", "Debian"],
        "Provisioning": ["RootfsModel", "Recipes"],
        "Normalization": ["RootfsModel"],
        "Faults": ["RootfsModel"],
        // Synchronization for what several rules read once.
        "Checks": ["RootfsModel", "Debian", "Synchronization"],
        "Comparing": ["RootfsModel", "Debian"],
        // Crypto for the SHA-1 that SPDX wants of files.
        "Attesting": ["RootfsModel", "Debian", "Crypto"],
        "Verity": ["RootfsModel", "Crypto"],
        "LibArchive": Set(["RootfsModel", "CArchive"]).union(system),
        "Storage": Set(["RootfsModel"]).union(system),
        "DebianArchive": Set(["RootfsModel", "Debian", "Storage", "LibArchive", "CCurl"]).union(system),
        "Sandboxing": Set(["RootfsModel", "CSandbox"]).union(system),
        // Crypto for the MD5 that dpkg's database has.
        "Dpkg": Set(["RootfsModel", "Debian", "LibArchive", "Sandboxing", "Storage", "Crypto"]).union(system),
        "Ext4": Set(["RootfsModel", "Verity", "CExt2FS"]).union(system),
        // For memchr(3), likewise.
        "Kernels": ["RootfsModel", "LibArchive", "Glibc"],
        "Booting": Set(["RootfsModel", "CBooting"]).union(system),
        "Pipeline": Set([
            "RootfsModel", "Recipes", "Debian", "Solving", "Provisioning", "Normalization", "LibArchive", "Storage",
            "DebianArchive", "Sandboxing", "Dpkg", "Ext4", "Verity", "Kernels", "Booting", "Checks", "Faults",
            "Comparing", "Attesting",
            "FoundationEssentials",
        ]).union(system),
        "Nightly": Set([
            "RootfsModel", "Recipes", "Storage", "Comparing", "Pipeline", "FoundationEssentials",
        ]).union(system),
        "Commands": Set([
            "RootfsModel", "Recipes", "Storage", "Comparing", "Attesting", "Pipeline", "Nightly", "ArgumentParser",
            "FoundationEssentials",
            "Dispatch",
        ]).union(system),
        "rootfs-build": ["ArgumentParser", "Commands"],
        "rootfs-bench": Set([
            "RootfsModel", "Recipes", "Debian", "Solving", "Provisioning", "Normalization", "Checks", "Storage", "Dpkg",
            "Ext4", "Kernels", "ArchiveFixture", "ArgumentParser", "FoundationEssentials",
        ]).union(system),
    ]

    /// Outside modules and those above them see the system; values do not.
    static let system: Set<String> = ["Glibc", "CLinux", "SystemPackage", "Synchronization"]

    /// Modules of values: no file system, clock, environment or process, not even by the back door.
    static let values = [
        "RootfsModel", "Recipes", "Debian", "Solving", "Provisioning", "Normalization", "Checks", "Faults", "Comparing",
        "Attesting", "Verity",
        "Kernels",
    ]

    static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    static func swiftFiles(of target: String) throws -> [(name: String, lines: [Substring])] {
        let directory = sources.appending(path: target)
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path).filter {
            $0.hasSuffix(".swift")
        }
        return try names.sorted().map { name in
            let text = try String(contentsOf: directory.appending(path: name), encoding: .utf8)
            return ("\(target)/\(name)", text.split(separator: "\n", omittingEmptySubsequences: false))
        }
    }

    @Test func everyTargetIsInTheTable() throws {
        let targets = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path)
            .filter { try !Self.swiftFiles(of: $0).isEmpty }
        #expect(Set(targets) == Set(Self.allowed.keys))
    }

    @Test(arguments: allowed.keys.sorted()) func importsPointOneWay(target: String) throws {
        for (name, lines) in try Self.swiftFiles(of: target) {
            for line in lines {
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index <= 1, words.count > index + 1 else { continue }
                let module = String(words[words.count - 1].split(separator: ".")[0])
                #expect(Self.allowed[target]?.contains(module) == true, "\(name) imports \(module)")
            }
        }
    }

    @Test(arguments: values) func valuesReadNoClockAndNoEnvironment(target: String) throws {
        for (name, lines) in try Self.swiftFiles(of: target) {
            for line in lines where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                for word in [
                    "getenv(", "time(nil)", "Date()", "ContinuousClock", "fopen(", "ProcessInfo", "FileManager",
                ] {
                    #expect(!line.contains(word), "\(name) uses \(word)")
                }
            }
        }
    }

    @Test func aFileAnswersOneQuestion() throws {
        for target in Self.allowed.keys.sorted() {
            for (name, lines) in try Self.swiftFiles(of: target) {
                #expect(lines.count <= 401, "\(name) has \(lines.count) lines")
            }
        }
    }

    @Test func nothingIsForcedOrLeftOpen() throws {
        for target in Self.allowed.keys.sorted() {
            for (name, lines) in try Self.swiftFiles(of: target) {
                for line in lines {
                    for word in ["try!", "@unchecked Sendable", "nonisolated(unsafe)", "TODO", "FIXME", "fatalError("] {
                        #expect(!line.contains(word), "\(name) has \(word)")
                    }
                }
            }
        }
    }
}
