/// How one value went from build to build: a line over the builds, the oldest first, from 0 to the largest value.
public struct TrendChart: Sendable {
    public var name: String
    /// A label and a value for each build; nil where it has none.
    public var points: [(label: String, value: Double?)]
    /// How a value is said.
    public var shown: @Sendable (Double) -> String

    public init(
        _ name: String, _ points: [(label: String, value: Double?)], shown: @escaping @Sendable (Double) -> String
    ) {
        self.name = name
        self.points = points
        self.shown = shown
    }

    /// Inline SVG, without script and style of its own. Empty without a value.
    var svg: String {
        let values = points.compactMap(\.value)
        guard let last = values.last else { return "" }
        let (width, height, left, right, top, bottom) = (640.0, 120.0, 8.0, 8.0, 22.0, 18.0)
        let most = max(values.max() ?? 0, .leastNonzeroMagnitude)
        func x(_ index: Int) -> Double {
            points.count < 2
                ? width / 2 : left + (width - left - right) * Double(index) / Double(points.count - 1)
        }
        func y(_ value: Double) -> Double { height - bottom - (height - top - bottom) * value / most }
        let known = points.enumerated().compactMap { index, point in
            point.value.map { (index: index, label: point.label, value: $0) }
        }
        let line = known.map { "\(tenths(x($0.index))),\(tenths(y($0.value)))" }.joined(separator: " ")
        let (first, end) = (HTMLPage.escaped(points[0].label), HTMLPage.escaped(points[points.count - 1].label))
        let title = HTMLPage.escaped(
            "\(name): \(shown(last)), from \(shown(values.min() ?? 0)) to \(shown(values.max() ?? 0))")
        var parts = [
            "<svg class=\"trend\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" role=\"img\" aria-label=\"\(title)\">",
            "<text class=\"name\" x=\"\(left)\" y=\"13\">\(title)</text>",
            "<line class=\"axis\" x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(height - bottom)\" "
                + "y2=\"\(height - bottom)\"/>",
            "<polyline class=\"line\" points=\"\(line)\"/>",
        ]
        for point in known {
            let words = HTMLPage.escaped("\(point.label): \(shown(point.value))")
            parts.append(
                "<circle cx=\"\(tenths(x(point.index)))\" cy=\"\(tenths(y(point.value)))\" r=\"2.5\">"
                    + "<title>\(words)</title></circle>")
        }
        parts.append("<text x=\"\(left)\" y=\"\(height - 4)\">\(first)</text>")
        if points.count > 1 {
            parts.append("<text x=\"\(width - right)\" y=\"\(height - 4)\" text-anchor=\"end\">\(end)</text>")
        }
        return parts.joined(separator: "\n") + "</svg>\n"
    }

    private func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
