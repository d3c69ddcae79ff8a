import RootfsModel

/// Whether what programs load later by name is there and whole: modules of the name service and of PAM, the C
/// library's converters, NSS's token, GL's
/// drivers, GStreamer's plugins, and every other shared object of the tree.
struct ModulesRule: Rule {
    static let name = "modules"
    static let reason = "the loader never sees what dlopen(3) is asked for until it is too late"
    static let specification =
        "nsswitch.conf(5), pam.conf(5), dlopen(3); NSS, lib/softoken; libglvnd; GStreamer, gst-launch-1.0(1)"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        let modules = try ModuleCheck(subject)
        let findings =
            try nameServiceFindings(modules) + authenticationFindings(modules) + tokenFindings(modules)
            + graphicsFindings(modules) + pipelineFindings(modules) + converterFindings(modules)
        return try findings + objectFindings(modules, told: Set(findings.compactMap(\.path)))
    }

    /// NSS opens its token by name beside itself: without it no program of its gets as far as TLS.
    private func tokenFindings(_ modules: ModuleCheck) throws -> [Finding] {
        var findings = [Finding]()
        var seen = Set<String>()
        for load in try modules.subject.serviceLoads() {
            guard let nss = load.process.objects.first(where: { $0.names.contains(Array("libnss3.so".utf8)) }),
                seen.insert(load.service).inserted
            else { continue }
            for (name, severity) in [
                ("libsoftokn3.so", Severity.error), ("libfreeblpriv3.so", .error), ("libnssckbi.so", .warning),
            ] {
                let files = modules.places.files(named: Array(name.utf8))
                if files.isEmpty {
                    findings.append(
                        Finding(
                            "modules/softoken", min(severity, load.launch.severity),
                            "\(load.process.objects[0].path) uses \(nss.path), which opens \(name), and the image does not have it",
                            service: load.service, path: nss.path, reasons: load.launch.reasons,
                            remedy: "add the package that brings \(name) (libnss3)", missing: modules.place(of: name),
                            location: load.launch.location))
                }
                for file in files {
                    findings += try modules.lacks(
                        of: file, "modules/softoken", min(severity, load.launch.severity),
                        because: "\(nss.path) opens it",
                        service: load)
                }
            }
        }
        return findings
    }

    /// libglvnd is a switch without a driver of its own.
    private func graphicsFindings(_ modules: ModuleCheck) throws -> [Finding] {
        var findings = [Finding]()
        var seen = Set<String>()
        for load in try modules.subject.serviceLoads() {
            for (name, vendors) in [
                ("libGLX.so.0", "libGLX_"), ("libEGL.so.1", "libEGL_"),
            ] {
                guard let object = load.process.objects.first(where: { $0.names.contains(Array(name.utf8)) }),
                    object.file.soname == Array(name.utf8), !modules.places.hasFile(startingWith: vendors),
                    // Mesa without libglvnd has this name itself, and brings its drivers.
                    modules.places.hasFile(startingWith: "libGLdispatch.so"), seen.insert(load.service + name).inserted
                else { continue }
                findings.append(
                    Finding(
                        "modules/gl", .warning,
                        "\(load.process.objects[0].path) uses \(object.path), and the image has no driver \(vendors)….so.0 for it",
                        service: load.service, path: object.path, reasons: load.launch.reasons,
                        remedy: "add Mesa's driver (libglx-mesa0, libegl-mesa0), or switch GL off in the program",
                        location: load.launch.location))
            }
        }
        return findings
    }

    /// All other objects. What packages bring has features whose libraries are only recommended; what an overlay brings
    /// nobody has looked at.
    private func objectFindings(_ modules: ModuleCheck, told: Set<TreePath>) throws -> [Finding] {
        let subject = modules.subject
        var loaded = told
        for load in try subject.serviceLoads() { loaded.formUnion(load.process.objects.map(\.path)) }
        let foreign = ["opt", "srv", "home", "root", "usr/local", "var/lib", "app"].compactMap {
            TreePath(normalizing: $0)
        }
        let debug: TreePath = "usr/lib/debug"
        var findings = [Finding]()
        for node in subject.tree.nodes {
            guard let blob = node.blob, blob.size > 64, !loaded.contains(node.path), !node.path.isWithin(debug),
                node.metadata.mode & 0o111 != 0 || isLibraryName(node.path.name)
            else { continue }
            let isForeign = foreign.contains { node.path.isWithin($0) }
            findings += try modules.lacks(
                of: node.path, "modules/object", isForeign ? .warning : .note, because: "no service is seen to start it"
            )
        }
        return findings
    }
}
