/// Seconds since 1970 of a date as archives write it, `Sat, 10 May 2025 08:30:11 UTC` (Policy 5.6.17's format, in
/// UTC; `GMT`, `Z` and `+0000` are read too). nil for anything else: no locale, no other zone.
public func parseArchiveDate(_ text: String) -> Int64? {
    let words = text.split(whereSeparator: { " ,\t".contains($0) })
    guard words.count == 6, ["UTC", "GMT", "Z", "+0000"].contains(words[5]) else { return nil }
    guard weekdays.contains(String(words[0])), let month = months.firstIndex(of: String(words[2])) else { return nil }
    let clock = words[4].split(separator: ":", omittingEmptySubsequences: false)
    guard clock.count == 3, let day = number(words[1], 1...31), let year = number(words[3], 1970...9999),
        let hour = number(clock[0], 0...23), let minute = number(clock[1], 0...59),
        let second = number(clock[2], 0...60),
        day <= daysInMonth(month, year)
    else { return nil }
    return Int64(daysSince1970(year: year, month: month, day: day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The same format, for a lock and for messages.
public func archiveDate(_ seconds: Int64) -> String {
    let date = CivilDate(seconds)
    return "\(weekdays[date.weekday]), \(padded(date.day)) \(months[date.month - 1]) \(date.year) "
        + "\(padded(date.hour)):\(padded(date.minute)):\(padded(date.second)) UTC"
}

/// The moment as snapshot archives have it in their addresses: `20261120T000000Z`.
public func archiveStamp(_ seconds: Int64) -> String {
    let date = CivilDate(seconds)
    return "\(padded(date.year, 4))\(padded(date.month))\(padded(date.day))"
        + "T\(padded(date.hour))\(padded(date.minute))\(padded(date.second))Z"
}

/// A moment in UTC by the calendar.
private struct CivilDate {
    /// From 0, as `weekdays` has them.
    var weekday: Int
    var year: Int
    /// From 1.
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int

    init(_ seconds: Int64) {
        var days = Int(seconds / 86_400)
        var rest = Int(seconds % 86_400)
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        weekday = ((days + 3) % 7 + 7) % 7
        // Howard Hinnant's civil_from_days: eras of 400 years that begin on 1 March.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = (monthFromMarch + 2) % 12 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60)
    }
}

private func padded(_ number: Int, _ width: Int = 2) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}

private let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
private let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

private func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
    guard text.utf8.count <= 4, text.utf8.allSatisfy({ $0 >= Byte.zero && $0 <= Byte.nine }), let value = Int(text)
    else { return nil }
    return range.contains(value) ? value : nil
}

private func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

private func daysInMonth(_ month: Int, _ year: Int) -> Int {
    month == 1 ? (isLeap(year) ? 29 : 28) : [3, 5, 8, 10].contains(month) ? 30 : 31
}

/// `month` counts from 0, `year` from 1970.
private func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let before = year - 1
    let leapDays = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
    let monthDays = (0..<month).reduce(0) { $0 + daysInMonth($1, year) }
    return (year - 1970) * 365 + leapDays + monthDays + day - 1
}
