// Ext4: a tree as an ext4 image, and an ext2, ext3 or ext4 image as a tree. No mount, no root.
//
// The writer plans, then streams. The plan is values: inode numbers from the sorted tree, directory blocks with
// their hash trees, one run of blocks after another for the data. All metadata goes through libext2fs into
// memory; then the image is put out in segments of 1 MiB, several at once, each hashed in order from memory.
// The bytes depend on the tree, the options and this module's version alone: not on the number of jobs, the
// clock, the environment, the host's file system, the locale or the version of libext2fs.
//
// An image that was not unmounted is read as it is once its journal is in place, without changing it: blocks that were
// committed are read from the journal, whose format and rules are those of the kernel's jbd2.
//
// The reader opens images by libext2fs and trusts none of what it finds: every offset is checked against the
// image, every loop is bounded by it, and damage is a `Failure`.
//
// This module refuses to know what belongs into an image: it does not clamp times, drop attributes or choose
// owners. What ext4 cannot hold is an error, never left out.
