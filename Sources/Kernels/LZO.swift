/// The LZO1X bit stream, as Documentation/staging/lzo.rst of the Linux kernel describes it. Written for hostile
/// input: no read outside the source, no copy from before the output, no output beyond the promised size.
enum LZO1X {
    /// What is wrong with a stream.
    enum Defect: Error {
        case endsEarly
        case outgrowsItsBlock
        case copiesFromBeforeItsStart
        case endsInTheMiddle
        case fallsShort
    }

    /// Decompresses one block that gives exactly `size` bytes.
    static func decompress(_ block: ArraySlice<UInt8>, size: Int) throws(Defect) -> [UInt8] {
        var result: Result<Void, Defect> = .success(())
        let content = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            block.withUnsafeBytes { source in
                var decoder = Decoder(source: source, output: UnsafeMutableRawBufferPointer(buffer))
                do throws(Defect) {
                    try decoder.run()
                } catch {
                    result = .failure(error)
                }
                // Only what was written: the rest of the buffer holds nothing yet.
                count = decoder.written
            }
        }
        try result.get()
        guard content.count == size else { throw .fallsShort }
        return content
    }

    private struct Decoder {
        let source: UnsafeRawBufferPointer
        let output: UnsafeMutableRawBufferPointer
        var position = 0
        var written = 0

        init(source: UnsafeRawBufferPointer, output: UnsafeMutableRawBufferPointer) {
            self.source = source
            self.output = output
        }

        mutating func next() throws(Defect) -> Int {
            guard position < source.count else { throw .endsEarly }
            position += 1
            return Int(source[position - 1])
        }

        mutating func nextPair() throws(Defect) -> Int {
            let low = try next()
            return try low | next() << 8
        }

        /// A length that did not fit its instruction: `base`, 255 for each zero byte, and the byte after them.
        mutating func extendedLength(_ base: Int) throws(Defect) -> Int {
            var length = base
            while true {
                let byte = try next()
                if byte != 0 { return length + byte }
                length += 255
                // No longer run can be right, and adding up for ever would overflow.
                if length > output.count + 255 { throw .outgrowsItsBlock }
            }
        }

        mutating func copyLiterals(_ count: Int) throws(Defect) {
            if count == 0 { return }
            guard count <= source.count - position else { throw .endsEarly }
            guard count <= output.count - written else { throw .outgrowsItsBlock }
            UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[position..<(position + count)]))
            position += count
            written += count
        }

        mutating func copyMatch(distance: Int, length: Int) throws(Defect) {
            guard distance <= written else { throw .copiesFromBeforeItsStart }
            guard length <= output.count - written else { throw .outgrowsItsBlock }
            // Byte by byte: a match may overlap what it writes.
            for index in written..<(written + length) { output[index] = output[index - distance] }
            written += length
        }

        mutating func run() throws(Defect) {
            // How many literals the last instruction copied, 4 meaning a run of them: it changes what an
            // instruction below 16 means.
            var state = 0
            if position < source.count, source[0] > 17 {
                let count = try next() - 17
                try copyLiterals(count)
                state = min(count, 4)
            }
            while true {
                let instruction = try next()
                let distance: Int
                let length: Int
                let trailing: Int
                switch instruction {
                case 0..<16 where state == 0:
                    try copyLiterals(instruction == 0 ? extendedLength(18) : instruction + 3)
                    state = 4
                    continue
                case 0..<16:
                    distance = try instruction >> 2 | next() << 2
                    length = state == 4 ? 3 : 2
                    trailing = instruction & 3
                    try copyMatch(distance: distance + (state == 4 ? 2049 : 1), length: length)
                case 16..<32:
                    length = try 2 + (instruction & 7 == 0 ? extendedLength(7) : instruction & 7)
                    let pair = try nextPair()
                    distance = 16384 + (instruction & 8) << 11 + pair >> 2
                    trailing = pair & 3
                    if distance == 16384 {
                        guard position == source.count else { throw .endsInTheMiddle }
                        return
                    }
                    try copyMatch(distance: distance, length: length)
                case 32..<64:
                    length = try 2 + (instruction & 31 == 0 ? extendedLength(31) : instruction & 31)
                    let pair = try nextPair()
                    trailing = pair & 3
                    try copyMatch(distance: pair >> 2 + 1, length: length)
                default:
                    length = instruction < 128 ? 3 + (instruction >> 5 & 1) : 5 + (instruction >> 5 & 3)
                    distance = try next() << 3 + (instruction >> 2 & 7) + 1
                    trailing = instruction & 3
                    try copyMatch(distance: distance, length: length)
                }
                try copyLiterals(trailing)
                state = trailing
            }
        }
    }
}
