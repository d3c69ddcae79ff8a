import CExt2FS
import RootfsModel

/// The journal of an image that was not unmounted: what of it was committed and may not be in place yet.
///
/// It is read as jbd2's recovery reads it (fs/jbd2/recovery.c of the kernel), but nothing is written: the result says
/// in which block of the journal the newest form of a block stands. Its loops are bounded by the journal's length.
struct Journal {
    /// Where the committed form of a block stands in the image.
    struct Copy {
        /// A block of the image.
        var place: UInt64
        /// Whether it begins with the journal's magic number, which the journal has zeros for.
        var isEscaped: Bool
    }

    /// One transaction that was committed.
    private struct Transaction {
        var sequence: UInt32
        var tags: [JournalTag] = []
        var revoked: [UInt64] = []
    }

    private let reader: Ext4Reader
    private let runs: [PlacedExtent]
    private let superblock: JournalSuperblock
    /// How many blocks the image's file has: no block of a transaction is behind them.
    private let imageBlocks: UInt64

    /// - Parameters:
    ///   - reader: the image as it stands on the disk.
    ///   - size: the file's, in bytes.
    init(of reader: Ext4Reader, size: UInt64) throws(Failure) {
        self.reader = reader
        imageBlocks = size / UInt64(reader.blockSize)
        let number = reader.fs.pointee.`super`.pointee.s_journal_inum
        guard number != 0 else {
            throw Failure(
                "cannot read the image \(reader.path): it was not unmounted, and its journal is on another device",
                hint: "put the journal in place with both devices at hand: e2fsck -p COPY")
        }
        reader.resetBudgets()
        let inode = try reader.inode(number)
        guard inode.isFile, !inode.hasInlineData else { throw reader.failure("its journal is no file") }
        runs = try reader.runs(of: inode, at: "<journal>")
        // No hole: what follows one cannot be reached.
        var available: UInt64 = 0
        for run in runs where UInt64(run.logical) == available { available += UInt64(run.count) }
        guard available > 0 else { throw reader.failure("its journal is empty") }
        let first = JournalBytes(bytes: try reader.block(runs[0].physical, "its journal"))
        superblock = try JournalSuperblock(
            first, blockSize: reader.blockSize, available: min(available, inode.size / UInt64(reader.blockSize)),
            fail: reader.failure)
    }

    /// The block of the image that a block of the journal is.
    private func place(of position: UInt32) throws(Failure) -> UInt64 {
        for run in runs where position >= run.logical && position - run.logical < run.count {
            return run.physical + UInt64(position - run.logical)
        }
        throw reader.failure("its journal has no block \(position)")
    }

    private func block(_ position: UInt32) throws(Failure) -> JournalBytes {
        JournalBytes(bytes: try reader.block(try place(of: position), "its journal"))
    }

    /// What was committed: for each block that stands in the journal where its newest form is.
    func replay() throws(Failure) -> (copies: [UInt64: Copy], replay: JournalReplay) {
        var result = JournalReplay(transactions: 0, blocks: 0, damaged: nil, hasFastCommits: false)
        if superblock.start == 0 { return ([:], result) }
        let (transactions, next, damaged) = try scan()
        result.transactions = transactions.count
        result.damaged = damaged
        result.hasFastCommits = try hasFastCommits(of: next)
        // A revocation holds for its own transaction and those before.
        var revoked = [UInt64: UInt32]()
        for transaction in transactions {
            for target in transaction.revoked where target < imageBlocks { revoked[target] = transaction.sequence }
        }
        var copies = [UInt64: Copy]()
        for transaction in transactions {
            for tag in transaction.tags {
                // Sequence numbers run in a circle.
                if let last = revoked[tag.target], Int32(bitPattern: transaction.sequence &- last) <= 0 { continue }
                guard tag.target < imageBlocks else {
                    throw reader.failure(
                        "transaction \(transaction.sequence) of its journal has block \(tag.target), beyond the end")
                }
                let bytes = try block(tag.position).bytes
                guard tag.matches(bytes, in: transaction.sequence, superblock) else {
                    throw reader.failure(
                        "block \(tag.target) in transaction \(transaction.sequence) of its journal does not match its checksum"
                    )
                }
                copies[tag.target] = Copy(place: try place(of: tag.position), isEscaped: tag.isEscaped)
            }
        }
        result.blocks = copies.count
        return (copies, result)
    }

