import Booting
import Foundation
import Kernels
import RootfsModel
import Testing

/// Boots a real kernel under QEMU. The kernel and a static busybox come from the folder that
/// ROOTFS_BUILD_TEST_KERNEL names: the unpacked packages linux-image-…-cloud-amd64 and busybox-static.
@Suite(.serialized) struct RealBoot {
    struct Material {
        var kernel: Vmlinux
        var config: KernelConfig
        var modules: KernelModules
        var busybox: [UInt8]
        var read: (TreePath) throws -> [UInt8]?

        init?() throws {
            guard let folder = ProcessInfo.processInfo.environment["ROOTFS_BUILD_TEST_KERNEL"] else {
                print("skipped: ROOTFS_BUILD_TEST_KERNEL names no unpacked kernel package")
                return nil
            }
            guard FileManager.default.isExecutableFile(atPath: "/usr/bin/qemu-system-x86_64") else {
                print("skipped: the host has no qemu-system-x86_64")
                return nil
            }
            let root = URL(fileURLWithPath: folder)
            func read(_ path: TreePath) throws -> [UInt8]? {
                let file = root.path + path.description
                return FileManager.default.fileExists(atPath: file)
                    ? Array(try Data(contentsOf: URL(fileURLWithPath: file))) : nil
            }
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
            let paths = names.compactMap { TreePath(normalizing: $0) }
            let image = try #require(
                names.first { $0.hasPrefix("boot/vmlinuz-") }.flatMap { TreePath(normalizing: $0) })
            let config = try #require(
                names.first { $0.hasPrefix("boot/config-") }.flatMap { TreePath(normalizing: $0) })
            self.kernel = try extractKernel(from: try #require(try read(image)), named: "vmlinuz", for: "amd64")
            self.config = KernelConfig(parsing: try #require(try read(config)))
            self.modules = try KernelModules(paths: paths, read: read)
            self.busybox = try #require(try read("bin/busybox"))
            self.read = read
        }

        func initrd(_ names: [String] = ["virtio_mmio", "virtio_blk", "virtio_net"]) throws -> [UInt8] {
            let modules = try modules.resolve(names, config: config, read: read)
            return try Initrd(
                modules: modules, busybox: busybox, architecture: .amd64, moment: Timestamp(seconds: 1_700_000_000)
            ).bytes()
        }
    }

    private func machine(
        _ material: Material, _ folder: Folder, image: String, hasInitrd: Bool = true, arguments: [String],
        expect: [String], memory: Int = 512, engine: Engine? = .tcg, soak: Duration = .zero
    ) throws -> VirtualMachine {
        let request = BootRequest(
            kernel: try folder.file("vmlinux", material.kernel.bytes),
            initrd: hasInitrd ? try folder.file("initrd", material.initrd()) : nil, image: image,
            arguments: ["console=ttyS0", "reboot=k", "panic=1"] + arguments, memory: memory, vcpus: 1, expect: expect,
            isSupervised: false, deadline: .seconds(150), soak: soak)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        var machine = VirtualMachine(request, engines: EngineChoice(wanted: engine, path: path))
        machine.scratch = folder.url.path
        return machine
    }

