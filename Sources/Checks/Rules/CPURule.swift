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
        let name = CPULevel.name(level)
        let processor =
            switch subject.machine.cpu {
            case nil: "the least, \(name), as nothing is said of it"
            case name: name
            case let cpu?: "\(cpu), which has \(name)"
            }
        var findings = [Finding]()
        for load in try subject.serviceLoads() {
            // As long as nothing is said of the processor, nobody knows that it will not do.
            let severity = subject.machine.cpu == nil ? min(.warning, load.launch.severity) : load.launch.severity
            func add(_ id: String, _ severity: Severity, _ index: Int, _ message: String, _ why: String, _ needed: Int)
            {
                findings.append(
                    Finding(
                        id, severity, message, service: load.service, path: load.process.objects[index].path,
                        reasons: load.launch.reasons + load.process.chain(to: index)
                            + [why, "the machine's processor is \(processor)"],
                        remedy:
                            "build it for \(CPULevel.name(level)), or give the machine a processor with \(CPULevel.name(needed))",
                        location: load.launch.location))
            }
            for (index, object) in load.process.objects.enumerated() where object.file.machine == 62 {
                let needed = CPULevel.highest(of: object.file.neededISA)
                let used = CPULevel.highest(of: object.file.usedISA)
                if needed > level {
                    add(
                        "cpu/level", severity, index,
                        "\(object.path) is marked to need \(CPULevel.name(needed)), more than the machine's processor has",
                        "its GNU property names \(CPULevel.name(needed)): the loader says \"CPU ISA level is lower than required\"",
                        needed)
                } else if used > level {
                    add(
                        "cpu/used", .note, index,
                        "\(object.path) has code for \(CPULevel.name(used)), which it may choose at run time",
                        "its GNU property says what it uses, not what it needs", used)
                }
            }
            guard let program = load.process.objects.first, let blob = subject.tree[program.path]?.blob,
                let build = try GoBuild(program.file, of: blob, with: subject.read), build.level > level
            else { continue }
            add(
                "cpu/go", severity, 0,
                "\(program.path) is a Go program for \(CPULevel.name(build.level)), more than the machine's processor has",
                "it was built with GOAMD64=v\(build.level), and ends with \"This program can only be run on AMD64 processors with v\(build.level) microarchitecture support\"",
                build.level)
        }
        return findings
    }
}
