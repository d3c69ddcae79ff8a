// RootfsModel: the nouns that every other module speaks of.
//
// A root file system is one value, `FileTree`: every path with its kind, mode, owner, times, extended
// attributes and its content by digest. Sources make trees, changes turn one tree into another, sinks
// write trees out; a command is a source, some changes and a sink.
//
// This module knows bytes and values. It refuses to know the file system, the clock, the environment and
// processes: a `Blob` says where its bytes are, but reading them is Storage's work.
//
// Invariants: a tree's nodes are sorted by path bytes and unique; every node but the root has its parent
// directory in the tree; file names are bytes, never `String`.
