import Testing

@testable import Pipeline

@Suite struct ReproductionTests {
    @Test func `what a reproduction needs is twelve times the packages and some more, whatever their sizes`() {
        #expect(memoryToBuild(packages: []) == 1 << 28)
        #expect(memoryToBuild(packages: [1_000, 24]) == 12 * 1_024 + 1 << 28)
        #expect(memoryToBuild(packages: [UInt64.max, 1]) == .max)
        #expect(memoryToBuild(packages: [UInt64](repeating: 1 << 62, count: 12)) == .max)
    }
}
