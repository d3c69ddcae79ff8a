import Recipes
import Testing

@testable import Nightly

/// Which builds stay.
@Suite struct RetentionTests {
    private func retention(nights: Int, weeks: Int) -> Recipe.Nightly.Retention {
        var retention = Recipe.Nightly.Retention()
        retention.nights = nights
        retention.weeks = weeks
        return retention
    }

    /// A build on each of these days of November 2026, whose first is a Sunday.
    private func builds(_ days: [Int]) -> [(name: String, moment: String)] {
        days.map { ("b\($0)", "2026-11-\($0 < 10 ? "0" : "")\($0)T02:00:00Z") }
    }

    @Test func `nights and weeks that have a build count, the others do not`() {
        // Monday to Sunday: 2-8, 9-15, 16-22, 23-29.
        let all = builds([1, 2, 3, 8, 9, 15, 23, 24])
        #expect(keptBuilds(all, current: nil, retention(nights: 2, weeks: 0)) == ["b24", "b23"])
        #expect(keptBuilds(all, current: nil, retention(nights: 1, weeks: 3)) == ["b24", "b15", "b8"])
        #expect(keptBuilds(all, current: nil, retention(nights: 1, weeks: 9)) == ["b24", "b15", "b8", "b1"])
        #expect(keptBuilds(all.shuffled(), current: nil, retention(nights: 90, weeks: 0)).count == all.count)
    }

    @Test func `of one night the newest stays, and what is in place always`() {
        let all = [("a", "2026-11-24T02:00:00Z"), ("b", "2026-11-24T03:00:00Z"), ("c", "2026-11-24T04:00:00Z")]
        #expect(keptBuilds(all, current: nil, retention(nights: 5, weeks: 5)) == ["c"])
        #expect(keptBuilds(all, current: "a", retention(nights: 5, weeks: 5)) == ["a", "c"])
    }

    @Test func `what has no moment stays`() {
        #expect(
            keptBuilds([("a", ""), ("b", "2026-11-24T02:00:00Z")], current: nil, retention(nights: 1, weeks: 0))
                == ["a", "b"])
    }

    @Test func `moments have days, before 1970 and in leap years too`() {
        for (seconds, text, day) in [
            (Int64(0), "1970-01-01T00:00:00Z", Int64(0)), (951_782_400, "2000-02-29T00:00:00Z", 11_016),
            (-1, "1969-12-31T23:59:59Z", -1), (4_107_542_399, "2100-02-28T23:59:59Z", 47_540),
            (4_107_542_400, "2100-03-01T00:00:00Z", 47_541),
        ] {
            #expect(momentText(seconds) == text)
            #expect(dayNumber(text) == day)
        }
        #expect(dayNumber("yesterday") == nil)
    }
}
