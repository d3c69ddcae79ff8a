extension Recipe {
    /// What a nightly build may put in place by itself, what it keeps and where it tells of it. Nothing in it changes an
    /// image.
    public struct Nightly: Hashable, Sendable {
        /// Whether something is in the way of an image.
        public enum Gate: String, CaseIterable, Hashable, Sendable {
            case refuse, allow
        }

        /// The least finding of the check that is in the way.
        public enum Findings: String, CaseIterable, Hashable, Sendable {
            case error, warning, none
        }

        /// What of a lock may move without a person.
        public enum Moves: String, CaseIterable, Hashable, Sendable {
            /// What comes from a pocket of security fixes, and what that forces.
            case security
            case all, none
        }

        /// The builds that are kept besides the last good one: the newest of each of so many nights and weeks that have
        /// one.
        public struct Retention: Hashable, Sendable {
            /// Default: 14.
            public var nights = 14
            /// Default: 8.
            public var weeks = 8

            public init() {}
        }

        /// Default: error.
        public var findings = Findings.error
        /// Whether the image is booted, and has to be proven. Default: true.
        public var boot = true
        /// A program that is setuid or setgid, or has capabilities, and had not. Default: refuse.
        public var newSetuid = Gate.refuse
        /// Default: refuse.
        public var packageRemoved = Gate.refuse
        /// By how much the files of an image may grow over the last good one, in percent. Default: 20.
        public var sizeGrowth = 20
        /// Whether the image is built twice, and has to be the same. Default: false.
        public var reproduced = false
        /// What neither recipe nor lock pins. Default: refuse.
        public var unpinned = Gate.refuse
        /// Default: all.
        public var allow = Moves.all
        public var keep = Retention()
        /// A directory that each night's reports are written to; nil: beside the kept builds alone.
        public var report: Located<String>?

        public init() {}
    }
}
