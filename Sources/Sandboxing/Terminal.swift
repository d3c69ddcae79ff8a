import Glibc

/// The settings of the terminal on stdin and who is in its foreground.
struct Terminal {
    private var settings = termios()
    private let foreground: pid_t

    /// nil if stdin is no terminal.
    init?() {
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        foreground = tcgetpgrp(STDIN_FILENO)
    }

    func restore() {
        // We are in the background until the first call is done, where it would stop us.
        var blocked = sigset_t()
        var before = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGTTOU)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        if foreground > 0 { tcsetpgrp(STDIN_FILENO, foreground) }
        var settings = settings
        tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}
