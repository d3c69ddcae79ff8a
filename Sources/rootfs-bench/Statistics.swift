import Glibc

/// Several measurements of one thing, in seconds or bytes.
struct Sample: Codable, Equatable {
    var minimum: Double
    var median: Double
    var maximum: Double

    /// nil of nothing. The median of an even number is the mean of the two in the middle.
    init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        minimum = first
        maximum = last
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// The exponent of the power of the size with which a cost grows: the slope of the least-squares line through the
/// logarithms. 1 is linear, 2 quadratic. nil for fewer than two sizes.
func exponent(of costs: [(size: Double, cost: Double)]) -> Double? {
    let points = costs.filter { $0.size > 0 && $0.cost > 0 }.map { (x: log($0.size), y: log($0.cost)) }
    let count = Double(points.count)
    let meanX = points.reduce(0) { $0 + $1.x } / count
    let meanY = points.reduce(0) { $0 + $1.y } / count
    let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
    guard points.count > 1, spread > 0 else { return nil }
    return points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
}
