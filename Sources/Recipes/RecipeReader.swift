internal import RootfsModel

/// Collects mistakes while a recipe is read; knows the text of every file for pointing into it.
struct RecipeReader {
    private(set) var texts: [RecipeText] = []
    private(set) var mistakes: [(place: Place, failure: Failure)] = []
    /// Mistakes of the command line, not of a text.
    private(set) var usage: [Failure] = []

    /// Whether something that was written could not be taken in: what is missing then is nobody's mistake.
    var hasGaps = false

    /// More than anybody reads; how many there were beyond it is said.
    static let mostShown = 100

    var hasMistakes: Bool { !mistakes.isEmpty || !usage.isEmpty }

    mutating func add(_ text: RecipeText) -> Int {
        texts.append(text)
        return texts.count - 1
    }

    mutating func report(_ message: String, at place: Place, notes: [String] = [], hint: String? = nil) {
        // The place is looked up when it is known which mistakes are shown.
        mistakes.append((place, Failure(message, notes: notes, hint: hint)))
    }

    /// A mistake that knows its place in one of the files.
    mutating func report(_ failure: Failure) {
        let file = failure.location.flatMap { location in texts.firstIndex { $0.path == location.file } } ?? 0
        let place = Place(file: file, line: failure.location?.line ?? 1, column: failure.location?.column ?? 1)
        mistakes.append((place, failure))
    }

    /// The name that was meant. A text of nothing but mistakes gets no suggestions at its end: each one costs a
    /// walk over all candidates.
    func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        mistakes.count > 10 * Self.mostShown ? nil : nearestName(to: name, among: candidates.prefix(1000))
    }

    mutating func report(usage failure: Failure) {
        usage.append(failure)
    }

    func location(_ place: Place) -> SourceLocation {
        texts[place.file].location(place)
    }

    /// Throws if there was a mistake: those of the command line first, then those of each file in its order.
    func check() throws(Failures) {
        if !hasMistakes { return }
        let sorted = mistakes.enumerated().sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }
        var all = usage
        for (_, mistake) in sorted.prefix(Self.mostShown) {
            var failure = mistake.failure
            if failure.location == nil { failure.location = location(mistake.place) }
            all.append(failure)
        }
        if sorted.count > Self.mostShown {
            all.append(Failure("\(sorted.count - Self.mostShown) more mistakes are not shown"))
        }
        throw Failures(all)
    }
}
