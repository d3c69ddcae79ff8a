// LibArchive: reading archives, and raw compressed streams, through libarchive.
//
// This module knows libarchive's handles and their life, and turns what the library says into Failures with
// the operation, the library's own words and the archive's name. It refuses to know what an archive means: a
// .deb's members are Dpkg's business, a kernel's payload is Kernels'.
//
// Invariants: every handle has one noncopyable owner and is freed once; only the formats and filters that a
// caller names are enabled, never all of them, because some filters start external programs; a warning of the
// library is a failure but for a name that the locale cannot express, whose bytes are right nevertheless.
