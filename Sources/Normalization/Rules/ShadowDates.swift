internal import RootfsModel

/// shadow(5), third field: the day of the last change of a password, in days since 1970. Scripts that make accounts write
/// the present one where their program knows no SOURCE_DATE_EPOCH. 0, which asks for a new password, and nothing, which
/// asks for none, say something else and stay.
struct ShadowDates: NormalizationRule {
    let id = "shadow-dates"
    let reason = "the day of an account's last change is the day of the build"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) throws -> TreeChange {
        var change = TreeChange()
        for path: TreePath in ["etc/shadow", "etc/shadow-"] {
            guard let node = tree[path], let blob = node.blob else { continue }
            let bytes = try read(blob)
            let dated = Self.dated(bytes, day: String(max(1, moment.seconds / 86_400)))
            if dated != bytes { change.puts.append(node.with(content: dated)) }
        }
        return change
    }

    private static func dated(_ bytes: [UInt8], day: String) -> [UInt8] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let dated = lines.map { line -> [UInt8] in
            var fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(Array.init)
            guard fields.count > 2, let old = Int(String(decoding: fields[2], as: UTF8.self)), old > 0 else {
                return Array(line)
            }
            fields[2] = Array(day.utf8)
            return Array(fields.joined(separator: [UInt8(ascii: ":")]))
        }
        return Array(dated.joined(separator: [UInt8(ascii: "\n")]))
    }
}
