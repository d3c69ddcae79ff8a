/// A module that a Python text names literally.
struct PythonImport: Hashable {
    /// Whether running the text comes to it.
    enum Certainty: Int, Comparable {
        /// In a try that goes on without it.
        case optional
        /// In a function or a branch.
        case maybe
        case always

        static func < (left: Certainty, right: Certainty) -> Bool { left.rawValue < right.rawValue }
    }

    /// `a.b`; empty for `from . import x`.
    var module: String
    /// The dots before it.
    var level = 0
    /// Behind `from … import`: each may be a module below it, or a name in it.
    var names: [String] = []
    var certainty: Certainty
    var line: Int
}

/// What a Python text imports, and what it asks of gi and of its module path.
struct PythonImports {
    private(set) var all: [PythonImport] = []
    /// gi.require_version's literal arguments.
    private(set) var typelibs: [(name: String, version: String, certainty: PythonImport.Certainty, line: Int)] = []
    /// Whether it changes where modules are looked for, so that nothing is certain to be missing.
    private(set) var changesPath = false

    /// An open block: statements that are indented more belong to it.
    private struct Block {
        var indent: Int
        var certainty: PythonImport.Certainty
        /// Whether nobody comes to it on this machine.
        var isSkipped = false
        /// Whether it is for the time when a package is built, so that its `else` is what is run.
        var isBuildTime = false
    }

    /// - Parameter isMain: whether `__name__` is `__main__`.
    init(in bytes: [UInt8], isMain: Bool) {
        let lines = PythonLines(bytes).all
        var blocks = [Block]()
        for (index, line) in lines.enumerated() {
            var closed: Block?
            if !line.isInline {
                while let last = blocks.last, line.indent <= last.indent { closed = blocks.removeLast() }
            }
            let now = blocks.last?.certainty ?? .always
            let isSkipped = blocks.last?.isSkipped ?? false
            let tokens = line.tokens
            if Self.changesPath(tokens) { changesPath = true }
            if isSkipped { continue }
            if tokens.last == ":", let first = tokens.first {
                var block = Block(indent: line.indent, certainty: now)
                let word = first == "async" ? tokens.dropFirst().first ?? "" : first
                switch word {
                case "class", "with", "finally": break
                case "try":
                    if !Self.endsProgram(handlersOf: index, in: lines) { block.certainty = .optional }
                case "if", "elif":
                    let isMainTest = tokens.contains("__name__") && tokens.contains("\"__main__")
                    if isMainTest { block.isSkipped = !isMain } else { block.certainty = min(now, .maybe) }
                    if tokens.contains(where: Self.otherMachines.contains) { block.isSkipped = true }
                    if tokens.contains(where: { $0.hasPrefix("__") && $0.hasSuffix("_SETUP__") }) {
                        block.isSkipped = true
                        block.isBuildTime = true
                    }
                case "else" where closed?.isBuildTime == true: break
                case "else", "for", "while", "def", "except", "match", "case":
                    block.certainty = min(now, .maybe)
                default: continue
                }
                blocks.append(block)
                continue
            }
            read(tokens, now, line.number)
        }
    }

    /// Names in a condition that mean another system, another Python, or a type checker.
    private static let otherMachines: Set<String> = [
        "TYPE_CHECKING", "platform", "version_info", "win32", "nt", "MYPY", "WINDOWS", "WIN", "PY2",
    ]

    private static func changesPath(_ tokens: [String]) -> Bool {
        for (index, token) in tokens.enumerated() {
            if ["addsitedir", "__path__", "meta_path", "path_hooks"].contains(token) { return true }
            if token == "sys", index + 2 < tokens.count, tokens[index + 1] == ".",
                ["path", "modules"].contains(tokens[index + 2])
            {
                return true
            }
        }
        return false
    }

    /// Whether a try's handler of a failed import ends the program or raises again, whatever the case.
    private static func endsProgram(handlersOf start: Int, in lines: [PythonLine]) -> Bool {
        let indent = lines[start].indent
        let failures: Set<String> = ["ImportError", "ModuleNotFoundError", "Exception", "BaseException"]
        /// Of the statements in the handler; nil outside of it.
        var inner: Int?
        var isHeader = false
        for line in lines[(start + 1)...] {
            if line.indent < indent || line.indent == indent && !line.isInline && !isHandler(line) { return false }
            if line.indent == indent, !line.isInline {
                // The first that fits is the one that is run.
                if inner != nil { return false }
                isHeader =
                    line.tokens.first == "except"
                    && (line.tokens.count == 2 || line.tokens.contains(where: failures.contains))
                continue
            }
            if isHeader { inner = line.isInline ? .max : line.indent }
            guard let own = inner else { continue }
            guard isHeader || line.indent == own && !line.isInline else { continue }
            isHeader = false
            let tokens = line.tokens
            if tokens.first == "raise" || tokens.first == "exit" { return true }
            if ["sys", "os"].contains(tokens.first), tokens.count > 2, ["exit", "_exit"].contains(tokens[2]) {
                return true
            }
        }
        return false
    }

    private static func isHandler(_ line: PythonLine) -> Bool {
        ["except", "else", "finally"].contains(line.tokens.first ?? "")
    }

    private mutating func read(_ tokens: [String], _ now: PythonImport.Certainty, _ number: Int) {
        switch tokens.first {
        case "import":
            for part in tokens.dropFirst().split(separator: ",") {
                let name = part.prefix { $0 != "as" }.joined()
                if Self.isName(name) { all.append(PythonImport(module: name, certainty: now, line: number)) }
            }
        case "from":
            guard let end = tokens.firstIndex(of: "import") else { return }
            let dots = tokens[1..<end].prefix { $0 == "." }.count
            let module = tokens[(1 + dots)..<end].joined()
            guard module.isEmpty ? dots > 0 : Self.isName(module), module != "__future__" else { return }
            let names = tokens[(end + 1)...].filter { $0 != "(" && $0 != ")" }.split(separator: ",")
                .compactMap(\.first).filter(Self.isName)
            all.append(PythonImport(module: module, level: dots, names: names, certainty: now, line: number))
        default:
            guard let index = tokens.firstIndex(of: "require_version"), index + 4 < tokens.count,
                tokens[index + 1] == "(", tokens[index + 2].hasPrefix("\""), tokens[index + 4].hasPrefix("\"")
            else { return }
            typelibs.append(
                (String(tokens[index + 2].dropFirst()), String(tokens[index + 4].dropFirst()), now, number))
        }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.first, first.isLetter || first == "_" else { return false }
        return text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
    }
}
