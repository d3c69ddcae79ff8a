internal import Ext4
internal import Glibc
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// The files that two trees both have and that have other contents. Digests that both have decide; contents of the same
/// size are compared as bytes, block by block, several at once, and no digest is taken but where one side has nothing
/// else.
struct ContentComparison {
    private(set) var other = Set<TreePath>()
    /// What could not be read, by side: 0 is the old one.
    private(set) var damaged: [(side: Int, path: TreePath, problem: String)] = []

    /// A part of a pair of files.
    private struct Unit {
        var pair: Int
        var range: Range<UInt64>
    }

    private struct Outcome {
        var isOther: [Bool]
        var problems: [Int: (side: Int, problem: String)] = [:]
    }

    private static let unitSize: UInt64 = 16 << 20
    private static let pieceSize = 1 << 19

    /// - Parameter isParanoid: whether contents are read although both digests are known.
    init(_ old: FileTree, _ new: FileTree, jobs: Int, isParanoid: Bool) throws {
        var pairs = [(TreePath, Blob, Blob)]()
        var right = new.nodes[...]
        for node in old.nodes {
            while let next = right.first, next.path < node.path { right.removeFirst() }
            guard let next = right.first, next.path == node.path, let before = node.blob, let after = next.blob else {
                continue
            }
            let hasContents = before.isReadable && after.isReadable
            if before.size != after.size {
                other.insert(node.path)
            } else if let left = before.digest, let right = after.digest, !(isParanoid && hasContents) {
                if left != right { other.insert(node.path) }
            } else if before.source != after.source || !hasContents {
                pairs.append((node.path, before, after))
            }
        }
        if pairs.isEmpty { return }
        try compare(pairs, jobs: jobs)
    }

    /// Where either of two contents has data, sorted: a file may claim more zeros than anybody can read.
    private static func dataRanges(_ left: Blob, _ right: Blob) -> [Range<UInt64>] {
        func ranges(_ blob: Blob) -> [Range<UInt64>] {
            guard case .extents(_, let extents) = blob.source else { return [0..<blob.size] }
            return extents.map { min($0.offset, blob.size)..<min($0.offset + $0.length, blob.size) }
        }
        var merged = [Range<UInt64>]()
        for range in (ranges(left) + ranges(right)).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    private mutating func compare(_ pairs: [(TreePath, Blob, Blob)], jobs: Int) throws {
        var units = [Unit]()
        for (index, (_, before, after)) in pairs.enumerated() {
            guard before.isReadable, after.isReadable else {
                units.append(Unit(pair: index, range: 0..<before.size))
                continue
            }
            for range in Self.dataRanges(before, after) {
                for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(Self.unitSize)) {
                    units.append(Unit(pair: index, range: start..<min(start + Self.unitSize, range.upperBound)))
                }
            }
        }
        // Parts of large files first: they decide when the last thread ends.
        units.sort { ($1.range.count, $0.pair, $0.range.lowerBound) < ($0.range.count, $1.pair, $1.range.lowerBound) }
        let all = units
        let next = Atomic(0)
        let outcome = Mutex(Outcome(isOther: [Bool](repeating: false, count: pairs.count)))
        runConcurrently(min(jobs, 8)) {
            let files = OpenImages()
            var buffers = [[UInt8]](repeating: [UInt8](repeating: 0, count: Self.pieceSize), count: 2)
            while true {
                // Only one of the threads is the task's own: it ends the others by leaving them nothing.
                if Task.isCancelled { next.store(all.count, ordering: .relaxed) }
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < all.count else { return }
                let unit = all[number]
                if outcome.withLock({ $0.isOther[unit.pair] }) { continue }
                let (_, before, after) = pairs[unit.pair]
                do {
                    let isSame =
                        before.isReadable && after.isReadable
                        ? try files.areSame(before, after, unit.range, &buffers)
                        : try (before.digest ?? before.takeDigest()) == (after.digest ?? after.takeDigest())
                    if !isSame { outcome.withLock { $0.isOther[unit.pair] = true } }
                } catch {
                    let side = (error as? SideFailure)?.side ?? (before.isReadable ? 0 : 1)
                    let problem = (error as? SideFailure)?.problem ?? "\(error)"
                    outcome.withLock { $0.problems[unit.pair] = (side, problem) }
                }
            }
        }
        try Task.checkCancellation()
        let found = outcome.withLock { $0 }
        for (index, pair) in pairs.enumerated() {
            if let problem = found.problems[index] {
                damaged.append((problem.side, pair.0, problem.problem))
            } else if found.isOther[index] {
                other.insert(pair.0)
            }
        }
    }
}

