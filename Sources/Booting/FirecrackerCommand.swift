import Glibc
import RootfsModel

/// How Firecracker is started: its configuration as it ships, with a copy of the image that has no name and goes with
/// the machine. It has no snapshot of its own over a drive.
struct FirecrackerCommand {
    let words: [String]
    /// The copy and the configuration: open files that Firecracker finds through /proc.
    let files: [Int32]
    /// With its API's socket, through which it is asked to shut down.
    let directory: String

    init(_ request: BootRequest, program: String, scratch: String, isProbe: Bool) throws(Failure) {
        var files = [Int32]()
        do throws(Failure) {
            var image = request.image
            if !request.isReadOnly, !isProbe {
                files.append(try Self.copy(request.image, in: scratch))
                image = Self.path(of: files[0])
            }
            let configuration = FirecrackerConfiguration(
                kernel: request.kernel, initrd: isProbe ? nil : request.initrd, image: isProbe ? nil : image,
                arguments: isProbe ? ["console=ttyS0", "reboot=k", "panic=1"] : request.arguments, vcpus: request.vcpus,
                memory: request.memory, isReadOnly: request.isReadOnly)
            let file = try Self.temporaryFile(in: scratch)
            files.append(file)
            let text = Array(try configuration.text().utf8)
            guard write(file, text, text.count) == text.count else {
                throw Failure("cannot write in \(scratch): \(errorText(errno))")
            }
            directory = try makeDirectory(in: scratch)
            // Its own words not on stdout, which is the console.
            words = [
                program, "--api-sock", "\(directory)/api", "--config-file", Self.path(of: file), "--log-path",
                "/dev/stderr", "--level", "Warning",
            ]
            self.files = files
        } catch {
            for file in files { close(file) }
            throw error
        }
    }

    /// Presses Ctrl-Alt-Del: PUT /actions of its API.
    static func sendCtrlAltDel(to directory: String) -> Bool {
        guard let descriptor = connect(to: "\(directory)/api", within: .milliseconds(200)) else { return false }
        defer { close(descriptor) }
        let body = #"{"action_type":"SendCtrlAltDel"}"#
        var text = Array(
            "PUT /actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8)
        guard send(descriptor, &text, text.count, Int32(MSG_NOSIGNAL)) == text.count else { return false }
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var answer = [UInt8](repeating: 0, count: 64)
        guard poll(&wait, 1, 2000) > 0 else { return false }
        let count = read(descriptor, &answer, answer.count)
        return count > 0 && String(decoding: answer[..<count], as: UTF8.self).hasPrefix("HTTP/1.1 2")
    }

    private static func path(of file: Int32) -> String { "/proc/\(getpid())/fd/\(file)" }

    private static func temporaryFile(in scratch: String) throws(Failure) -> Int32 {
        // O_TMPFILE, which Glibc shows only with _GNU_SOURCE: a file without a name.
        let file = open(scratch, 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("cannot make a file in \(scratch): \(errorText(errno))") }
        return file
    }

    private static func copy(_ path: String, in scratch: String) throws(Failure) -> Int32 {
        let source = open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw Failure("cannot read \(path): \(errorText(errno))") }
        defer { close(source) }
        let copy = try temporaryFile(in: scratch)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: off_t = 0
        while true {
            let count = read(source, &buffer, buffer.count)
            if count == 0 { break }
            // Holes stay holes.
            let isHole = count > 0 && buffer[..<count].allSatisfy { $0 == 0 }
            guard count > 0, isHole || pwrite(copy, buffer, count, offset) == count else {
                let code = errno
                close(copy)
                throw Failure(
                    "cannot copy \(path) to \(scratch): \(errorText(code))",
                    hint: "set TMPDIR to a directory with room for the image")
            }
            offset += off_t(count)
        }
        ftruncate(copy, offset)
        return copy
    }
}
