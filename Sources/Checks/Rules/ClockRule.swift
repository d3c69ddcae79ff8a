import RootfsModel

/// A machine that starts in 1970: every certificate is not valid yet.
public struct ClockRule: Rule {
    public static let name = "clock"
    public static let reason = "without a clock TLS refuses every certificate, and logs and caches have wrong dates"
    public static let specification =
        "Firecracker's docs (no CMOS clock on x86, PL031 on arm64); Linux's arch/x86/kernel/kvmclock.c"

    public init() {}

    /// Programs that set the clock from the network.
    private static let setters: Set<String> = [
        "chronyd", "systemd-timesyncd", "ntpd", "ntpd-rs", "openntpd", "ntpdate", "sntp",
    ]

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        guard let drivers = subject.drivers, drivers.kernel.options != nil, subject.machine.monitor == .firecracker
        else { return [] }
        let needed: String
        switch subject.architecture {
        case "amd64":
            if drivers.value(of: "KVM_GUEST") == "y", !drivers.kernel.arguments.contains("no-kvmclock") { return [] }
            needed = "CONFIG_KVM_GUEST=y, and no no-kvmclock on the command line"
        case "arm64":
            if drivers.place(of: "RTC_DRV_PL031", module: "rtc_pl031").isThere { return [] }
            needed = "CONFIG_RTC_DRV_PL031"
        default: return []
        }
        let setsItself = subject.services.contains { service in
            service.commands.contains { command in
                command.words.first?.split(separator: "/").last.map { Self.setters.contains(String($0)) } ?? false
            }
        }
        guard !setsItself else { return [] }
        return [
            Finding(
                "clock/none", .warning, "the machine has no time of its own: it starts in the past",
                reasons: [
                    "Firecracker gives the time to kernels with \(needed)", "this kernel cannot take it",
                    "no service sets the clock from the network",
                ], remedy: "take a kernel with it, or add systemd-timesyncd or chrony")
        ]
    }
}