/// A content that one side cannot give.
private struct SideFailure: Error {
    var side: Int
    var problem: String
}

extension Blob {
    fileprivate var isReadable: Bool { source != .absent }
}

/// The images that one thread reads, each opened once.
private final class OpenImages {
    private var descriptors: [String: Int32] = [:]

    deinit {
        for descriptor in descriptors.values where descriptor >= 0 { close(descriptor) }
    }

    func areSame(_ left: Blob, _ right: Blob, _ range: Range<UInt64>, _ buffers: inout [[UInt8]]) throws -> Bool {
        let first = try Source(left, 0, self)
        let second = try Source(right, 1, self)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(UInt64(buffers[0].count), range.upperBound - offset))
            try first.read(into: &buffers[0], count, at: offset)
            try second.read(into: &buffers[1], count, at: offset)
            let isSame = buffers[0].withUnsafeBytes { left in
                buffers[1].withUnsafeBytes { right in
                    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                    return memcmp(first, second, count) == 0
                }
            }
            if !isSame { return false }
            offset += UInt64(count)
        }
        return true
    }

    func descriptor(of image: String, side: Int) throws(SideFailure) -> Int32 {
        if let known = descriptors[image] { return known }
        let descriptor = open(image, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw SideFailure(side: side, problem: errorText(errno)) }
        descriptors[image] = descriptor
        return descriptor
    }

    /// One content.
    private struct Source: ~Copyable {
        private let blob: Blob
        private let side: Int
        private let descriptor: Int32
        private let ownsDescriptor: Bool

        init(_ blob: Blob, _ side: Int, _ images: OpenImages) throws(SideFailure) {
            let descriptor: Int32
            var isOwn = false
            switch blob.source {
            case .bytes, .absent: descriptor = -1
            case .extents(let file, _): descriptor = try images.descriptor(of: file, side: side)
            case .file(let directory, let path):
                descriptor = hostPath(directory, path).withPlatformString {
                    open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
                }
                isOwn = true
                if descriptor < 0 { throw SideFailure(side: side, problem: errorText(errno)) }
            }
            self.blob = blob
            self.side = side
            self.descriptor = descriptor
            ownsDescriptor = isOwn
        }

        deinit { if ownsDescriptor, descriptor >= 0 { close(descriptor) } }

        func read(into buffer: inout [UInt8], _ count: Int, at offset: UInt64) throws(SideFailure) {
            var problem: String?
            buffer.withUnsafeMutableBytes { buffer in
                problem = fill(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
            }
            if let problem { throw SideFailure(side: side, problem: problem) }
        }

        /// What is wrong; nil where all bytes are there.
        private func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> String? {
            let end = offset + UInt64(buffer.count)
            switch blob.source {
            case .bytes(let bytes):
                bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[Int(offset)..<Int(end)])) }
                return nil
            case .absent: return "its content is not at hand"
            case .file: return readAll(buffer, at: offset)
            case .extents(_, let extents):
                var low = 0
                var high = extents.count
                while low < high {
                    let middle = (low + high) / 2
                    if extents[middle].offset + extents[middle].length <= offset {
                        low = middle + 1
                    } else {
                        high = middle
                    }
                }
                // What no extent covers is zero.
                var covered = offset
                func clear(to place: UInt64) {
                    if place > covered {
                        UnsafeMutableRawBufferPointer(rebasing: buffer[Int(covered - offset)..<Int(place - offset)])
                            .initializeMemory(as: UInt8.self, repeating: 0)
                    }
                }
                for extent in extents[low...] {
                    if extent.offset >= end { break }
                    let start = max(offset, extent.offset)
                    let stop = min(end, extent.offset + extent.length)
                    clear(to: start)
                    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(start - offset)..<Int(stop - offset)])
                    if let problem = readAll(part, at: extent.source + (start - extent.offset)) { return problem }
                    covered = stop
                }
                clear(to: end)
                return nil
            }
        }

        private func readAll(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> String? {
            var done = 0
            while done < buffer.count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset) + off_t(done))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { return errorText(errno) }
                if got == 0 { return "it became shorter while it was read" }
                done += got
            }
            return nil
        }
    }
}
