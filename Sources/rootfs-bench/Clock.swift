import CLinux
import Glibc
import RootfsModel

/// Seconds of a clock that only goes forward.
func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Seconds that all threads of this process have used of a processor.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// One step that was measured: seconds of wall and of processor time, and the most memory that this process had
/// meanwhile, in bytes.
struct Step: Codable, Equatable {
    var name: String
    var seconds: Double
    var processor: Double
    var peak: UInt64
}

/// Runs steps and keeps what they took.
struct Steps {
    private(set) var all = [Step]()

    mutating func run<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let start = begin()
        let result = try body()
        end(name, since: start)
        return result
    }

    /// The same for a step that waits for tasks.
    mutating func run<Result>(_ name: String, _ body: () async throws -> Result) async rethrows -> Result {
        let start = begin()
        let result = try await body()
        end(name, since: start)
        return result
    }

    private func begin() -> (wall: Double, processor: Double) {
        resetPeakMemory()
        return (seconds(), processorSeconds())
    }

    private mutating func end(_ name: String, since start: (wall: Double, processor: Double)) {
        let wall = seconds() - start.wall
        let processor = processorSeconds() - start.processor
        all.append(Step(name: name, seconds: wall, processor: processor, peak: peakMemory()))
    }
}

/// The most memory that this process has had since `resetPeakMemory`, in bytes (proc(5), VmHWM).
func peakMemory(of process: pid_t? = nil) -> UInt64 {
    guard let file = fopen("/proc/\(process.map(String.init) ?? "self")/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
        let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split { " \t\n".contains($0) }
        if words.first == "VmHWM:", words.count > 1 { return (UInt64(words[1]) ?? 0) << 10 }
    }
    return 0
}

/// Gives free memory back to the system, and lets the peak begin at what is in use now.
private func resetPeakMemory() {
    malloc_trim(0)
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
}
