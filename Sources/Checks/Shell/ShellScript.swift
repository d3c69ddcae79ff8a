/// One simple command of a script.
struct ShellCommand: Hashable, Sendable {
    struct Redirection: Hashable, Sendable {
        /// `>`, `>>`, `&>`, `>&`, `<` …
        var sign: String
        var descriptor: Int?
        var target: ShellWord
    }

    var assignments: [ShellWord] = []
    var words: [ShellWord] = []
    var redirections: [Redirection] = []
    /// Whether the script gets to it whatever happens, short of an earlier end.
    var isCertain: Bool
    /// Whether the script looks at how it ended: a condition, or a side of `&&` and `||`.
    var isTested = false
    var isBackground = false
    /// Whether it stands in a loop without an end.
    var isRepeated = false
    /// Whether it stands in a function, a group or a subshell.
    var isEnclosed = false
    var line: Int
}

/// The commands of a shell's text, in order, with what decides whether they run: enough to say what a supervisor starts,
/// not to run it.
struct ShellScript: Sendable {
    private(set) var commands: [ShellCommand] = []
    /// Whether other files are read into it, or text is made to commands: then names may mean anything.
    private(set) var readsMore = false
    private(set) var functions: Set<String> = []
    /// Whether it may come to an end that is none of failure before its last line.
    private(set) var mayEndWell = false

    init(parsing text: [UInt8]) {
        var parser = ShellParser(ShellLexer.tokens(of: text))
        parser.run()
        functions = Set(parser.bodies.keys)
        readsMore = parser.commands.contains { command in
            command.words.first?.literal.map { [".", "source", "eval", "alias"].contains($0) } ?? false
        }
        commands = parser.commandsWithCalls()
        mayEndWell = commands.contains { command in
            let words = command.words.compactMap(\.literal)
            return !command.isCertain && words.first == "exit" && [[], ["0"]].contains(Array(words.dropFirst()))
        }
    }
}

/// Reserved words (POSIX, Shell Command Language 2.4) as a stack of what is open.
private struct ShellParser {
    private enum Frame: Hashable {
        case condition(certain: Bool)
        case body(certain: Bool, repeated: Bool)
        case group(certain: Bool)
        case caseHead, casePattern, caseBody
        case function(String)
        case loopHead(certain: Bool)
    }

    private let tokens: [ShellLexer.Token]
    private var stack: [Frame] = []
    private var current: ShellCommand?
    private(set) var commands: [ShellCommand] = []
    /// By a function's name: which commands are in its body.
    private(set) var bodies: [String: [Int]] = [:]
    /// Set after `&&` and `||`: what follows depends on what was before.
    private var isDependent = false
    private var isNegated = false
    private var ended = false
    /// The indices of the commands of the pipeline or list that is being read.
    private var list: [Int] = []
    private var namesFunction = false

    init(_ tokens: [ShellLexer.Token]) { self.tokens = tokens }

    mutating func run() {
        var index = 0
        // No script that people write is nested deeper.
        while index < tokens.count, stack.count < 200 {
            defer { index += 1 }
            switch tokens[index] {
            case .redirection(let sign, let descriptor):
                guard index + 1 < tokens.count, case .word(let target) = tokens[index + 1] else { continue }
                index += 1
                begin(line: target.line)
                current?.redirections.append(.init(sign: sign, descriptor: descriptor, target: target))
            case .control(let sign, _):
                if stack.last == .casePattern, sign != "\n" || current != nil {
                    // Patterns end at their parenthesis.
                    if sign == ")" { stack[stack.count - 1] = .caseBody }
                    current = nil
                    continue
                }
                if sign == "(", let name = current?.words.first?.plain, current?.words.count == 1,
                    index + 1 < tokens.count, case .control(")", _) = tokens[index + 1]
                {
                    index += 1
                    current = nil
                    pendingFunction = name
                    continue
                }
                control(sign)
            case .word(let word): take(word)
            }
        }
        end(isBackground: false)
    }

    private var pendingFunction: String?

    private mutating func control(_ sign: String) {
        switch sign {
        case "&&", "||":
            end(isBackground: false)
            // What is behind `cd … &&` is what the line is for.
            if sign == "&&", !isDependent, list.count == 1, neverFails(commands[list[0]]) {
                list = []
                return
            }
            for index in list { commands[index].isTested = true }
            // These are marked.
            list = []
            isDependent = true
        case "|": end(isBackground: false)
        case "&":
            end(isBackground: true)
            endList()
        case "(":
            end(isBackground: false)
            stack.append(.group(certain: isCertain()))
        case ")":
            end(isBackground: false)
            endList()
            if case .group? = stack.last { stack.removeLast() }
        case ";;":
            end(isBackground: false)
            endList()
            if stack.last == .caseBody { stack[stack.count - 1] = .casePattern }
        default:
            end(isBackground: false)
            endList()
            if case .loopHead(let certain)? = stack.last { stack[stack.count - 1] = .condition(certain: certain) }
        }
    }

