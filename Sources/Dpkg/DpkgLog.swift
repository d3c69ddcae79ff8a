internal import RootfsModel
internal import Sandboxing

/// Reads what dpkg prints when its status lines go the same way: progress lines out of it, and who failed with what.
struct DpkgLog {
    enum Event: Equatable {
        /// A line for the user.
        case line(String)
        /// dpkg says that this package is installed now.
        case installed(String)
        /// A status line without interest.
        case quiet
    }

    /// What dpkg works at: the action of its last `processing:` line and the package.
    private var current: (action: String, package: String)?
    /// The lines since then.
    private var lines = [String]()
    private var error: (package: String, cause: String?, action: String, lines: [String])?

    static let lineLimit = 20

    mutating func read(_ bytes: ArraySlice<UInt8>) -> Event {
        let line = String(decoding: bytes, as: UTF8.self)
        let fields = line.split(separator: ":", maxSplits: 2).map { $0.drop { $0 == " " } }
        if line.hasPrefix("processing: "), fields.count == 3 {
            current = (String(fields[1]), String(fields[2]))
            lines = []
            return .quiet
        }
        if line.hasPrefix("status: ") {
            // `status: libc6:amd64: installed`, and `status: x : error : words`, which dpkg also prints in words.
            let suffix = ": installed"
            if line.hasSuffix(suffix) { return .installed(String(line.dropFirst(8).dropLast(suffix.count))) }
            return .quiet
        }
        note(line)
        return .line(line)
    }

    private mutating func note(_ line: String) {
        if let error, error.cause == nil {
            self.error?.cause = String(line.drop { $0 == " " })
            return
        }
        let start = "dpkg: error processing "
        if error == nil, line.hasPrefix(start) {
            // `package NAME (--configure):` or `archive FILE (--unpack):`
            let words = line.dropFirst(start.count).split(separator: " ")
            let name = words.count > 1 ? String(words[1]) : current?.package ?? "a package"
            let isArchive = words.first == "archive"
            error = (isArchive ? current?.package ?? name : name, nil, current?.action ?? "", lines)
            return
        }
        lines.append(line)
        if lines.count > Self.lineLimit { lines.removeFirst() }
    }

    /// The failure of a run that did not succeed. `operation` is what dpkg was asked to do.
    func failure(_ operation: String, outcome: Outcome) -> Failure {
        guard let error, let cause = error.cause else {
            let lines = lines.isEmpty ? outcome.lastLines(Self.lineLimit) : lines
            return Failure("dpkg \(operation) failed: \(outcome.status)", notes: lines)
        }
        let scripts = [
            ("pre-installation", "preinst", "install"), ("post-installation", "postinst", "configure"),
            ("pre-removal", "prerm", "remove"), ("post-removal", "postrm", "remove"),
        ]
        for (words, script, argument) in scripts where cause.contains("\(words) script") {
            let argument = error.action == "trigproc" ? "triggered" : argument
            return MaintainerScripts.failure(
                package: error.package, script: "\(script) \(argument)", how: Self.manner(of: cause), lines: error.lines)
        }
        return Failure("dpkg \(operation) failed at \(error.package): \(cause)", notes: error.lines)
    }

    /// `installed x package post-installation script subprocess returned error exit status 3`: its end.
    private static func manner(of cause: String) -> String {
        for (marker, prefix) in [("returned error exit status ", "exit status "), ("was killed by signal ", "killed by signal ")] {
            if let range = cause.range(of: marker) { return prefix + cause[range.upperBound...] }
        }
        return cause
    }
}

extension String {
    /// The first place of a text in this one.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        firstRange(of: text)
    }
}
