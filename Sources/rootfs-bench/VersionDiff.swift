import FoundationEssentials
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// How long it takes to tell two versions of an image apart: our `diff` in its forms, against `diff -r` of the two images
/// mounted, and diffoscope of the same.
struct VersionDiff {
    let program: String
    /// The folders that two builds wrote, and their images' name.
    let old: FilePath
    let new: FilePath
    let image: String
    /// Where it may write, on the images' file system.
    let work: FilePath

    /// Before each run, so that nobody waits for another's writing.
    let prepare: () throws -> Void

    /// Runs all of it so many times, in turn; diffoscope, which takes minutes, once.
    func measure(rounds: Int, into results: inout Results) throws {
        let bare = work.appending("bare")
        try makeDirectory(at: bare)
        defer { try? removeTree(at: bare) }
        // Images by themselves: nothing beside them says what they hold.
        let sides = (bare.appending("old.ext4"), bare.appending("new.ext4"))
        for (folder, side) in [(old, sides.0), (new, sides.1)] {
            guard link(folder.appending(image).string, side.string) == 0 else { throw systemFailure("link", side) }
        }
        // Listings without the image that they are of: nothing else is read.
        let listings = work.appending("listings")
        try makeDirectory(at: listings)
        defer { try? removeTree(at: listings) }
        let (oldListing, newListing) = (listings.appending("old.listing"), listings.appending("new.listing"))
        try writeFile(try readFile(at: listing(of: old)), to: oldListing)
        try writeFile(try readFile(at: listing(of: new)), to: newListing)
        // The same image as two builds write it: two files, equal in every byte.
        let twin = work.appending("twin")
        try removeTree(at: twin)
        _ = try run(["cp", "-a", "--reflink=never", old.string, twin.string])
        defer { try? removeTree(at: twin) }
        let mounts = try Mounts(sides.0, sides.1, at: work)
        let (a, b) = (mounts.old.string, mounts.new.string)
        for round in 0..<rounds {
            note("round \(round + 1) of \(rounds)")
            let images = try timed(Results.diffImages, diff(sides.0, sides.1), &results, watchingMemory: true)
            results.add(Results.diffMemory, Double(images.ownPeak) / 1_048_576)
            let read = try timed(Results.diffListings, diff(oldListing, newListing), &results)
            _ = try timed(Results.diffBuilds, diff(old, new), &results)
            _ = try timed(Results.diffIdentical, diff(old, twin), &results)
            let peer = try timed(
                Results.diffMounts, ["sh", "-c", "diff -rq --no-dereference '\(a)' '\(b)'; [ $? -le 1 ]"], &results)
            let ours = try paths(images.output)
            try expectSame(ours, try paths(read.output), "a diff of the listings")
            try expectSame(ours, mounts.paths(peer.output), "diff -r of the mounted images")
        }
        if rounds == 0 { return }
        let words = "diffoscope --exclude-directory-metadata=yes --text /dev/null '\(a)' '\(b)'; [ $? -le 1 ]"
        _ = try timed(Results.diffoscope, ["sh", "-c", words], &results)
    }

    private func listing(of folder: FilePath) -> FilePath {
        var path = folder.appending(image)
        path.extension = "listing"
        return path
    }

    private func diff(_ old: FilePath, _ new: FilePath) -> [String] {
        [program, "diff", "--quiet", "--json", old.string, new.string]
    }

    private func timed(
        _ name: String, _ words: [String], _ results: inout Results, watchingMemory: Bool = false
    ) throws -> Run {
        try prepare()
        let ended = try run(words, watchingMemory: watchingMemory)
        note("  \(name): \(fixed(ended.seconds, 2)) s")
        results.add(name, ended.seconds)
        return ended
    }

    /// The paths whose content or kind is other than before, or that one side alone has with all above them.
    private func paths(_ json: [UInt8]) throws -> Set<String> {
        struct Report: Decodable {
            struct Path: Decodable {
                struct Field: Decodable { var name: String }
                var path: String
                var change: String
                var fields: [Field]
            }
            var paths: [Path]
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(json)).paths
        let alone = Set(report.filter { $0.change != "changed" }.map(\.path))
        return Set(
            report.filter { path in
                guard path.change == "changed" else {
                    let parent = FilePath(path.path).removingLastComponent().string
                    return !alone.contains(parent)
                }
                return path.fields.contains { ["content", "target", "type"].contains($0.name) }
            }.map(\.path))
    }

    private func expectSame(_ ours: Set<String>, _ theirs: Set<String>, _ name: String) throws {
        let odd = ours.symmetricDifference(theirs).sorted()
        guard odd.isEmpty else {
            throw Failure("our diff of the images and \(name) name other paths", notes: Array(odd.prefix(10)))
        }
    }
}

/// Two images mounted for reading, for as long as this lives.
private final class Mounts {
    let old: FilePath
    let new: FilePath

    init(_ old: FilePath, _ new: FilePath, at work: FilePath) throws {
        (self.old, self.new) = (work.appending("mount-old"), work.appending("mount-new"))
        for (image, place) in [(old, self.old), (new, self.new)] {
            try makeDirectory(at: place)
            _ = try run(["mount", "-o", "loop,ro", image.string, place.string])
        }
    }

    deinit { for place in [old, new] { _ = try? run(["umount", place.string]) } }

    /// The paths that `diff -rq` named.
    func paths(_ output: [UInt8]) -> Set<String> {
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        return Set(
            lines.compactMap { line in
                if line.hasPrefix("Only in ") {
                    let parts = line.dropFirst("Only in ".count).split(separator: ": ", maxSplits: 1)
                    return parts.count == 2 ? below("\(parts[0])/\(parts[1])") : line
                }
                let words = line.split(separator: " ").map(String.init)
                return words.first { $0.hasPrefix(old.string + "/") }.map(below) ?? line
            })
    }

    private func below(_ path: String) -> String {
        let top = path.hasPrefix(old.string + "/") ? old.string : new.string
        return String(path.dropFirst(top.count))
    }
}
