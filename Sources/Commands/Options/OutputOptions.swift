internal import ArgumentParser
internal import Glibc
internal import Pipeline
internal import RootfsModel

/// How a command speaks: the result on stdout, everything else on stderr.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print the result as JSON on stdout.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print no progress, only warnings and errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Print every stage and what scripts print.")
    var verbose = false

    func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
    }

    var verbosity: ProgressDisplay.Verbosity {
        quiet ? .quiet : verbose ? .verbose : .normal
    }

    /// Runs a command's work: progress on stderr, SIGINT and SIGTERM as cancellation, every error rendered
    /// once, and the exit status of the table.
    func perform(_ work: @escaping @Sendable (_ progress: @escaping ProgressSink) async throws -> ExitStatus)
        async throws
    {
        let display = ProgressDisplay(verbosity: verbosity)
        let task = Task { try await work { display.show($0) } }
        Interruption.watch { task.cancel() }
        let status: ExitStatus
        do {
            status = try await task.value
            display.finish()
        } catch {
            display.finish()
            if let code = error as? ExitCode { throw code }
            status = report(error)
        }
        if status != .done { throw ExitCode(status.rawValue) }
    }

    private func report(_ error: any Error) -> ExitStatus {
        if error is CancellationError {
            writeToStandardError("interrupted\n")
            return .interrupted
        }
        let failures: [Failure] =
            switch error {
            case let failure as Failure: [failure]
            case let failures as Failures: failures.all
            default: [Failure("\(error)")]
            }
        writeToStandardError(failures.map { $0.description + "\n" }.joined())
        if json { print(jsonText(failures: failures)) }
        // Ctrl-C reaches the programs that we run too, and one of them may end first.
        if Interruption.happened { return .interrupted }
        return failures.contains { $0.status == .usage } ? .usage : failures.first?.status ?? .failure
    }
}
