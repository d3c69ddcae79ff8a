// swift-tools-version: 6.2
import PackageDescription

// The layout of targets is the architecture: values first, one wrapper for each outside thing, the
// pipeline alone knows the order. docs/architecture.md says what each one holds; ArchitectureTests
// keeps the direction of the imports.

let model: Target.Dependency = "RootfsModel"
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "rootfs-build",
    products: [.executable(name: "rootfs-build", targets: ["rootfs-build"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C, seen through one folder each.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CExt2FS", pkgConfig: "ext2fs", providers: [.apt(["libext2fs-dev", "comerr-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .target(name: "CBooting"),
        .target(name: "CSandbox"),

        // Values: no file system, clock, environment or process.
        .target(name: "RootfsModel", dependencies: ["CXXHash", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Recipes", dependencies: [model, .product(name: "Yams", package: "Yams")]),
        .target(name: "Debian", dependencies: [model]),
        .target(name: "Solving", dependencies: [model, "Debian"]),
        .target(name: "Provisioning", dependencies: [model, "Recipes"]),
        .target(name: "Normalization", dependencies: [model]),
        .target(name: "Faults", dependencies: [model]),
        .target(name: "Checks", dependencies: [model, "Debian"]),
        .target(name: "Comparing", dependencies: [model, "Debian"]),
        .target(
            name: "Attesting", dependencies: [model, "Debian", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Verity", dependencies: [model, .product(name: "Crypto", package: "swift-crypto")]),

        // Outside: one outside thing each.
        .target(name: "LibArchive", dependencies: [model, "CArchive"]),
        .target(name: "Storage", dependencies: [model, "CLinux", systemPackage]),
        .target(
            name: "DebianArchive", dependencies: [model, "Debian", "Storage", "LibArchive", "CCurl", systemPackage]),
        .target(name: "Sandboxing", dependencies: [model, "CSandbox"]),
        .target(
            name: "Dpkg",
            dependencies: [
                model, "Debian", "LibArchive", "Sandboxing", "Storage", "CLinux", systemPackage,
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(name: "Ext4", dependencies: [model, "Verity", "CExt2FS", systemPackage]),
        .target(name: "Kernels", dependencies: [model, "LibArchive"]),
        .target(name: "Booting", dependencies: [model, "CBooting"]),

        // The order of things, and the command line.
        .target(
            name: "Pipeline",
            dependencies: [
                model, "Recipes", "Debian", "Solving", "Provisioning", "Normalization", "LibArchive", "Storage",
                "DebianArchive", "Sandboxing", "Dpkg", "Ext4", "Verity", "Kernels", "Booting", "Checks", "Faults",
                "Comparing", "Attesting", "CLinux", systemPackage,
            ]),
        .target(
            name: "Nightly",
            dependencies: [model, "Recipes", "Storage", "Comparing", "Pipeline", systemPackage]),
        .target(
            name: "Commands",
            dependencies: [
                model, "Recipes", "Storage", "Comparing", "Attesting", "Pipeline", "Nightly", "CLinux", systemPackage,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "rootfs-build",
            dependencies: ["Commands", .product(name: "ArgumentParser", package: "swift-argument-parser")]),

        // Figures: how long and how much, against other programs and at other sizes.
        .executableTarget(
            name: "rootfs-bench",
            dependencies: [
                model, "Recipes", "Debian", "Solving", "Provisioning", "Normalization", "Checks", "Storage", "Dpkg",
                "Ext4",
                "Kernels", "ArchiveFixture", "CLinux", systemPackage,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // What several tests need.
        .target(name: "TestSupport", path: "Tests/TestSupport", exclude: ["Rules"]),

        // A signed archive and its server, made for a test.
        .target(
            name: "ArchiveFixture",
            dependencies: [
                model, "Debian", "Storage", "CArchive", systemPackage,
                .product(name: "Crypto", package: "swift-crypto"),
            ], path: "Tests/ArchiveFixture"),

        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "RootfsModelTests", dependencies: [model, "TestSupport"]),
        .testTarget(name: "RecipesTests", dependencies: [model, "Recipes", "TestSupport"], exclude: ["Golden"]),
        .testTarget(name: "DebianTests", dependencies: [model, "Debian", "TestSupport"]),
        .testTarget(name: "SolvingTests", dependencies: [model, "Debian", "Solving", "TestSupport"]),
        .testTarget(name: "ProvisioningTests", dependencies: [model, "Recipes", "Provisioning"]),
        .testTarget(name: "NormalizationTests", dependencies: [model, "Normalization"]),
        .testTarget(name: "FaultsTests", dependencies: [model, "Faults"]),
        .testTarget(name: "ChecksTests", dependencies: [model, "Debian", "Checks", "TestSupport"]),
        .testTarget(
            name: "ComparingTests", dependencies: [model, "Debian", "Comparing", "TestSupport"], exclude: ["Golden"]),
        .testTarget(name: "AttestingTests", dependencies: [model, "Debian", "Attesting", "TestSupport"]),
        .testTarget(name: "StorageTests", dependencies: [model, "Storage", "CLinux", systemPackage]),
        .testTarget(
            name: "DebianArchiveTests",
            dependencies: [model, "Debian", "Storage", "LibArchive", "DebianArchive", "ArchiveFixture", systemPackage]),
        .testTarget(name: "SandboxingTests", dependencies: [model, "Sandboxing"]),
        .testTarget(
            name: "DpkgTests",
            dependencies: [
                model, "Debian", "Storage", "Sandboxing", "Dpkg", "Normalization", "TestSupport", systemPackage,
            ]),
        .testTarget(
            name: "Ext4Tests",
            dependencies: [model, "Storage", "Ext4", "Verity", "CLinux", "TestSupport", systemPackage]),
        .testTarget(name: "KernelsTests", dependencies: [model, "Kernels", "TestSupport"]),
        .testTarget(
            name: "BootingTests", dependencies: [model, "Booting", "Kernels", "TestSupport"],
            exclude: ["FirecrackerSchema.json"]),
        .testTarget(
            name: "PipelineTests",
            dependencies: [
                model, "Booting", "Debian", "Normalization", "Dpkg", "Ext4", "Comparing", "Storage", "Pipeline",
                "Recipes",
                "ArchiveFixture",
                "TestSupport", systemPackage,
            ]),
        // The WebRTC server of overlays/webrtc and the demo, in their own languages.
        .testTarget(name: "WebRTCTests", exclude: ["server.test.js", "fake-helper.py", "sources.py"]),
        .testTarget(name: "BenchTests", dependencies: [model, "rootfs-bench"]),
        .testTarget(
            name: "NightlyTests", dependencies: [model, "Recipes", "Comparing", "Pipeline", "Nightly"]),
        .testTarget(
            name: "CommandsTests", dependencies: ["rootfs-build", "Commands", "Pipeline"], exclude: ["Golden"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                model, "Debian", "Recipes", "Storage", "Ext4", "Pipeline", "ArchiveFixture", "TestSupport",
                systemPackage,
            ], exclude: ["validate_bill.py"]),
    ]
)

for target in package.targets
where [.regular, .test, .executable].contains(target.type) && !["CBooting", "CSandbox"].contains(target.name) {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .treatAllWarnings(as: .error),
    ]
}
