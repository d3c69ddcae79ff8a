// Debian: the formats of a Debian archive as values.
//
// Stanzas (deb822), versions in dpkg's order, relations between packages (Policy chapter 7), the package
// index and the Release file of an archive, the order in which packages are configured, and the lock that a
// recipe was resolved to. Everything is parsed from bytes that somebody else read: this module opens no
// file, knows no clock and no mirror, and checks no signature.
//
// Invariants: a package index is read in place, without a String for each field; what is written (a lock, a
// stanza) is sorted, so equal values give equal bytes; malformed text is a Failure with its place, never a
// trap.
