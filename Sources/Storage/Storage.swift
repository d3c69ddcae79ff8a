// Storage: the host's file system, where trees, blobs and the store live.
//
// It scans directories into trees, reads blobs wherever they are, and keeps the store: a directory that can
// be thrown away without loss. The store is written by rename only, so a build that is killed at any instant
// leaves nothing half-written, and several builds may use it at once: who comes second finds the first one's
// result. Files in it are known by the SHA-256 of their bytes, directories by the digest of what made them.
//
// It refuses to know what is stored: packages, layers and images are other modules' words.
