internal import Pipeline

/// The stages of builds as bars on one axis of time, for a person: `#` is work, `.` is waiting. Below it stands what
/// for.
///
///     browser        0 s       5         10        15         wall      cpu
///     unpack         ###############################       13.00 s  24.70 s
///     layer base     ..####                                 2.10 s   2.00 s
///     waited:
///       layer base 0.8 s for unpacking libc6 2.36
///
/// No line of the chart is longer than `width`, from 60 columns on.
func timingChart(_ builds: [(recipe: String, stages: [StageTiming])], width: Int) -> String {
    let stages = builds.flatMap(\.stages)
    let end = max(stages.map { $0.startSeconds + $0.wallSeconds }.max() ?? 0, 0.001)
    let label = max(builds.map(\.recipe.count).max() ?? 0, stages.map(\.stage.count).max() ?? 0) + 2
    let figures = 2 * figureWidth
    let scale = TimeScale(end: end, columns: max(20, min(120, width - 1 - label - figures)))
    var text = ""
    for build in builds {
        if build.stages.isEmpty {
            text += padded(build.recipe, label) + "nothing to do\n"
            continue
        }
        text += padded(build.recipe, label) + padded(scale.axis, scale.columns)
        text += figure("wall") + figure("cpu") + "\n"
        for stage in build.stages {
            text += padded(stage.stage, label) + padded(scale.bar(stage), scale.columns)
            text += figure("\(decimal(stage.wallSeconds, places: 2)) s")
            text += figure("\(decimal(stage.cpuSeconds, places: 2)) s") + "\n"
        }
        let waits = build.stages.flatMap { stage in
            stage.waits.map { "  \(stage.stage) \(decimal($0.seconds, places: 2)) s for \($0.what)\n" }
        }
        if !waits.isEmpty { text += "waited:\n" + waits.joined() }
    }
    return text
}

private let figureWidth = 10

/// Seconds as columns.
private struct TimeScale {
    var end: Double
    var columns: Int

    func column(_ seconds: Double) -> Int {
        min(columns, max(0, Int((seconds / end * Double(columns)).rounded(.down))))
    }

    /// Marks at round numbers of seconds, far enough from each other to be read.
    var axis: String {
        let steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200]
        let step = steps.first { Double(columns) * $0 / end >= 8 } ?? end
        var text = ""
        var number = 0
        while true {
            let time = Double(number) * step
            let mark = decimal(time, places: step < 1 ? 1 : 0) + (number == 0 ? " s" : "")
            let place = column(time)
            if time > end || place + mark.count > columns { return text }
            text = padded(text, place) + mark
            number += 1
        }
    }

    /// At least one `#`, so that a short stage is seen.
    func bar(_ stage: StageTiming) -> String {
        let start = min(column(stage.startSeconds), columns - 1)
        let stop = max(start + 1, column(stage.startSeconds + stage.wallSeconds))
        let wait = column(max(0, stage.startSeconds - (stage.waits.map(\.seconds).max() ?? 0)))
        let waiting = min(wait, start)
        return String(repeating: " ", count: waiting) + String(repeating: ".", count: start - waiting)
            + String(repeating: "#", count: stop - start)
    }
}

private func figure(_ text: String) -> String {
    String(repeating: " ", count: max(1, figureWidth - text.count)) + text
}

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