    /// All transactions with a sound commit block, in order; the number of the next; and that of the one at which a
    /// damaged commit block ended them.
    private func scan() throws(Failure) -> (transactions: [Transaction], next: UInt32, damaged: UInt32?) {
        var transactions = [Transaction]()
        var current = Transaction(sequence: superblock.sequence)
        var position = superblock.start
        // More blocks than it has can only be the same ones once more.
        var budget = superblock.end - superblock.first
        var isDoubtful = false
        var lastTime = CommitTime(seconds: 0, nanoseconds: 0)
        var checksum = UInt32.max
        scanning: while budget > 0 {
            let block = try block(position)
            guard let type = block.type(in: current.sequence) else { break }
            position = superblock.next(after: position)
            budget -= 1
            switch type {
            case JournalFormat.descriptor:
                if !superblock.isSound(block) { isDoubtful = true }
                if superblock.hasTransactionChecksums {
                    checksum = ext2fs_crc32_be(checksum, block.bytes, block.bytes.count)
                }
                for var tag in JournalTag.parse(block, superblock) {
                    guard budget > 0 else { break scanning }
                    tag.position = position
                    if superblock.hasTransactionChecksums {
                        let bytes = try self.block(position).bytes
                        checksum = ext2fs_crc32_be(checksum, bytes, bytes.count)
                    }
                    current.tags.append(tag)
                    position = superblock.next(after: position)
                    budget -= 1
                }
            case JournalFormat.commit:
                let time = CommitTime(seconds: block.long(0x30), nanoseconds: block.word(0x38))
                // What stood here before the journal came round again looks like the next transaction now and then: it
                // is older than the last one.
                let isStale = time < lastTime
                if isDoubtful {
                    if isStale { break scanning }
                    throw reader.failure("transaction \(current.sequence) of its journal does not match its checksum")
                }
                guard isSound(commit: block, of: checksum) else {
                    return (transactions, current.sequence, isStale ? nil : current.sequence)
                }
                checksum = .max
                lastTime = time
                transactions.append(current)
                current = Transaction(sequence: current.sequence &+ 1)
            case JournalFormat.revocation:
                if !superblock.isSound(block) { isDoubtful = true }
                current.revoked += try isDoubtful ? [] : revocations(block, in: current.sequence)
            default: break scanning
            }
        }
        return (transactions, current.sequence, nil)
    }

    private struct CommitTime: Comparable {
        var seconds: UInt64
        var nanoseconds: UInt32

        static func < (left: CommitTime, right: CommitTime) -> Bool {
            (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
        }
    }

    private func isSound(commit block: JournalBytes, of checksum: UInt32) -> Bool {
        if superblock.hasBlockChecksums {
            return block.checksum(seed: superblock.seed, besides: 0x10) == block.word(0x10)
        }
        if !superblock.hasTransactionChecksums { return true }
        let (type, size, said) = (block.bytes[0x0c], block.bytes[0x0d], block.word(0x10))
        return (type, size, said) == (1, 4, checksum) || (type, size, said) == (0, 0, 0)
    }

    private func revocations(_ block: JournalBytes, in sequence: UInt32) throws(Failure) -> [UInt64] {
        let isWide = superblock.features.contains(.wide)
        let end = Int(block.word(0x0c))
        guard end >= 16, end <= block.bytes.count - (superblock.hasBlockChecksums ? 4 : 0) else {
            throw reader.failure("transaction \(sequence) of its journal has a damaged list of revoked blocks")
        }
        let size = isWide ? 8 : 4
        return stride(from: 16, through: end - size, by: size).map {
            isWide ? block.long($0) : UInt64(block.word($0))
        }
    }

    /// Whether fast commits follow: they begin with a tag 9 and have the number of the transaction that is to come
    /// (fs/ext4/fast_commit.h).
    private func hasFastCommits(of sequence: UInt32) throws(Failure) -> Bool {
        guard superblock.end < superblock.length else { return false }
        let bytes = try block(superblock.end).bytes
        func word(_ offset: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) } }
        return word(0) & 0xffff == 9 && word(8) == sequence
    }
}

/// What was read from a journal as if it were in place.
public struct JournalReplay: Hashable, Sendable {
    /// How many were committed.
    public var transactions: Int
    /// How many blocks of the image are read from the journal.
    public var blocks: Int
    /// The transaction with a damaged commit block: it and what followed were left out.
    public var damaged: UInt32?
    /// Whether there are fast commits, which were left out.
    public var hasFastCommits: Bool
}

/// How an image is that was mounted for writing and not unmounted: of a machine that was killed, or runs still.
public struct LeftMounted: Hashable, Sendable {
    /// nil without a journal: then all is told as it stood on the disk at that moment.
    public var replay: JournalReplay?

    /// A sentence about it.
    public var text: String {
        guard let replay else {
            return
                "it was not unmounted, and has no journal: what had not reached the disk is lost, and what has may not fit together"
        }
        func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
        var text =
            replay.blocks == 0
            ? "it was not unmounted; nothing of its journal was missing in its place"
            : "it was not unmounted; \(count(replay.transactions, "transaction")) of its journal, \(count(replay.blocks, "block")), are read as if they were in place"
        if let damaged = replay.damaged { text += "; transaction \(damaged) is damaged and was left out" }
        if replay.hasFastCommits { text += "; the fast commits behind them were left out" }
        return text
    }
}
