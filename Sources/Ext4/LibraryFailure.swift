import CExt2FS
import Glibc
import RootfsModel

/// The one place where a code of libext2fs becomes a failure.
func check(_ code: errcode_t, _ operation: @autoclosure () -> String) throws(Failure) {
    if code == 0 { return }
    throw Failure("\(operation()): \(libraryMessage(code))")
}

/// The library's own words for a code.
func libraryMessage(_ code: errcode_t) -> String {
    // Idempotent: the table is linked into com_err's list once.
    initialize_ext2_error_table()
    guard let text = error_message(code) else { return "error \(code)" }
    return String(cString: text)
}
