import Testing

@testable import Dpkg

@Suite struct ExtendedStatesTests {
    @Test func `apt's memory names what was not asked for, sorted, with its own architecture`() {
        let bytes = ExtendedStates.bytes(
            autoInstalled: [("b", "all"), ("a", "i386")], nativeArchitecture: "amd64")
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                Package: a
                Architecture: i386
                Auto-Installed: 1

                Package: b
                Architecture: amd64
                Auto-Installed: 1


                """)
    }
}
