internal import RootfsModel

extension Unit {
    /// A text with its specifiers filled in (systemd.unit(5), Specifiers): those whose value an image decides. Others,
    /// the boot's and the host's, stay as they stand.
    func expand(_ text: String) -> String {
        guard text.contains("%") else { return text }
        var result = ""
        var rest = Substring(text)
        while let percent = rest.firstIndex(of: "%") {
            result += rest[..<percent]
            rest = rest[rest.index(after: percent)...]
            guard let letter = rest.popFirst() else { return result + "%" }
            result += value(of: letter) ?? "%\(letter)"
        }
        return result + rest
    }

    private func value(of letter: Character) -> String? {
        let prefix = name.prefix
        let instance = name.instance ?? ""
        switch letter {
        case "%": return "%"
        case "n": return name.text
        case "N": return name.stem
        case "p": return prefix
        case "P": return unescapedUnitName(prefix)
        case "i": return instance
        case "I": return unescapedUnitName(instance)
        case "j", "J":
            let last = String(prefix.split(separator: "-", omittingEmptySubsequences: false).last ?? "")
            return letter == "j" ? last : unescapedUnitName(last)
        case "f": return "/" + unescapedUnitName(name.instance ?? prefix)
        case "y": return path.description
        case "Y": return (path.parent ?? .root).description
        case "t": return "/run"
        case "S": return "/var/lib"
        case "C": return "/var/cache"
        case "L": return "/var/log"
        case "E": return "/etc"
        case "T": return "/tmp"
        case "V": return "/var/tmp"
        // These are the manager's, not the service's.
        case "u", "g": return "root"
        case "U", "G": return "0"
        case "h": return "/root"
        case "s": return "/bin/sh"
        default: return nil
        }
    }
}

/// A name with its escapes undone: `-` is a slash, `\x2d` the byte (systemd-escape(1)).
func unescapedUnitName(_ name: String) -> String {
    var bytes = [UInt8]()
    var rest = Array(name.utf8)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "-") {
            bytes.append(UInt8(ascii: "/"))
        } else if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), rest.count >= 3,
            let value = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
