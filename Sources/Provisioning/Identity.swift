internal import Recipes
internal import RootfsModel

/// Who the machine is: name, zone, language; and what must not be the same in two machines, or come from the
/// host that built the image.
func change(
    identifying recipe: Recipe, in tree: FileTree, moment: Timestamp,
    read: (Blob) throws -> [UInt8]
) throws -> TreeChange {
    var mistakes = [Failure]()
    var change = TreeChange()
    func attempt(_ part: () throws -> [FileNode]) rethrows {
        do {
            change.puts += try part()
        } catch let failure as Failure {
            mistakes.append(failure)
        }
    }
    try attempt { try hostNodes(recipe.hostname, moment: moment) }
    try attempt { try zoneNodes(recipe.timezone, in: tree, moment: moment) }
    try attempt { try localeNodes(recipe.locale, in: tree, moment: moment, read: read) }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    // Without a zone file there is no link: the C library takes UTC.
    if !change.puts.contains(where: { $0.path == "/etc/localtime" }) { change.removals.append("/etc/localtime") }

    // Empty and there: systemd makes one up at boot, and does not take it for a first boot (machine-id(5)). What the
    // packages left was emptied before, unless it is to be kept.
    if tree["/etc/machine-id"] == nil {
        change.puts.append(.text("/etc/machine-id", "", mode: 0o444, moment: moment))
    }
    // A link is somebody's who keeps the file at run time.
    if tree["/etc/resolv.conf"]?.linkTarget == nil {
        change.puts.append(
            .text(
                "/etc/resolv.conf", "# No name server yet: whatever sets up the network writes one.\n", moment: moment))
    }
    change.puts.sort { $0.path < $1.path }
    return change
}

private func hostNodes(_ hostname: Located<String>, moment: Timestamp) throws(Failure) -> [FileNode] {
    let name = hostname.value
    try Recipe.checkHostname(hostname)
    let labels = name.split(separator: ".")
    let names = labels.count > 1 ? "\(name) \(labels[0])" : name
    return [
        .text("/etc/hostname", name + "\n", moment: moment),
        .text(
            "/etc/hosts",
            """
            127.0.0.1\tlocalhost
            127.0.1.1\t\(names)
            ::1\t\tlocalhost ip6-localhost ip6-loopback
            ff02::1\t\tip6-allnodes
            ff02::2\t\tip6-allrouters

            """, moment: moment),
    ]
}

private func zoneNodes(_ timezone: Located<String>, in tree: FileTree, moment: Timestamp) throws(Failure) -> [FileNode]
{
    let zone = timezone.value
    let zones: TreePath = "/usr/share/zoneinfo"
    let isUTC = ["UTC", "Etc/UTC", "Universal", "Zulu", "Etc/Universal", "Etc/Zulu"].contains(zone)
    guard !zone.isEmpty, !zone.hasPrefix("/"), !zone.utf8.contains(where: { $0 <= 32 || $0 >= 127 }),
        let relative = TreePath(normalizing: zone), relative.bytes.elementsEqual(zone.utf8)
    else {
        throw Failure(
            "\(quoted(zone)) cannot be a time zone", at: timezone.location,
            hint: "zones are named as Europe/Berlin, or UTC")
    }
    let name = FileNode.text("/etc/timezone", zone + "\n", moment: moment)
    if tree.resolvedNode(zones.appending(relative))?.blob != nil {
        return [.link("/etc/localtime", to: "../usr/share/zoneinfo/" + zone, moment: moment), name]
    }
    if isUTC { return [name] }
    guard tree.resolvedNode(zones)?.isDirectory == true else {
        throw Failure(
            "the time zone \(zone) is not in the image, which has no zones at all", at: timezone.location,
            hint: "add the package tzdata to a layer, or say UTC")
    }
    let known = tree.nodes.lazy.filter { $0.path.isWithin(zones) && !$0.isDirectory }
        .compactMap { $0.path.relative(to: zones).map { String(decoding: $0.bytes, as: UTF8.self) } }
    throw Failure(
        "the time zone \(zone) is not in the image", at: timezone.location,
        hint: nearestName(to: zone, among: known).map { "did you mean \($0)?" }
            ?? "the image's zones are below /usr/share/zoneinfo; old names are in the package tzdata-legacy")
}

private func localeNodes(
    _ locale: Located<String>, in tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]
) throws -> [FileNode] {
    let name = locale.value
    let isGood = name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "@"):
            true
        default: false
        }
    }
    guard isGood, !name.isEmpty else {
        throw Failure(
            "\(quoted(name)) cannot be a locale", at: locale.location, hint: "locales are named as de_DE.UTF-8")
    }
    // These are in the C library itself.
    if !["C", "POSIX", "C.UTF-8", "C.utf8"].contains(name) {
        let stored = storedLocaleName(name)
        var isThere = false
        if let path = TreePath(normalizing: "/usr/lib/locale/" + stored), tree.resolvedNode(path)?.isDirectory == true {
            isThere = true
        } else if let archive = tree.resolvedNode("/usr/lib/locale/locale-archive")?.blob {
            isThere = try contains(read(archive), Array(stored.utf8) + [0])
        }
        if !isThere {
            throw Failure(
                "the locale \(name) is not in the image", at: locale.location,
                hint: "add the package locales-all to a layer, or say C.UTF-8")
        }
    }
    return [.text("/etc/default/locale", "LANG=\(name)\n", moment: moment)]
}

/// The name under which glibc stores a locale: the code set in lower case, letters and digits only.
private func storedLocaleName(_ name: String) -> String {
    guard let dot = name.firstIndex(of: ".") else { return name }
    let end = name[dot...].firstIndex(of: "@") ?? name.endIndex
    let codeset = name[name.index(after: dot)..<end].lowercased().filter { $0.isLetter || $0.isNumber }
    return name[...dot] + codeset + name[end...]
}

/// Whether the bytes hold this name with its NUL, and with one before it: `DE.utf8` is not in `de_DE.utf8`.
private func contains(_ bytes: [UInt8], _ needle: [UInt8]) -> Bool {
    guard bytes.count >= needle.count else { return false }
    return bytes.withUnsafeBufferPointer { haystack in
        var start = 0
        while start + needle.count <= haystack.count {
            if haystack[start] == needle[0], start == 0 || haystack[start - 1] == 0,
                haystack[start..<start + needle.count].elementsEqual(needle)
            {
                return true
            }
            start += 1
        }
        return false
    }
}
