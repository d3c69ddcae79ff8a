// libext2fs as Swift sees it, with what Swift cannot import spelled as functions.
#pragma once
#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext2_err.h>

// A mutable global in the library's header: Swift refuses to read it.
static inline io_manager ext4_unix_io_manager(void) { return unix_io_manager; }
