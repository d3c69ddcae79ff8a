internal import Booting
internal import RootfsModel

/// console.log in the making: each line with its time. Of a guest that never stops writing, the beginning and the end
/// are kept, and what was left out between them is told.
struct ConsoleLog {
    static let fileName = "console.log"

    /// Bytes that are kept of the beginning, and of the end.
    private let room: Int
    private var head = [UInt8]()
    private var tail = [[UInt8]]()
    private var tailSize = 0
    private var isHeadFull = false
    private(set) var lines = 0
    private(set) var omittedLines = 0
    private(set) var omittedBytes = 0

    init(room: Int = 4 << 20) {
        self.room = room
    }

    mutating func add(_ line: ConsoleLine) {
        lines += 1
        let bytes = Array((line.description + "\n").utf8)
        if !isHeadFull, head.count + bytes.count <= room {
            head += bytes
            return
        }
        isHeadFull = true
        tail.append(bytes)
        tailSize += bytes.count
        guard tailSize > 2 * room else { return }
        // Dropped in bulk, so that a line costs the same however many there were.
        var dropped = 0
        while tailSize > room {
            tailSize -= tail[dropped].count
            omittedBytes += tail[dropped].count
            dropped += 1
        }
        omittedLines += dropped
        tail.removeFirst(dropped)
    }

    /// The file.
    var bytes: [UInt8] {
        var bytes = head
        if omittedLines > 0 {
            bytes += Array("... \(omittedLines) lines, \(byteText(UInt64(omittedBytes))), are left out here\n".utf8)
        }
        for line in tail { bytes += line }
        return bytes
    }
}
