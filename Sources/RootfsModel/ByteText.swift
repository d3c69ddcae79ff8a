/// A number of bytes for people, in powers of 1000: `329.1 MB`.
public func byteText(_ bytes: UInt64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var unit = 0
    var scale: UInt64 = 1
    while unit < units.count - 1, bytes / scale >= 1000 {
        scale *= 1000
        unit += 1
    }
    if unit == 0 { return "\(bytes) B" }
    let tenths = (bytes / (scale / 10))
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
