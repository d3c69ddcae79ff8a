internal import RootfsModel

/// One program that a service starts, itself or through scripts and wrappers.
struct Launch: Sendable {
    /// Where a descriptor of it was sent by a script on the way.
    enum Sink: Hashable, Sendable {
        /// Where the one who starts it sends his own.
        case inherited
        case file(String)
        /// Another program, or what cannot be told.
        case unknown
    }

    var words: [String]
    /// The ways to it, a line each: the unit, the links, the scripts.
    var reasons: [String]
    /// nil where the user is not known before the boot.
    var identity: Identity?
    var environment: [String: String]
    /// nil where it is not known.
    var directory: TreePath?
    var location: SourceLocation?
    /// What a failure of it means for the service.
    var severity = Severity.error
    /// Whether a shell starts it: a shell takes a file that the kernel refuses for a script of its own.
    var isFromShell = false
    var output = Sink.inherited
    var errors = Sink.inherited
    var isBackground = false
    /// Whether a script starts it again and again.
    var isRepeated = false
    /// Whether its script makes directories, or files in them, by itself.
    var makesDirectories = false
    /// Whether it takes its script's place.
    var replacesScript = false
    /// The script that starts it; nil for the service's own command.
    var script: TreePath?
    /// What it was started as: the program's name and the file's, a script's own.
    var names: [String] = []
    /// The file that runs in the end, where there is one.
    var program: TreePath?
    /// Whether the service's sandbox is not for it (systemd's `+`).
    var isUnrestricted = false
    /// Whether a script sets where the loader looks to what cannot be told.
    var hidesLibraryPath = false
    /// Whether no word is left out because its value cannot be told.
    var hasAllWords = true
    /// Whether it is a shell with a text, or a program that only starts another.
    var startsOthers = false
    /// How many scripts and wrappers are on the way.
    var depth = 0
    /// Where the manager looks for a program without a directory.
    var searchPath: String?
    var role: String
}
