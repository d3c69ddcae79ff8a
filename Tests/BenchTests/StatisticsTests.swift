import Testing

@testable import rootfs_bench

@Suite struct StatisticsTests {
    @Test func aSampleHasTheMedianOfItsValuesInAnyOrder() {
        #expect(Sample([3, 1, 2]) == Sample([1, 2, 3]))
        #expect(Sample([3, 1, 2])?.median == 2)
        #expect(Sample([4, 1, 2, 3])?.median == 2.5)
        #expect(Sample([7])?.minimum == 7)
        #expect(Sample([3, 1, 2])?.maximum == 3)
        #expect(Sample([]) == nil)
    }

    @Test func theExponentIsThePowerOfTheSize() throws {
        let sizes = [10_000.0, 100_000, 1_000_000]
        let linear = try #require(exponent(of: sizes.map { ($0, $0 * 3) }))
        #expect(abs(linear - 1) < 1e-9)
        let quadratic = try #require(exponent(of: sizes.map { ($0, $0 * $0 / 7) }))
        #expect(abs(quadratic - 2) < 1e-9)
        #expect(exponent(of: [(10, 1)]) == nil)
        #expect(exponent(of: [(10, 1), (10, 2)]) == nil)
        #expect(exponent(of: [(10, 0), (100, 0)]) == nil)
    }

    @Test func ratiosAreTakenRoundByRound() throws {
        let line = try #require(
            Line("cold", .seconds, ours: [30, 40, 20], peer: ("peer", [60, 100, 80]), goal: .ratio(0.4)))
        #expect(line.ratio == Sample([0.5, 0.4, 0.25]))
        #expect(line.isMet == true)
        #expect(line.cells == ["cold", "30.0 s", "80.0 s (peer)", "0.40 (0.25–0.50)", "≤ 0.40 ×", "met"])
    }

    @Test func anAmountIsComparedWithoutAPeer() throws {
        let line = try #require(Line("memory", .mebibytes, ours: [401, 399, 420], goal: .amount(400)))
        #expect(line.isMet == false)
        #expect(line.cells == ["memory", "401 MiB", "", "", "≤ 400 MiB", "missed"])
        #expect(try #require(Line("x", .seconds, ours: [0.2])).cells == ["x", "0.20 s", "", "", "", ""])
        #expect(Line("nothing", .seconds, ours: []) == nil)
    }

    @Test(arguments: [(0.0, 2, "0.00"), (0.996, 2, "1.00"), (12.05, 1, "12.1"), (1.0949, 2, "1.09"), (-0.5, 1, "-0.5")])
    func numbersAreRounded(value: Double, decimals: Int, text: String) {
        #expect(fixed(value, decimals) == text)
    }

    @Test func theTableReplacesWhatStandsBetweenTheMarks() {
        let text = "a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n"
        #expect(replacingPart("bench", of: text, with: "new\n") == "a\n<!-- bench -->\nnew\n<!-- /bench -->\nb\n")
        #expect(replacingPart("bench", of: "no marks", with: "new\n") == nil)
        #expect(replacingPart("bench", of: "<!-- /bench --><!-- bench -->", with: "new\n") == nil)
    }

    @Test func aTableOfStepsTellsTheExponentOfProcessorTime() {
        let steps = [1.0, 10, 100].map {
            [Step(name: "scan", seconds: $0 * $0, processor: $0 / 10, peak: UInt64($0) << 20)]
        }
        #expect(
            scaleTable("paths", [10, 100, 1000], steps).last
                == padded("scan", 34) + padded("1.00 s 0.10 s 1 MiB", 30, toLeft: true)
                + padded("100.00 s 1.00 s 10 MiB", 30, toLeft: true)
                + padded("10000.00 s 10.00 s 100 MiB", 30, toLeft: true) + padded("1.00", 12, toLeft: true))
    }

    @Test func theLatePackageIsInALayerOfTheNodePackage() throws {
        let recipe = "recipe: 1\nlayers:\n  - name: a\n    packages: [x]\n\nnode:\n  package: nodejs\n"
        #expect(
            try Workbench.adding("tree", to: recipe)
                == "recipe: 1\nlayers:\n  - name: a\n    packages: [x]\n\n"
                + "  - {name: node, packages: [nodejs, tree]}\nnode:\n  package: nodejs\n")
    }
}