    @Test func theInitrdHandsOverToTheImagesInit() throws {
        guard let material = try Material() else { return }
        let decision = try initrdNeeded(mode: .auto, config: material.config, modules: material.modules)
        #expect(decision.isNeeded)
        let folder = try Folder()
        defer { folder.remove() }
        let script = """
            #!/bin/busybox sh
            echo "init got: $0 $*"
            echo "in dev: $(/bin/busybox ls -d /dev/console /dev/vda)"
            echo "in proc: $(/bin/busybox ls /proc)"
            echo "the image says hello"
            /bin/busybox mount -t proc proc /proc
            echo "mounts: $(/bin/busybox grep -c . /proc/mounts) $(/bin/busybox grep ' / ' /proc/mounts | /bin/busybox tail -n1)"
            echo "the image is done"
            trap '/bin/busybox reboot -f' INT
            echo 0 >/proc/sys/kernel/ctrl-alt-del
            while :; do /bin/busybox sleep 1; done

            """
        let image = try folder.image(files: ["bin/busybox": material.busybox, "sbin/init": Array(script.utf8)])
        let machine = try machine(
            material, folder, image: image, arguments: ["quiet", "--", "two", "words"],
            expect: ["the image says hello", "the image is done"])
        let before = try Data(contentsOf: URL(fileURLWithPath: image))
        var text = [String]()
        let report = try machine.boot { text.append($0.text) }
        #expect(report.verdict.kind == .proven, "\(report.verdict)")
        // Ctrl-Alt-Del came to the image's init as SIGINT.
        #expect(report.shutdown == .clean)
        #expect(text.contains("init got: /sbin/init two words"), "\(text)")
        #expect(text.contains { $0.hasPrefix("in dev: /dev/console") })
        #expect(text.contains("in proc: "))
        #expect(text.contains { $0.contains("/dev/vda / ext4 rw") }, "\(text)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: image)) == before)
        print(report.verdict.summary)
    }

