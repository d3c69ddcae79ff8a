/// One thing that is looked for. A rule is a type in a file of its own, with its reason and its specification.
public protocol Rule: Sendable {
    /// What its findings' ids begin with: `exec`.
    static var name: String { get }
    /// Why it is looked for, in a sentence.
    static var reason: String { get }
    /// Where it is written how it must be: a manual page, a standard, a program's source.
    static var specification: String { get }

    init()

    func findings(in subject: CheckSubject) throws -> [Finding]
}

/// All rules, in the order of their findings.
public let allRules: [any Rule.Type] = [
    CPURule.self,
    ChromiumRule.self,
    ClockRule.self,
    ConfigRule.self,
    EntropyRule.self,
    ExecRule.self,
    HygieneRule.self,
    ICURule.self,
    KernelRule.self,
    LibrariesRule.self,
    LogRule.self,
    MemoryRule.self,
    ModulesRule.self,
    NodeRule.self,
    PythonRule.self,
    StateRule.self,
    SymbolsRule.self,
    WriteRule.self,
]

/// What all rules say, the worst first, each once.
public func check(_ subject: CheckSubject) throws -> [Finding] {
    var seen = Set<Finding>()
    let findings = try allRules.flatMap { try $0.init().findings(in: subject) }.filter { seen.insert($0).inserted }
    return Severity.allCases.reversed().flatMap { severity in findings.filter { $0.severity == severity } }
}
