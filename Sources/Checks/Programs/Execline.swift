/// A script of execline (skarnet.org, execlineb): one command line, of programs that each change something and then
/// become what stands behind them. Blocks in braces are arguments.
struct Execline: Hashable, Sendable {
    /// What the script becomes in the end.
    let command: Wrapped

    /// nil where it ends in nothing, or in what is only known when it runs.
    init?(parsing text: String) {
        var rest = Self.words(text)[...]
        var result = Wrapped(words: [])
        while let word = rest.first {
            let name = baseName(word)
            guard let form = Self.forms[name] else { break }
            rest = rest.dropFirst()
            while let option = rest.first, option.hasPrefix("-"), option.count > 1 {
                rest = rest.dropFirst()
                if option == "--" { break }
                if form.valued.contains(option) { rest = rest.dropFirst() }
            }
            let own = rest.prefix(form.words)
            rest = rest.dropFirst(form.words)
            for _ in 0..<form.blocks { rest = Self.behindBlock(rest) }
            switch name {
            case "s6-setuidgid": result.user = own.first.map { String($0.prefix { $0 != ":" }) }
            case "export" where own.count == 2: result.environment[own[own.startIndex]] = own[own.startIndex + 1]
            case "emptyenv": result.clearsEnvironment = true
            default: break
            }
        }
        result.words = Array(rest)
        guard let program = rest.first, !rest.contains(where: { $0.contains("$") }), program != "{", program != "}"
        else { return nil }
        command = result
    }

    /// How a program takes what is its own: options with a value, words, blocks.
    private struct Form {
        var words = 0
        var blocks = 0
        var valued: Set<String> = []
    }

    private static let forms: [String: Form] = [
        "background": Form(blocks: 1), "backtick": Form(words: 1, blocks: 1), "cd": Form(words: 1),
        "define": Form(words: 2, valued: ["-d"]), "emptyenv": Form(), "exec": Form(valued: ["-a"]),
        "export": Form(words: 2), "fdclose": Form(words: 1), "fdmove": Form(words: 2), "fdreserve": Form(words: 1),
        "foreground": Form(blocks: 1), "if": Form(blocks: 1, valued: ["-x", "-X"]),
        "importas": Form(words: 2, valued: ["-D", "-d"]), "multisubstitute": Form(blocks: 1),
        "nice": Form(valued: ["-n"]),
        "redirfd": Form(words: 2), "s6-envdir": Form(words: 1, valued: ["-l"]),
        "s6-notifyoncheck": Form(valued: ["-s", "-T", "-t", "-w", "-n", "-c", "-3"]), "s6-setsid": Form(),
        "s6-setuidgid": Form(words: 1),
        "s6-softlimit": Form(valued: ["-a", "-c", "-d", "-f", "-l", "-m", "-o", "-p", "-r", "-s", "-t"]),
        "umask": Form(words: 1), "unexport": Form(words: 1), "with-contenv": Form(),
    ]

    private static func behindBlock(_ words: ArraySlice<String>) -> ArraySlice<String> {
        guard words.first == "{" else { return words }
        var depth = 0
        for index in words.indices {
            if words[index] == "{" { depth += 1 }
            if words[index] == "}" { depth -= 1 }
            if depth == 0 { return words[(index + 1)...] }
        }
        return []
    }

    /// Words by blanks and double quotes; a comment begins with `#` at the beginning of a word.
    private static func words(_ text: String) -> [String] {
        var words = [String]()
        var word: String?
        var isQuoted = false
        var isComment = false
        var isEscaped = false
        for character in text {
            if isComment {
                isComment = !character.isNewline
            } else if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
                word = word ?? ""
            } else if isQuoted || !character.isWhitespace {
                isComment = character == "#" && word == nil
                if !isComment { word = (word ?? "") + String(character) }
            } else if let ended = word {
                words.append(ended)
                word = nil
            }
        }
        return words + (word.map { [$0] } ?? [])
    }
}
