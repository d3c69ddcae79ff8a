/// The candidate a misspelt name was most likely meant to be: the one with the fewest single-character edits
/// (a swap of neighbours counts one), at most a third of the name's length; the first in order among equals.
public func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let target = Array(name.lowercased().unicodeScalars)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let limit = min(max(1, max(target.count, candidate.unicodeScalars.count) / 3), (best?.distance ?? .max) - 1)
        if limit < 0 { break }
        let other = Array(candidate.lowercased().unicodeScalars)
        if abs(other.count - target.count) > limit { continue }
        let distance = editDistance(target, other)
        if distance <= limit { best = (candidate, distance) }
    }
    return best?.name
}

/// The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforeLast = [Int]()
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var value = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { value = min(value, beforeLast[j - 1] + 1) }
            row.append(value)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
