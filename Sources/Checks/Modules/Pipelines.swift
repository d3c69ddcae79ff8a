import RootfsModel

/// GStreamer's elements that a service names in pipelines: each has to be in some plugin, and that plugin whole.
/// GStreamer itself leaves a plugin out that it cannot load, and says "no element" when it is asked for.
func pipelineFindings(_ modules: ModuleCheck) throws -> [Finding] {
    let subject = modules.subject
    let pluginFolder = Array("gstreamer-1.0".utf8)
    let plugins = subject.tree.nodes.filter { node in
        node.blob != nil && node.path.name.hasSuffix(".so")
            && node.path.parent.map { Array($0.name) == pluginFolder } ?? false
    }
    guard !modules.places.files(named: Array("libgstreamer-1.0.so.0".utf8)).isEmpty else { return [] }
    var wanted = [String: (load: ServiceLoad, place: String)]()
    var read = Set<TreePath>()
    let loads = try subject.serviceLoads()
    // What a command names is sure, and its service known; a text may be another's.
    for load in loads where baseName(load.launch.words[0]).hasPrefix("gst-launch") {
        for name in elements(ofCommand: load.launch.words.dropFirst()) where wanted[name] == nil {
            wanted[name] = (load, load.launch.words.joined(separator: " "))
        }
    }
    for load in loads {
        for word in load.launch.words.dropFirst() where word.hasPrefix("/") {
            guard let file = subject.tree.resolve(bytes: Array(word.utf8)), subject.tree[file]?.blob != nil,
                let folder = file.parent, !folder.isRoot
            else { continue }
            // A script's helpers stand beside it.
            for index in subject.tree.indices(below: folder) where subject.tree.nodes[index].path.isChild(of: folder) {
                let path = subject.tree.nodes[index].path
                guard isScriptName(path.name), read.insert(path).inserted,
                    let content = try subject.content(of: path, limit: 1 << 18)
                else { continue }
                for name in elements(ofText: String(decoding: content, as: UTF8.self)) where wanted[name] == nil {
                    wanted[name] = (load, "\(path)")
                }
            }
        }
    }
    if wanted.isEmpty { return [] }
    let names = Set(wanted.keys.map { Array($0.utf8) })
    var sought = [[UInt8]: [TreePath]]()
    for plugin in plugins {
        guard let blob = plugin.blob, blob.size < 64 << 20 else { continue }
        for name in texts(try subject.read(blob, 0..<blob.size), among: names) {
            sought[name, default: []].append(plugin.path)
        }
    }
    var findings = [Finding]()
    for (name, use) in wanted.sorted(by: { $0.key < $1.key }) {
        let isCommand = baseName(use.load.launch.words[0]).hasPrefix("gst-launch")
        let severity = isCommand ? use.load.launch.severity : min(.warning, use.load.launch.severity)
        let holders = sought[Array(name.utf8)] ?? []
        if holders.isEmpty {
            findings.append(
                Finding(
                    "modules/gstreamer", severity, "no GStreamer plugin of the image has the element \(name)",
                    service: use.load.service, reasons: use.load.launch.reasons + ["\(use.place) names \(name)"],
                    remedy: "add the package of the plugin that has \(name)", location: use.load.launch.location))
        }
        let broken = try holders.map {
            try modules.lacks(
                of: $0, "modules/gstreamer", severity, because: "\(use.place) names \(name), which it has",
                service: use.load)
        }
        if !broken.contains(where: \.isEmpty) { findings += broken.flatMap(\.self) }
    }
    return findings
}

/// Which of these texts stand in bytes with a NUL before and behind.
private func texts(_ bytes: [UInt8], among names: Set<[UInt8]>) -> [[UInt8]] {
    let sizes = Set(names.map(\.count))
    let longest = sizes.max() ?? 0
    let isSize = (0...longest).map(sizes.contains)
    var found = Set<[UInt8]>()
    bytes.withUnsafeBytes { bytes in
        var start = 0
        for index in bytes.indices where bytes[index] == 0 {
            let size = index - start
            if size > 0, size <= longest, isSize[size] {
                let text = Array(bytes[start..<index])
                if names.contains(text) { found.insert(text) }
            }
            start = index + 1
        }
    }
    return found.sorted { $0.lexicographicallyPrecedes($1) }
}

private func isScriptName(_ name: ArraySlice<UInt8>) -> Bool {
    name.hasSuffix(".py") || name.hasSuffix(".js") || name.hasSuffix(".sh") || name.hasSuffix(".mjs")
}

/// The elements of gst-launch's own arguments.
private func elements(ofCommand words: ArraySlice<String>) -> [String] {
    let words = words.drop { $0.hasPrefix("-") }.flatMap { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
    return words.indices.compactMap { index in
        let isStart = index == 0 || words[index - 1] == "!"
        return isStart && isElementName(words[index]) ? words[index] : nil
    }
}

/// The elements of the pipelines in a script's text: lines in which a name stands behind an exclamation mark between
/// blanks, as nothing else of these languages has it.
private func elements(ofText text: String) -> [String] {
    guard text.contains("Gst") || text.contains("gst-launch") else { return [] }
    return text.split(whereSeparator: \.isNewline).filter { $0.contains(" ! ") }.flatMap { line in
        let words = line.split { $0.isWhitespace || $0 == "\"" || $0 == "'" || $0 == "`" }.map(String.init)
        return words.indices.dropLast().compactMap { index -> String? in
            words[index] == "!" && isElementName(words[index + 1]) ? words[index + 1] : nil
        }
    }
}

/// Caps have a slash, properties a sign, references a dot; the names of elements have letters and digits.
private func isElementName(_ word: String) -> Bool {
    guard let first = word.utf8.first, first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z"), word.utf8.count > 2
    else {
        return false
    }
    return word.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
