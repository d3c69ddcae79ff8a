import CSandbox
import Glibc
import RootfsModel

/// Pid 1 of a sandbox, from its start to its end. Dropped before its end, it takes everything inside with it.
struct SandboxProcess: ~Copyable {
    private let child: csandbox_child
    /// The longest time between the wish to cancel and its notice.
    private static let pollMilliseconds: Int32 = 50

    static func start(_ plan: borrowing LaunchPlan) throws(Failure) -> SandboxProcess {
        var child = csandbox_child()
        var step: UnsafePointer<CChar>?
        let code = plan.withPlan { csandbox_start(&$0, &child, &step) }
        guard code == 0 else {
            throw Failure(
                "cannot set up the sandbox: \(step.map { String(cString: $0) } ?? "start"): \(errorText(code))")
        }
        return SandboxProcess(child: child)
    }

    deinit {
        var child = child
        csandbox_kill(&child)
        csandbox_wait(&child)
        close(child.pidfd)
        close(child.status)
        close(child.lifeline)
        if child.output >= 0 { close(child.output) }
    }

    /// Lets it go on once it may.
    func release() throws(Failure) {
        var child = child
        let code = csandbox_release(&child)
        guard code == 0 else { throw Failure("cannot set up the sandbox: start: \(errorText(code))") }
    }

    /// Waits for the end of everything inside, which comes by force when the time limit is over.
    func awaitEnd(
        _ lines: inout OutputLines, within limit: Duration? = nil, output: (ArraySlice<UInt8>) -> Void
    ) throws -> Outcome.Status {
        let end = limit.map { ContinuousClock.now + $0 }
        var hasEnded = false
        var isOpen = true
        var isExpired = false
        while !hasEnded {
            if Task.isCancelled { throw CancellationError() }
            if !isExpired, let end, ContinuousClock.now >= end {
                isExpired = true
                kill()
            }
            var polled = [
                pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0),
                // Closed by a command that goes on: then there is only its end to wait for.
                pollfd(fd: isOpen ? child.output : -1, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&polled, 2, Self.pollMilliseconds)
            if count < 0 && errno != EINTR { throw systemFailure("cannot wait for the sandbox") }
            guard count > 0 else { continue }
            hasEnded = polled[0].revents != 0
            // At the end, what is still in the pipe; nobody is left to write more.
            if isOpen { isOpen = try drain(limit: hasEnded ? .max : 16, &lines, output) }
        }
        lines.finish(emit: output)
        do throws(Failure) {
            return try readStatus()
        } catch {
            if isExpired { return .expired }
            throw error
        }
    }

    private func kill() {
        var child = child
        csandbox_kill(&child)
    }

    /// User and system time of all that ran inside, once that has ended, in nanoseconds.
    var cpu: UInt64 {
        var child = child
        return csandbox_cpu_time(&child)
    }

    /// Reads what is there, at most `limit` buffers of it; false at the end of the stream.
    private func drain(limit: Int, _ lines: inout OutputLines, _ output: (ArraySlice<UInt8>) -> Void) throws -> Bool {
        guard child.output >= 0 else { return true }
        return try withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            for _ in 0..<limit {
                let count = read(child.output, buffer.baseAddress, buffer.count)
                if count == 0 { return false }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { return true }
                    throw systemFailure("cannot read the sandbox's output")
                }
                lines.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]), emit: output)
            }
            return true
        }
    }

    /// Pid 1 has ended: what did it say?
    private func readStatus() throws(Failure) -> Outcome.Status {
        var message = csandbox_message()
        let size = MemoryLayout<csandbox_message>.size
        while true {
            let count = read(child.status, &message, size)
            if count < 0 && errno == EINTR { continue }
            guard count == size else { throw Failure("the sandbox was killed from outside") }
            break
        }
        switch message.kind {
        case Int32(csandbox_command_ended.rawValue):
            let status = message.code
            return status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signaled(status & 0x7f)
        case Int32(csandbox_start_failed.rawValue):
            throw Failure("cannot \(Self.text(message)) in the sandbox: \(errorText(message.code))")
        default:
            throw setupFailure(Self.text(message), message.code)
        }
    }

    private static func text(_ message: csandbox_message) -> String {
        withUnsafeBytes(of: message.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

private func setupFailure(_ step: String, _ code: Int32) -> Failure {
    var hint: String?
    if step == "mount overlayfs" {
        switch code {
        case ENODEV: hint = "the kernel has no overlayfs: modprobe overlay"
        case EINVAL:
            hint =
                "overlayfs needs a kernel of 5.10 or newer, and the store on a file system such as ext4, xfs or btrfs, not on overlayfs itself"
        case EBUSY: hint = "another sandbox is using these directories"
        default: break
        }
    }
    return Failure("cannot set up the sandbox: \(step): \(errorText(code))", hint: hint)
}
