internal import RootfsModel

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
    return Int64(CivilDate.days(year: year, month: month + 1, day: day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The same format, for a lock and for messages.
public func archiveDate(_ seconds: Int64) -> String {
    let date = CivilDate(seconds)
    return "\(weekdays[date.weekday]), \(CivilDate.padded(date.day)) \(months[date.month - 1]) \(date.year) "
        + "\(CivilDate.padded(date.hour)):\(CivilDate.padded(date.minute)):\(CivilDate.padded(date.second)) UTC"
}

/// The moment as snapshot archives have it in their addresses: `20261120T000000Z`.
public func archiveStamp(_ seconds: Int64) -> String {
    let date = CivilDate(seconds)
    return "\(CivilDate.padded(date.year, 4))\(CivilDate.padded(date.month))\(CivilDate.padded(date.day))"
        + "T\(CivilDate.padded(date.hour))\(CivilDate.padded(date.minute))\(CivilDate.padded(date.second))Z"
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
