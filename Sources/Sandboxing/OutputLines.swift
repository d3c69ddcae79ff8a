/// Cuts a stream of bytes into lines and remembers the stream's end.
struct OutputLines {
    static let tailLimit = 64 << 10
    static let lineLimit = 64 << 10

    private var line: [UInt8] = []
    private var recent: [UInt8] = []
    /// How many bytes of `line` are known to have no end of a line.
    private var searched = 0

    /// The last `tailLimit` bytes that were added.
    var tail: [UInt8] { Array(recent.suffix(Self.tailLimit)) }

    mutating func add(_ bytes: UnsafeRawBufferPointer, emit: (ArraySlice<UInt8>) -> Void) {
        recent.append(contentsOf: bytes)
        if recent.count > 4 * Self.tailLimit { recent.removeFirst(recent.count - Self.tailLimit) }
        line.append(contentsOf: bytes)
        var start = 0
        while let end = line[max(start, searched)...].firstIndex(of: UInt8(ascii: "\n")) {
            emitPieces(line[start..<end], emit)
            start = end + 1
        }
        // What is longer than a line may be goes out in pieces of that length, the rest waits for its end.
        while line.count - start > Self.lineLimit {
            emit(line[start..<start + Self.lineLimit])
            start += Self.lineLimit
        }
        line.removeFirst(start)
        searched = line.count
    }

    /// Emits the last line if it had no end.
    mutating func finish(emit: (ArraySlice<UInt8>) -> Void) {
        if !line.isEmpty { emitPieces(line[...], emit) }
        line = []
        searched = 0
    }

    private func emitPieces(_ bytes: ArraySlice<UInt8>, _ emit: (ArraySlice<UInt8>) -> Void) {
        var rest = bytes
        while rest.count > Self.lineLimit {
            emit(rest.prefix(Self.lineLimit))
            rest = rest.dropFirst(Self.lineLimit)
        }
        emit(rest)
    }
}
