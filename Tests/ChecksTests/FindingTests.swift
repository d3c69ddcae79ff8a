import Checks
import Testing

@Suite struct FindingTests {
    @Test func `an error is worse than a warning, and a warning than a note`() {
        #expect([Severity.warning, .error, .note].sorted() == [.note, .warning, .error])
        #expect(!(Severity.error < .error))
    }
}
