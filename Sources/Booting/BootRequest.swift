/// What a boot is asked to do: which machine, from which files, and what it has to show.
public struct BootRequest: Hashable, Sendable {
    /// Paths on the host, absolute.
    public var kernel: String
    public var initrd: String?
    public var image: String
    /// The kernel's arguments as they would ship, one each.
    public var arguments: [String]
    /// In MiB.
    public var memory: Int
    public var vcpus: Int
    /// Whether the image's drive can be written to at all. What is written never reaches the image.
    public var isReadOnly: Bool
    /// In the recipe's order.
    public var services: [Service]
    /// Texts that have to appear on the console, besides every service's readiness.
    public var expect: [String]
    /// Whether the image has the supervisor, whose lines on the console say when a service is ready.
    public var isSupervised: Bool
    /// From the machine's start until all is ready.
    public var deadline: Duration
    /// How long nothing may die after that.
    public var soak: Duration
    /// How long a shutdown may take.
    public var shutdown: Duration
    /// Ports of the guest that the host asks, or wants to reach, through a user network; none: no network.
    public var forwards: [Forward]
    /// QEMU's name of another processor than the best that the engine has.
    public var cpu: String?

    public init(
        kernel: String, initrd: String?, image: String, arguments: [String], memory: Int, vcpus: Int,
        isReadOnly: Bool = false, services: [Service] = [], expect: [String] = [], isSupervised: Bool = true,
        deadline: Duration, soak: Duration = .zero, shutdown: Duration = .seconds(30), forwards: [Forward] = [],
        cpu: String? = nil
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.image = image
        self.arguments = arguments
        self.memory = memory
        self.vcpus = vcpus
        self.isReadOnly = isReadOnly
        self.services = services
        self.expect = expect
        self.isSupervised = isSupervised
        self.deadline = deadline
        self.soak = soak
        self.shutdown = shutdown
        self.forwards = forwards
        self.cpu = cpu
    }

    /// A port of the guest as one of this host's loopback address.
    public struct Forward: Hashable, Sendable {
        public var guest: UInt16
        /// nil: one that is free.
        public var host: UInt16?

        public init(guest: UInt16, host: UInt16? = nil) {
            self.guest = guest
            self.host = host
        }
    }

    /// A service of the image.
    public struct Service: Hashable, Sendable {
        public var name: String
        /// nil: ready when started.
        public var probe: Probe?
        /// Whether it is to run for ever: an end with status 0 is a death too.
        public var runsForEver: Bool

        public init(_ name: String, probe: Probe? = nil, runsForEver: Bool = true) {
            self.name = name
            self.probe = probe
            self.runsForEver = runsForEver
        }
    }

    /// What shows that a service works.
    public enum Probe: Hashable, Sendable, CustomStringConvertible {
        /// A URL as the guest has it.
        case http(String)
        /// A host and a port as the guest has them: `127.0.0.1:80`.
        case tcp(String)
        /// A text in a line of the service.
        case console(String)
        /// What only the guest can ask: a file, a socket, a command.
        case guest(String)

        /// - Parameter words: kind and what, as the guest's own check takes them: `["http", "http://…"]`.
        public init(_ words: [String]) {
            switch (words.first, words.count) {
            case ("http", 2): self = .http(words[1])
            case ("tcp", 2): self = .tcp(words[1])
            case ("console", 2): self = .console(words[1])
            default: self = .guest(words.joined(separator: " "))
            }
        }

        public var description: String {
            switch self {
            case .http(let url): "http \(url)"
            case .tcp(let address): "tcp \(address)"
            case .console(let text): "console \(text)"
            case .guest(let words): words
            }
        }

        /// The guest's port, where the host can ask it too.
        public var port: UInt16? {
            switch self {
            case .http(let url):
                let authority = url.dropFirst("http://".count).prefix { !"/?#".contains($0) }
                guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return 80 }
                return UInt16(authority[authority.index(after: colon)...])
            case .tcp(let address):
                return address.lastIndex(of: ":").flatMap { UInt16(address[address.index(after: $0)...]) }
            case .console, .guest:
                return nil
            }
        }
    }
}
