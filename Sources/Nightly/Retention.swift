internal import Recipes

/// Which of the kept builds stay. Counted are nights and weeks that have a build: after a pause, or with a clock that is
/// wrong, nothing goes that did not have to.
///
/// - Parameters:
///   - builds: names and moments, as nightly.json has them, in any order.
///   - current: the build that is in place.
func keptBuilds(
    _ builds: [(name: String, moment: String)], current: String?, _ retention: Recipe.Nightly.Retention
) -> Set<String> {
    let newestFirst = builds.sorted { ($1.moment, $1.name) < ($0.moment, $0.name) }
    var kept = Set(current.map { [$0] } ?? [])
    func keep(_ count: Int, _ period: (Int64) -> Int64) {
        var seen = Set<Int64>()
        for build in newestFirst {
            guard let day = dayNumber(build.moment) else { continue }
            if seen.contains(period(day)) { continue }
            if seen.count == count { break }
            seen.insert(period(day))
            kept.insert(build.name)
        }
    }
    keep(retention.nights) { $0 }
    // Weeks begin on Monday; the first day of 1970 was a Thursday.
    keep(retention.weeks) { ($0 + 3 >= 0 ? $0 + 3 : $0 - 3) / 7 }
    // One whose record cannot be read is nobody's to throw away.
    return kept.union(builds.filter { dayNumber($0.moment) == nil }.map(\.name))
}
