import RootfsModel

/// What a package.json says, as far as Node reads it.
struct NodePackage {
    var folder: TreePath
    var content: JSONValue

    var name: String? { content["name"]?.text }
    var main: String? { content["main"]?.text }
    var exports: JSONValue? {
        let value = content["exports"]
        return value == .null ? nil : value
    }
    var imports: JSONValue? { content["imports"] }
    var isModule: Bool { content["type"]?.text == "module" }
    /// The versions of Node that it says it runs on.
    var engines: String? { content["engines"]?["node"]?.text }
}

/// The package.json files of a tree, each read once.
final class NodePackages {
    private let subject: CheckSubject
    private var known: [TreePath: NodePackage?] = [:]
    /// Those that are no JSON, in the order they were met.
    private(set) var broken: [TreePath] = []

    init(_ subject: CheckSubject) { self.subject = subject }

    /// The one in a folder (links resolved before); nil where there is none.
    func package(in folder: TreePath) throws -> NodePackage? {
        if let package = known[folder] { return package }
        let path = folder.appending("package.json".utf8)
        var package: NodePackage?
        if let bytes = try subject.content(of: path) {
            if let content = JSONValue(parsing: bytes) {
                package = NodePackage(folder: folder, content: content)
            } else {
                broken.append(path)
            }
        }
        known[folder] = .some(package)
        return package
    }

    /// The nearest one above a file, up to the folder of its own package.
    func scope(of file: TreePath) throws -> NodePackage? {
        var folder = file.parent
        while let here = folder {
            if here.name.elementsEqual("node_modules".utf8) { return nil }
            if let package = try package(in: here) { return package }
            folder = here.parent
        }
        return nil
    }
}
