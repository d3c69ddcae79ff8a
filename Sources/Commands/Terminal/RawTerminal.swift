internal import Glibc
internal import Synchronization

/// The terminal at stdin, given over to a machine's console byte by byte, and given back as it was.
final class RawTerminal: Sendable {
    /// The settings as they were; nil while they hold.
    private let saved = Mutex<termios?>(nil)

    /// Each key goes on at once, and none of them is a signal.
    func enter() {
        saved.withLock { saved in
            var settings = termios()
            guard saved == nil, tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
            saved = settings
            cfmakeraw(&settings)
            // The console's newlines come with their returns; ours, on stderr, do not.
            settings.c_oflag |= tcflag_t(OPOST)
            tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
        }
        Interruption.beforeExit { [weak self] in self?.restore() }
    }

    func restore() {
        saved.withLock { saved in
            guard var settings = saved else { return }
            tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
            saved = nil
        }
    }

    deinit { restore() }
}
