import RootfsModel

/// The converters that gconv-modules names: iconv(3) opens them for every character set but Unicode's own and ASCII
/// (glibc manual, 6.5.4).
func converterFindings(_ modules: ModuleCheck) throws -> [Finding] {
    let tree = modules.subject.tree
    var findings = [Finding]()
    let name = Array("gconv-modules".utf8)
    for node in tree.nodes where node.blob != nil && node.path.name.elementsEqual(name) {
        guard let folder = node.path.parent else { continue }
        var lists = [node.path]
        for index in tree.indices(below: folder.appending(Array("gconv-modules.d".utf8)))
        where tree.nodes[index].path.name.hasSuffix(".conf") {
            lists.append(tree.nodes[index].path)
        }
        var known = Set<[UInt8]>()
        var missing = [[UInt8]]()
        for list in lists {
            for line in try modules.subject.content(of: list, limit: 1 << 20)?.split(separator: 0x0A) ?? [] {
                let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == 0x20 || $0 == 0x09 }
                guard words.count >= 4, words[0].elementsEqual("module".utf8) else { continue }
                let file = Array(words[3]) + (words[3].hasSuffix(".so") ? [] : Array(".so".utf8))
                guard known.insert(file).inserted, tree.resolve(bytes: file, from: folder) == nil else { continue }
                missing.append(file)
            }
        }
        guard let example = missing.min(by: { $0.lexicographicallyPrecedes($1) }) else { continue }
        findings.append(
            Finding(
                "modules/gconv", .warning,
                "\(missing.count) of \(known.count) converters that \(node.path) names are not in the image",
                path: node.path,
                reasons: [
                    "\(folder)/\(String(decoding: example, as: UTF8.self)) for one: programs that convert with iconv(3) fail"
                ],
                remedy: "keep the converters of the C library, or take the list away with them",
                missing: TreePath(normalizing: folder.bytes + [UInt8(ascii: "/")] + example)))
    }
    return findings
}
