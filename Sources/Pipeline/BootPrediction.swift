internal import Booting
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Which of a check's findings said beforehand what a boot came to: by the service's name, and for what concerns the
/// whole machine by the verdict's kind.
struct BootPrediction {
    private let report: CheckReport

    /// check.json beside the image where it is of this image; else the image is checked now.
    init(for subject: BootSubject, _ settings: CheckSettings) async throws {
        let path = subject.image.removingLastComponent().appending(CheckReport.fileName)
        if subject.isBuild, exists(path), let report = parseRecord(CheckReport.self, from: try readFile(at: path)) {
            self.report = report
            return
        }
        report = try await checkImage(at: subject.image, settings)
    }

    init(_ report: CheckReport) {
        self.report = report
    }

    /// Open findings first, each kind the worst first.
    func findings(for verdict: Verdict) -> [BootRecord.Predictor] {
        if verdict.kind == .proven { return [] }
        return (report.findings + report.accepted).filter { says($0, verdict) }.map {
            .init(
                id: $0.id, severity: $0.severity, service: $0.service, path: $0.path, message: $0.message,
                acceptedBecause: $0.acceptedBecause)
        }
    }

    private func says(_ finding: CheckReport.Entry, _ verdict: Verdict) -> Bool {
        let rules = Self.rules(of: verdict.kind)
        let isOfKind = rules.contains { $0.hasSuffix("/") ? finding.id.hasPrefix($0) : finding.id == $0 }
        guard let service = verdict.service else { return isOfKind && finding.severity != "note" }
        let isNamed = finding.concerns(service: service)
        // A service dies neither of what is left in the image nor of where its words go.
        let concernsLife = !["log/", "hygiene/"].contains { finding.id.hasPrefix($0) }
        if finding.severity == "note" {
            // What a program may choose to use is what an illegal instruction was.
            return isNamed && finding.id.hasPrefix("cpu/") && verdict.ending?.contains("SIGILL") == true
        }
        return isNamed && concernsLife || finding.service == nil && isOfKind
    }

    /// Rules (`rule/`) and findings that concern the machine as a whole.
    private static func rules(of kind: Verdict.Kind) -> [String] {
        switch kind {
        case .proven, .stopped: []
        case .noConsole:
            ["kernel/console", "kernel/format", "kernel/architecture", "log/no-console", "log/serial-off"]
        case .kernelPanic: ["kernel/"]
        case .noRootDevice:
            [
                "kernel/root-argument", "kernel/root-driver", "kernel/root-file-system", "kernel/nomodule",
                "kernel/devices", "kernel/initrd",
            ]
        case .noInit: ["kernel/init", "kernel/too-old", "kernel/systemd", "libraries/"]
        case .unitFailed, .died: ["kernel/systemd", "kernel/too-old", "state/accounts"]
        case .notReady: ["kernel/network", "kernel/systemd", "entropy/none"]
        case .outOfMemory: ["memory/"]
        case .hung: ["kernel/", "entropy/none", "clock/none"]
        }
    }
}
