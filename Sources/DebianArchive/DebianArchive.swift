// DebianArchive: signed Debian archives, over HTTP or from a directory.
//
// It knows where an archive may be (the command line, the recipe, the host's APT sources), how its pockets
// are laid out, how to fetch its files and whom to believe: an InRelease counts only when the host's gpgv or
// sqv accepts its signature, an index only when InRelease gives its digest, a package only when an index or a
// lock does. Files end in the Store under their SHA-256; what is there is never fetched again.
//
// It refuses to know which packages are wanted, the present time (it is an argument), the environment (beyond
// what libcurl reads itself: proxies and ~/.netrc) and OpenPGP. No archive's address is built in.
//
// Invariants: nothing unverified reaches the store; results stand in the order of the requests, never of
// completion; the text behind a signature is what the verifier wrote, never what stands in the file.
