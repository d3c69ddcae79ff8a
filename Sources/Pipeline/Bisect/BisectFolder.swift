internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Where the images of a bisection are: the last good one, the first bad one, and the one in the making.
struct BisectFolder {
    let path: FilePath

    var good: FilePath { path.appending("good") }
    var bad: FilePath { path.appending("bad") }
    var step: FilePath { path.appending("step") }

    /// Throws unless it is new, empty, or of an earlier bisection of the recipe.
    func check(recipe: String) throws {
        guard exists(path) else { return }
        let hint = "name a new or an empty directory with -o"
        guard isDirectory(path) else { throw Failure("\(path) is a file", hint: hint) }
        let known = [good, bad, step].compactMap { $0.lastComponent?.string }
        let names = try directoryNames(at: path).map { String(decoding: $0, as: UTF8.self) }
        // What a build has in the making begins with a dot.
        if let foreign = names.first(where: { !known.contains($0) && !$0.hasPrefix(".step") }) {
            throw Failure("\(path) holds what no bisection wrote: \(foreign)", hint: hint)
        }
        for folder in [good, bad, step] { try OutputDirectory.check(folder, of: recipe) }
    }

    /// Takes away what an earlier one left.
    func begin() throws {
        for folder in [good, bad, step] { try removeTree(at: folder) }
        try makeDirectory(at: path)
    }

    /// Puts the image in the making in the place of the good or the bad one.
    func keepStep(isGood: Bool) throws {
        let place = isGood ? good : bad
        try removeTree(at: place)
        guard rename(step.string, place.string) == 0 else { throw systemFailure("put an image in place at", place) }
    }

    /// Leaves nothing of it.
    func clear() {
        for folder in [good, bad, step] { try? removeTree(at: folder) }
        rmdir(path.string)
    }
}
