import Debian
import RootfsModel
import Solving
import Testing

/// The messages whole: what must be there, what cannot be, and the reasons of both.
@Suite struct ExplanationTests {
    @Test("a conflict three levels down is told from both ends")
    func wholeChain() throws {
        let archive = try universe(
            """
            Package: python3-rviz
            Depends: python3-python-qt-binding

            Package: python3-python-qt-binding
            Depends: python3-pyqt5

            Package: python3-pyqt5
            Depends: libqt5gui5 (>= 5.15)

            Package: libqt5gui5
            Version: 5.15.8
            Conflicts: libqt5gui5-gles

            Package: libqt5gui5-gles
            """)
        #expect(
            try archive.message("libqt5gui5-gles", "python3-rviz") == """
                error: cannot install python3-python-qt-binding
                  python3-rviz was requested
                  python3-rviz depends on python3-python-qt-binding
                  but:
                    python3-python-qt-binding needs python3-pyqt5, which cannot be satisfied:
                      python3-pyqt5 needs libqt5gui5 (>= 5.15), which cannot be satisfied:
                        libqt5gui5 conflicts with libqt5gui5-gles
                          libqt5gui5-gles was requested
                """)
    }

    @Test("a dependency that the archive does not have")
    func absent() throws {
        let archive = try universe(
            """
            Package: a
            Depends: b (>= 2) | c | d

            Package: b
            Version: 1

            Package: d
            """, exclude: ["d"])
        #expect(
            try archive.message("a") == """
                error: cannot install a
                  a was requested
                  but:
                    a needs b (>= 2) | c | d, which cannot be satisfied:
                      b is 1 in pocket0
                      c is not in the archive
                      d is excluded by the recipe
                """)
    }

    @Test("the last alternative that is left tells what became of the others")
    func lastAlternative() throws {
        let archive = try universe(
            """
            Package: a
            Depends: b | c

            Package: b
            Depends: nowhere

            Package: c
            Conflicts: d

            Package: d

            Package: base
            Essential: yes
            Depends: d
            """)
        let base = LayerRequests(layer: LayerRequests.base, requests: archive.baseRequests())
        var message = ""
        do {
            _ = try archive.solve([base, LayerRequests(layer: "x", requests: [Request("a")])])
        } catch { message = "\(error)" }
        #expect(
            message == """
                error: cannot install d
                  base is in the base set
                  base depends on d
                  but:
                    c conflicts with d
                      a was requested
                      a depends on b | c, and only c is left:
                        b needs nowhere, which cannot be satisfied:
                          nowhere is not in the archive
                """)
    }

    @Test("where only the choices made lead nowhere, the message says so")
    func greedy() throws {
        // b is taken for the first group; then c is the only one for the second, and b excludes it.
        let archive = try universe(
            """
            Package: a
            Depends: b | d, c | e

            Package: b
            Breaks: c, e

            Package: c

            Package: d

            Package: e
            """)
        #expect(
            try archive.message("a") == """
                error: cannot install b
                  a was requested
                  a depends on b | d, of which b was chosen
                  but:
                    b conflicts with c
                      a was requested
                      a depends on c | e, of which c was chosen
                hint: a choice between alternatives is not gone back on: request by name the alternative that fits
                """)
    }
}