    /// Whether a script goes on behind a command as if it had been alone.
    private func neverFails(_ command: ShellCommand) -> Bool {
        guard let first = command.words.first?.literal else { return !command.assignments.isEmpty }
        return ["cd", "export", "set", "umask", "ulimit", "echo", ":", "true"].contains(first)
    }

    private mutating func endList() {
        list = []
        isDependent = false
        isNegated = false
    }

    private mutating func take(_ word: ShellWord) {
        if let last = stack.last {
            switch last {
            case .caseHead:
                if word.plain == "in" { stack[stack.count - 1] = .casePattern }
                return
            case .casePattern:
                if word.plain == "esac" { stack.removeLast() } else { begin(line: word.line) }
                return
            case .loopHead(let certain):
                // for NAME [in WORDS]; a list of more than the name and `in` is run through.
                if word.plain == "do" {
                    stack[stack.count - 1] = .body(certain: certain && isCertain(below: 1), repeated: false)
                }
                return
            default: break
            }
        }
        if current == nil || current?.words.isEmpty ?? true && current?.assignments.isEmpty ?? true, reserved(word) {
            return
        }
        begin(line: word.line)
        if current?.words.isEmpty ?? true, word.assignment != nil {
            current?.assignments.append(word)
        } else {
            current?.words.append(word)
        }
    }

    /// Takes a word that opens, parts or closes something.
    private mutating func reserved(_ word: ShellWord) -> Bool {
        guard let text = word.plain else { return false }
        switch text {
        case "if": stack.append(.condition(certain: isCertain()))
        case "while", "until": stack.append(.condition(certain: isCertain()))
        case "then", "do":
            guard case .condition(let certain)? = stack.last else { return false }
            let isEndless = text == "do" && lastConditionIsTrue
            stack[stack.count - 1] = .body(certain: certain && isEndless, repeated: isEndless)
        case "elif", "else":
            guard case .body? = stack.last else { return false }
            stack[stack.count - 1] =
                text == "elif" ? .condition(certain: false) : .body(certain: false, repeated: false)
        case "fi", "done", "esac", "}":
            end(isBackground: false)
            if !stack.isEmpty { stack.removeLast() }
        case "for", "select": stack.append(.loopHead(certain: false))
        case "case": stack.append(.caseHead)
        case "{":
            stack.append(pendingFunction.map(Frame.function) ?? .group(certain: isCertain()))
            pendingFunction = nil
        case "function":
            namesFunction = true
            return true
        case "!": isNegated = true
        default:
            if namesFunction {
                namesFunction = false
                pendingFunction = text
                return true
            }
            return false
        }
        return true
    }

    /// Whether the condition that was read last is `true` or `:` alone.
    private var lastConditionIsTrue: Bool {
        guard let last = commands.last, last.words.count == 1, let word = last.words[0].literal else { return false }
        return ["true", ":"].contains(word)
    }

    private func isCertain(below count: Int = 0) -> Bool {
        if ended || isDependent { return false }
        return stack.dropLast(count).allSatisfy { frame in
            switch frame {
            case .condition(let certain), .body(let certain, _), .loopHead(let certain),
                .group(let certain):
                certain
            case .function: true
            case .caseHead, .casePattern, .caseBody: false
            }
        }
    }

    private mutating func begin(line: Int) {
        guard current == nil else { return }
        current = ShellCommand(isCertain: isCertain(), line: line)
        current?.isRepeated = stack.contains { if case .body(_, repeated: true) = $0 { true } else { false } }
    }

    private mutating func end(isBackground: Bool) {
        guard var command = current else {
            // A group's `&` is that of its last command.
            if isBackground, let last = commands.indices.last { commands[last].isBackground = true }
            return
        }
        current = nil
        command.isBackground = isBackground
        if case .condition? = stack.last { command.isTested = true }
        if isNegated || isDependent { command.isTested = true }
        list.append(commands.count)
        for frame in stack {
            if case .function(let name) = frame { bodies[name, default: []].append(commands.count) }
        }
        let isInFunction = stack.contains { if case .function = $0 { true } else { false } }
        let isInGroup = stack.contains { if case .group = $0 { true } else { false } }
        command.isEnclosed = isInFunction || isInGroup
        // Behind an exit or an exec nothing comes.
        if let first = command.words.first?.literal, command.isCertain, !isInFunction, !isInGroup, !isBackground,
            first == "exit" || first == "exec" && command.words.count > 1
        {
            commands.append(command)
            ended = true
            return
        }
        commands.append(command)
    }

    /// The commands, where those of a function are certain only if it is called for certain.
    func commandsWithCalls() -> [ShellCommand] {
        var result = commands
        var called = Set<String>()
        var inside = [Int: String]()
        for (name, indices) in bodies { for index in indices { inside[index] = name } }
        var grew = true
        while grew {
            grew = false
            for (index, command) in commands.enumerated() where command.isCertain {
                if let function = inside[index], !called.contains(function) { continue }
                if let name = command.words.first?.literal, bodies[name] != nil, called.insert(name).inserted {
                    grew = true
                }
            }
        }
        for (index, name) in inside where !called.contains(name) { result[index].isCertain = false }
        return result
    }
}
