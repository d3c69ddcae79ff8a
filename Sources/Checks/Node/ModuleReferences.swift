/// A module that a script names literally.
struct ModuleReference: Hashable {
    enum Form: Hashable {
        case require
        /// `import … from`, `export … from`: read before any of the script runs.
        case staticImport
        case dynamicImport
    }

    /// Whether running the script comes to it.
    enum Certainty: Int, Comparable {
        /// In a try: the script does without.
        case optional
        /// In a function, a branch or behind a condition.
        case maybe
        case always

        static func < (left: Certainty, right: Certainty) -> Bool { left.rawValue < right.rawValue }
    }

    var specifier: String
    var form: Form
    var certainty: Certainty
    var line: Int
}

/// The modules that a JavaScript text names literally: `require('x')`, `import … from 'x'`, `import('x')`.
struct ModuleReferences {
    private(set) var all: [ModuleReference] = []
    /// Whether the text makes a `require` of its own (`createRequire`, a parameter).
    private(set) var definesRequire = false

    /// A bracket that is open.
    private struct Frame {
        var isBlock: Bool
        /// What is in it, whatever the statement says.
        var certainty: ModuleReference.Certainty
        /// Whether the statement that runs now may not.
        var isConditional = false
    }

    private static let branching: Set<String> = [
        "if", "else", "for", "while", "case", "default", "switch", "function", "catch", "class",
    ]

    init(in bytes: [UInt8]) {
        let script = ScriptTokens(bytes)
        var frames = [Frame(isBlock: true, certainty: script.isSound ? .always : .maybe)]
        /// Behind `import` or `export`, whose `from` is still to come.
        var awaitsFrom = false
        let tokens = script.tokens
        func text(_ index: Int) -> String {
            tokens.indices.contains(index) && tokens[index].kind != .string ? tokens[index].text : ""
        }
        func string(_ index: Int) -> String? {
            tokens.indices.contains(index) && tokens[index].kind == .string ? tokens[index].text : nil
        }
        for (index, token) in tokens.enumerated() where token.kind == .word || token.kind == .sign {
            let before = text(index - 1)
            let top = frames.count - 1
            let now: ModuleReference.Certainty =
                frames[top].isConditional
                ? min(frames[top].certainty, .maybe) : frames[top].certainty
            if token.kind == .sign {
                switch token.text {
                case "{":
                    let isValue = ["=", "(", ",", ":", "[", "return", "?", "import", "export", "&&", "||", "??"]
                        .contains(before)
                    let isBare = index == 0 || [";", "{", "}"].contains(before)
                    let inside: ModuleReference.Certainty =
                        before == "try" ? .optional : isValue || isBare ? now : min(now, .maybe)
                    frames.append(Frame(isBlock: !isValue, certainty: inside))
                case "(", "[": frames.append(Frame(isBlock: false, certainty: now))
                case "}", ")", "]":
                    if frames.count > 1 {
                        let closed = frames.removeLast()
                        if token.text == "}", closed.isBlock { frames[frames.count - 1].isConditional = false }
                    }
                case ";":
                    if frames[top].isBlock { frames[top].isConditional = false }
                    awaitsFrom = false
                case "?", "&&", "||", "??", "=>": frames[top].isConditional = true
                case "=": awaitsFrom = false
                default: break
                }
                continue
            }
            if before == "." || before == "?." { continue }
            if ["const", "let", "import", "export"].contains(token.text), frames[top].isBlock {
                frames[top].isConditional = false
            }
            if Self.branching.contains(token.text) { frames[top].isConditional = true }
            switch token.text {
            case "require":
                if ["(", ","].contains(before), [")", ","].contains(text(index + 1)) { definesRequire = true }
                if ["const", "let", "var", "function"].contains(before) { definesRequire = true }
                guard text(index + 1) == "(", let name = string(index + 2), text(index + 3) == ")",
                    before != "function", before != "new"
                else { continue }
                add(name, .require, now, token)
            case "createRequire": definesRequire = true
            case "import":
                if text(index + 1) == "(" {
                    if let name = string(index + 2) { add(name, .dynamicImport, min(now, .maybe), token) }
                } else if let name = string(index + 1) {
                    add(name, .staticImport, frames.count == 1 ? .always : .maybe, token)
                } else {
                    awaitsFrom = frames.count == 1 && text(index + 1) != "."
                }
            case "export": awaitsFrom = frames.count == 1
            case "const", "let", "var", "function", "class", "async": awaitsFrom = false
            case "from":
                guard awaitsFrom, let name = string(index + 1) else { continue }
                add(name, .staticImport, .always, token)
                awaitsFrom = false
            default: break
            }
        }
        if !script.isSound {
            for index in all.indices { all[index].certainty = min(all[index].certainty, .maybe) }
        }
    }

    private mutating func add(
        _ name: String, _ form: ModuleReference.Form, _ certainty: ModuleReference.Certainty, _ token: ScriptToken
    ) {
        guard !name.isEmpty, !name.utf8.contains(0) else { return }
        all.append(ModuleReference(specifier: name, form: form, certainty: certainty, line: token.line))
    }
}
