import RootfsModel

/// Whether the machine's processor has what programs are marked to need. Code that uses more without a mark cannot be seen
/// in the file: libraries choose at run time among variants, so instructions prove nothing.
struct CPURule: Rule {
    static let name = "cpu"
    static let reason =
        "the loader refuses objects for a newer processor, and unmarked ones die of SIGILL without a word"
    static let specification =
        "System V ABI, x86-64 supplement, 3.1.1; Linux extensions to the gABI, GNU_PROPERTY_X86_ISA_1_NEEDED; go help environment, GOAMD64"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        guard case .level(let level) = CPULevel(of: subject) else { return [] }
        let processor =
            subject.machine.cpu.map { "\($0), which has \(CPULevel.name(level))" }
            ?? "the least, \(CPULevel.name(level)), as nothing is said of it"
        var findings = [Finding]()
        for load in try subject.serviceLoads() {
            for (index, object) in load.process.objects.enumerated() where object.file.machine == 62 {
                let needed = 32 - object.file.neededISA.leadingZeroBitCount
                guard needed > level else { continue }
                findings.append(
                    Finding(
                        "cpu/level",
                        subject.machine.cpu == nil ? min(.warning, load.launch.severity) : load.launch.severity,
                        "\(object.path) is marked to need \(CPULevel.name(needed)), and the machine's processor is \(processor)",
                        service: load.service, path: object.path,
                        reasons: load.launch.reasons + load.process.chain(to: index) + [
                            "its GNU property names \(CPULevel.name(needed)): the loader says \"CPU ISA level is lower than required\""
                        ],
                        remedy:
                            "build it for \(CPULevel.name(level)), or give the machine a processor with \(CPULevel.name(needed))",
                        location: load.launch.location))
            }
        }
        return findings
    }
}
