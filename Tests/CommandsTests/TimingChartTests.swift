import Pipeline
import Testing

@testable import Commands

@Suite struct TimingChartTests {
    private func stage(_ name: String, _ start: Double, _ wall: Double, cpu: Double, _ waits: StageWait...)
        -> StageTiming
    {
        StageTiming(
            stage: name, startSeconds: start, wallSeconds: wall, cpuSeconds: cpu, waits: waits, detail: "")
    }

    @Test func `stages are bars on one axis, with what they waited for below`() {
        let text = timingChart(
            [
                (
                    recipe: "one",
                    stages: [
                        stage("fetch", 0, 4, cpu: 0.5), stage("unpack", 0.5, 9.5, cpu: 18.25),
                        stage("layer base", 5, 2.5, cpu: 2, StageWait(for: "unpacking libc6 2.36", 2.5)),
                        stage("kernel", 10, 0.01, cpu: 0.01), stage("image", 15, 5, cpu: 9.75),
                    ]
                ), (recipe: "two", stages: []),
                (
                    recipe: "three",
                    stages: [
                        stage("layer base", 7.5, 0, cpu: 0, StageWait(for: "another recipe's layer", 7.5))
                    ]
                ),
            ], width: 73)
        #expect(
            text == """
                one         0 s       5         10        15              wall       cpu
                fetch       ########                                    4.00 s    0.50 s
                unpack       ###################                        9.50 s   18.25 s
                layer base       .....#####                             2.50 s    2.00 s
                kernel                          #                       0.01 s    0.01 s
                image                                     ##########    5.00 s    9.75 s
                waited:
                  layer base 2.50 s for unpacking libc6 2.36
                two         nothing to do
                three       0 s       5         10        15              wall       cpu
                layer base  ...............#                            0.00 s    0.00 s
                waited:
                  layer base 7.50 s for another recipe's layer

                """)
    }

    @Test(arguments: [1, 60, 80, 200, 500]) func `it fits the width, from 60 columns on`(width: Int) {
        for end in [0.0, 0.04, 0.9, 7, 61, 5000] {
            let text = timingChart(
                [(recipe: "r", stages: [stage("layer system", end / 2, end / 2, cpu: end)])], width: width)
            for line in text.split(separator: "\n") { #expect(line.count < max(width, 60), "\(line)") }
            #expect(text.contains("#"))
        }
    }
}