    /// Without a supervisor the host's own question, through the user network, is what shows that a service works.
    @Test func theHostAsksAServiceThroughTheUserNetwork() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let script = """
            #!/bin/busybox sh
            /bin/busybox ifconfig eth0 10.0.2.15 up
            /bin/busybox sleep 3
            /bin/busybox httpd -p 8080 -h /www
            echo serving
            while :; do /bin/busybox sleep 1; done

            """
        let image = try folder.image(files: [
            "bin/busybox": material.busybox, "sbin/init": Array(script.utf8), "www/healthz": Array("fine\n".utf8),
        ])
        var machine = try machine(
            material, folder, image: image, arguments: ["quiet"], expect: ["serving"], soak: .seconds(3))
        machine.request.services = [.init("web", probe: .http("http://127.0.0.1:8080/healthz"))]
        machine.request.forwards = [.init(guest: 8080)]
        machine.request.shutdown = .seconds(1)
        let report = try machine.boot()
        #expect(report.verdict.kind == .proven, "\(report.verdict)")
        let service = try #require(report.services.first)
        #expect(service.isReadyByHost && service.lastAnswer?.words.hasPrefix("HTTP/1.") == true)
        machine.request.services = [.init("web", probe: .http("http://127.0.0.1:8080/none"))]
        machine.request.deadline = .seconds(40)
        let verdict = try machine.boot().verdict
        #expect(verdict.kind == .notReady && verdict.answered?.contains(" 404 ") == true, "\(verdict)")
    }

    /// Whether or not KVM works here, a boot goes on, and what does not work is told.
    @Test func theBestEngineThatWorksIsTaken() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let script = Array("#!/bin/busybox sh\necho the image says hello\nexec /bin/busybox sleep 60\n".utf8)
        let machine = try machine(
            material, folder, image: folder.image(files: ["bin/busybox": material.busybox, "sbin/init": script]),
            arguments: ["quiet"], expect: ["the image says hello"], engine: nil)
        let report = try machine.boot()
        #expect(report.verdict.kind == .proven, "\(report.verdict)")
        #expect(report.engine != .tcg || report.engineNotes.contains { $0.contains("KVM cannot be used: ") })
        print("\(report.engine): \(report.verdict.summary) \(report.engineNotes)")
    }

    @Test func theModulesOfAMachineComeInTheOrderTheyNeed() throws {
        guard let material = try Material() else { return }
        let order = try material.modules.resolve(
            ["virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "vmw_vsock_virtio_transport", "ext4"],
            config: material.config, read: material.read)
        print(order.map(\.name).joined(separator: " "))
        // What the kernel itself says each one needs, of the same folder.
        var loaded = Set<String>()
        for module in order {
            let text = String(decoding: module.bytes, as: UTF8.self)
            let depends = try #require(text.split(separator: "\0").first { $0.hasPrefix("depends=") })
            for name in depends.dropFirst("depends=".count).split(separator: ",") {
                #expect(loaded.contains(String(name.map { $0 == "-" ? "_" : $0 })), "\(module.name) before \(name)")
            }
            loaded.insert(module.name)
        }
        #expect(loaded.isSuperset(of: ["virtio_rng", "virtio_blk", "vsock"]) && !loaded.contains("ext4"))
    }

    @Test func aRootDeviceThatIsNotThereIsSaidNotWaitedForInSilence() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let machine = try machine(
            material, folder, image: folder.image(files: [:]), arguments: ["root=/dev/vdb", "ro", "quiet"],
            expect: ["login:"])
        let verdict = try machine.boot().verdict
        #expect(verdict.kind == .noRootDevice)
        #expect(verdict.summary == "the initrd says: root device /dev/vdb did not appear within 10 s")
        let text = verdict.evidence.map(\.text)
        #expect(text.contains { $0.hasSuffix(": block devices: vda") }, "\(text)")
        #expect(text.contains { $0.hasSuffix(": virtio devices: virtio0 (0x0002)") }, "\(text)")
    }

    @Test func nomoduleOnTheCommandLineIsNamedAsTheCause() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let machine = try machine(
            material, folder, image: folder.image(files: [:]), arguments: ["nomodule", "quiet"], expect: ["login:"])
        let verdict = try machine.boot().verdict
        #expect(verdict.kind == .noRootDevice)
        let text = verdict.evidence.map(\.text)
        #expect(
            text.contains {
                $0.hasSuffix(": hint: nomodule is on the command line, and the drivers are modules: remove it")
            },
            "\(text)")
    }

    @Test func withoutAnInitrdAModularKernelFindsNoRootDevice() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let machine = try machine(
            material, folder, image: folder.image(files: [:]), hasInitrd: false, arguments: [], expect: ["login:"])
        let verdict = try machine.boot().verdict
        #expect(verdict.kind == .noRootDevice)
        #expect(verdict.summary.contains("VFS: Unable to mount root fs"))
        #expect(verdict.evidence.count > 5, "the call trace is there")
    }

    @Test func anImageWithoutInitSaysSo() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let machine = try machine(
            material, folder, image: folder.image(files: [:]), arguments: ["quiet"], expect: ["login:"])
        #expect(try machine.boot().verdict.kind == .noInit)
    }

    @Test func aMachineWithoutSerialConsoleIsToldFromASlowOne() throws {
        guard let material = try Material() else { return }
        let folder = try Folder()
        defer { folder.remove() }
        let script = Array("#!/bin/busybox sh\necho the image says hello\nexec /bin/busybox sleep 600\n".utf8)
        var machine = try machine(
            material, folder, image: folder.image(files: ["bin/busybox": material.busybox, "sbin/init": script]),
            arguments: ["quiet"], expect: ["login:"])
        machine.request.arguments = ["console=tty0", "reboot=k", "panic=1"]
        let verdict = try machine.boot().verdict
        #expect(verdict.kind == .noConsole)
        #expect(verdict.summary.hasSuffix("the kernel's arguments say console=tty0, and the machine has ttyS0"))
    }
}

/// A folder of a test's own.
struct Folder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("booting-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String, _ bytes: [UInt8], executable: Bool = false) throws -> String {
        let file = url.appendingPathComponent(name)
        try Data(bytes).write(to: file)
        if executable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path) }
        return file.path
    }

    /// An ext4 image of 32 MiB with these files, all executable, and the usual empty directories.
    func image(files: [String: [UInt8]]) throws -> String {
        let root = url.appendingPathComponent("root")
        for directory in ["bin", "sbin", "dev", "proc", "sys", "www"] {
            try FileManager.default.createDirectory(
                at: root.appendingPathComponent(directory), withIntermediateDirectories: true)
        }
        for (name, bytes) in files { _ = try file("root/\(name)", bytes, executable: true) }
        let image = url.appendingPathComponent("root.ext4").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/sbin/mke2fs")
        process.standardOutput = FileHandle.nullDevice
        process.arguments = ["-q", "-t", "ext4", "-d", root.path, image, "32M"]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("mke2fs failed") }
        return image
    }
}
