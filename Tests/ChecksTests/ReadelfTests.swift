import Checks
import Foundation
import RootfsModel
import Testing

/// Reads ELF files as binutils' readelf does.
@Suite(.enabled(if: hostHas("readelf"), "needs readelf (binutils)")) struct ReadelfTests {
    /// One file as lines: of readelf's output what an `ElfFile` has.
    static func facts(ofReadelf text: String) -> [String] {
        var facts = [String]()
        var needs = ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            func bracketed() -> String {
                guard let start = line.firstIndex(of: "["), let end = line.lastIndex(of: "]") else { return "" }
                return String(line[line.index(after: start)..<end])
            }
            if line.hasPrefix("  Class:") { facts.append("wide \(words[1] == "ELF64")") }
            if line.hasPrefix("  Data:") { facts.append("big \(line.contains("big endian"))") }
            if line.hasPrefix("  Type:") { facts.append("type \(words[1])") }
            if line.contains("Requesting program interpreter: ") {
                facts.append("interpreter \(bracketed().split(separator: " ").last ?? "")")
            }
            if ["LOAD", "NOTE", "DYNAMIC"].contains(words.first), words.count > 6 {
                let numbers = [words[1], words[2], words[4], words[5], words[words.count - 1]]
                facts.append(
                    "segment " + numbers.map { String(UInt64($0.dropFirst(2), radix: 16) ?? 0) }.joined(separator: " "))
            }
            for tag in ["NEEDED", "SONAME", "RPATH", "RUNPATH"] where words.count > 1 && words[1] == "(\(tag))" {
                facts.append("\(tag) \(bracketed())")
            }
            if let place = words.firstIndex(of: "File:"), words.contains("Cnt:") { needs = words[place + 1] }
            if words.count > 6, words[1] == "Name:", words[3] == "Flags:" {
                facts.append("needs \(needs) \(words[2]) \(words[4] == "WEAK")")
            }
            if words.count > 4, words[1] == "Rev:", let place = words.firstIndex(of: "Name:") {
                facts.append("defines \(words[place + 1])")
            }
            // Without segments nothing of its notes is for a loader.
            if facts.contains("type REL") { continue }
            if let start = line.range(of: "x86 ISA needed: ") {
                let levels = line[start.upperBound...].prefix { $0 != "\n" }.split(separator: ",").map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                let names = ["x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4"]
                facts.append("isa \(levels.compactMap { names.firstIndex(of: $0) }.reduce(0) { $0 | 1 << $1 })")
            }
            if line.contains("OS: Linux, ABI: ") { facts.append("kernel \(words[words.count - 1])") }
        }
        return facts.sorted()
    }

    static func facts(of file: ElfFile) -> [String] {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        var facts = ["wide \(file.isWide)", "big \(file.isBigEndian)"]
        switch file.kind {
        case .relocatable: facts.append("type REL")
        case .executable: facts.append("type EXEC")
        case .shared: facts.append("type DYN")
        case .core: facts.append("type CORE")
        case .other: facts.append("type OTHER")
        }
        facts += file.interpreter.map { ["interpreter \(text($0))"] } ?? []
        facts += file.segments.filter { [1, 2, 4].contains($0.type) }.map {
            "segment \($0.offset) \($0.address) \($0.fileSize) \($0.memorySize) \($0.alignment)"
        }
        facts += file.needed.map { "NEEDED \(text($0))" }
        facts += file.soname.map { ["SONAME \(text($0))"] } ?? []
        facts += file.rpath.map { ["RPATH \(text($0))"] } ?? []
        facts += file.runpath.map { ["RUNPATH \(text($0))"] } ?? []
        facts += file.neededVersions.map { "needs \(text($0.file)) \($0.name) \($0.isWeak)" }
        facts += (file.definedVersions ?? []).map { "defines \($0)" }
        if file.neededISA != 0 { facts.append("isa \(file.neededISA)") }
        facts += file.oldestKernel.map { ["kernel \($0.map(String.init).joined(separator: "."))"] } ?? []
        return facts.sorted()
    }

    @Test func `every ELF file of the host is read as readelf reads it`() throws {
        let files = try hostElfFiles()
        #expect(files.count > 50)
        for start in stride(from: 0, to: files.count, by: 100) {
            let group = Array(files[start..<min(files.count, start + 100)])
            let output = try runOnHost(
                ["LC_ALL=C", "readelf", "-W", "-h", "-l", "-d", "-V", "-n"] + group + ["/dev/null"])
            let texts = output.components(separatedBy: "\nFile: ").dropFirst(output.hasPrefix("\nFile: ") ? 1 : 0)
            for (path, text) in zip(group, texts) {
                #expect(text.hasPrefix(path + "\n") || text.hasPrefix("File: \(path)\n"))
                guard let file = try ElfFile(reading: blob(ofHostFile: path), with: readHere) else {
                    Issue.record("\(path) is not read")
                    continue
                }
                #expect(file.defect == nil, "\(path)")
                let (mine, theirs) = (Self.facts(of: file), Self.facts(ofReadelf: text))
                #expect(mine == theirs, "\(path): \(mine.difference(from: theirs))")
            }
        }
    }

    @Test func `the symbols that a file defines are those of readelf`() throws {
        var compared = 0
        for path in try hostElfFiles() where compared < 100 {
            guard let file = try ElfFile(reading: blob(ofHostFile: path), with: readHere), file.isDynamic else {
                continue
            }
            let symbols = try file.symbols(of: blob(ofHostFile: path), with: readHere)
            let lines = try runOnHost(["LC_ALL=C", "readelf", "-W", "--dyn-syms", path]).split(separator: "\n")
            let names = lines.compactMap { line -> String? in
                let words = line.split(separator: " ")
                guard words.count > 7, words[0].hasSuffix(":"), Int(words[0].dropLast()) != nil, words[6] != "UND"
                else { return nil }
                return String(words[7].prefix { $0 != "@" })
            }
            #expect(symbols.filter(\.isDefined).map(\.name).sorted() == names.sorted(), "\(path)")
            compared += 1
        }
        #expect(compared > 20)
    }
}
