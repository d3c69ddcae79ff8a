/// A path below a directory, as text: absolute paths stay, `.` as the directory adds nothing.
func joinPath(_ directory: String, _ path: String) -> String {
    if path.hasPrefix("/") { return path }
    return directory == "." ? path : directory == "/" ? "/" + path : directory + "/" + path
}

/// The directory a path is in: `.` for a bare name.
func directoryOf(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The same path without doubled slashes, `.` components and `..` components that a name precedes.
func simplifiedPath(_ path: String) -> String {
    var components = [Substring]()
    for component in path.split(separator: "/") where component != "." {
        if component == "..", let last = components.last, last != ".." {
            components.removeLast()
        } else if component != ".." || !path.hasPrefix("/") {
            components.append(component)
        }
    }
    let joined = components.joined(separator: "/")
    return path.hasPrefix("/") ? "/" + joined : joined.isEmpty ? "." : joined
}

extension Recipe {
    /// The folder that a recipe's paths are relative to, from the recipe's path alone: the one that holds the nearest
    /// directory `recipes` above the recipe, else the recipe's own. Give an absolute path where the working
    /// directory may be below that folder.
    public static func rootFolder(ofRecipeAt path: String) -> String {
        let own = directoryOf(simplifiedPath(path))
        var directory = own
        while directory != "." && directory != "/" {
            let parent = directoryOf(directory)
            let name = directory.split(separator: "/").last
            if name == "recipes" { return parent }
            directory = parent
        }
        return own
    }
}
