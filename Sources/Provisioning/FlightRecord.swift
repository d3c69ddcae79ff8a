internal import Recipes
internal import RootfsModel

/// The flight record as an image begins with it (docs/flight-record.md): five free slots a service. No byte is zero, so
/// that the file has its blocks in the image and writing to it needs none.
func flightRecord(of services: [Recipe.Service]) -> [UInt8] {
    let head = 4096
    let output = 65536
    let slots = 5
    func padded(_ lines: [String], to count: Int) -> [UInt8] {
        let text = lines.map { $0 + "\n" }.joined().utf8
        return Array(text) + Array(repeating: UInt8(ascii: "\n"), count: count - text.count)
    }
    var bytes = padded(
        [
            "microvm-flight-record 1", "slots \(slots * services.count)", "head-bytes \(head)",
            "output-bytes \(output)",
        ], to: head)
    bytes.reserveCapacity(head + slots * services.count * (head + output))
    for service in services {
        let slot = padded(["service \(service.name.value)"], to: head + output)
        for _ in 0..<slots { bytes += slot }
    }
    return bytes
}
