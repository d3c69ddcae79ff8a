public import RootfsModel

// What watches the services, and what a microVM does without.

extension Recipe {
    /// One thing that a distribution starts at boot and a microVM has no use for, by its name in a recipe.
    public enum TrimStep: String, CaseIterable, Hashable, Sendable {
        case aptTimers = "apt-timers"
        case dpkgBackup = "dpkg-backup"
        case e2scrub
        case fstrim
        case manDatabase = "man-database"
        case kernelModules = "kernel-modules"
        case kernelMounts = "kernel-mounts"
        case binaryFormats = "binary-formats"
        case crashStore = "crash-store"
        case partitions
        case firstBoot = "first-boot"
        case hardwareDatabase = "hardware-database"
        case passwords
        case loginRecords = "login-records"
        case initControl = "init-control"
        case encryption
        case audit
        case journalFlush = "journal-flush"
        case measuredBoot = "measured-boot"
        case randomSeed = "random-seed"
        case virtualTerminals = "virtual-terminals"
        case graphicalTarget = "graphical-target"
    }

    public struct Supervisor: Hashable, Sendable {
        /// In the order of the steps; default: all.
        public var trim = TrimStep.allCases
        /// The file that keeps what the services print; default /var/log/app.log.
        public var log: Located<TreePath> = Located("/var/log/app.log")

        public init() {}
    }
}
