/// A script's first line, as the kernel reads it (execve(2), Interpreter scripts; fs/binfmt_script.c): the first 256 bytes
/// of the file, the interpreter up to the first blank, the rest of the line as one argument.
struct Shebang: Hashable, Sendable {
    enum Form: Hashable, Sendable {
        case script(Shebang)
        /// Nothing but `#!`.
        case empty
        /// The interpreter's path does not end within 256 bytes.
        case tooLong
        /// `#!` is there, but behind blanks or a byte order mark.
        case misplaced
        case none
    }

    var interpreter: String
    var argument: String?
    /// Whether the line ends in a carriage return, which is then part of the last word.
    var hasCarriageReturn: Bool

    static func form(of head: [UInt8]) -> Form {
        guard head.starts(with: Array("#!".utf8)) else {
            let rest = head.starts(with: [0xef, 0xbb, 0xbf]) ? head.dropFirst(3) : head[...]
            let text = rest.drop { [32, 9, 10, 13].contains($0) }
            return text.starts(with: Array("#!/".utf8)) ? .misplaced : .none
        }
        let window = head.prefix(256)
        let end = window.firstIndex(of: 10)
        let isBlank = { (byte: UInt8) in byte == 32 || byte == 9 }
        let line = window[2..<(end ?? window.endIndex)].drop(while: isBlank)
        if line.isEmpty { return .empty }
        let path = line.prefix { !isBlank($0) && $0 != 0 }
        if end == nil, head.count >= 256, path.endIndex == window.endIndex { return .tooLong }
        var argument = Array(line[path.endIndex...].drop(while: isBlank))
        while let last = argument.last, isBlank(last) { argument.removeLast() }
        return .script(
            Shebang(
                interpreter: String(decoding: path, as: UTF8.self),
                argument: argument.isEmpty ? nil : String(decoding: argument, as: UTF8.self),
                hasCarriageReturn: line.last == 13))
    }
}
