// Dpkg: Debian packages as files, as a database and as layers.
//
// It reads a .deb, unpacks it once into the store (a payload), places payloads on a tree as dpkg would place
// them, writes the database that dpkg would have written, and lets dpkg configure the packages in a sandbox. What
// it cannot do byte for byte as dpkg does, it hands to dpkg itself (see `Placement.Guard`).
//
// It refuses to know where packages come from, which are chosen, and in which order they are configured.
//
// Invariants: a payload is a function of its .deb alone. A .deb is foreign bytes: nothing is written outside the
// payload's directory, and a member that cannot be meant well is a Failure naming package and member. Files of
// payloads are shared by hard links and never written again; maintainer scripts write through overlayfs only.
