// The parts of the C library that Swift's Glibc module leaves out.
#pragma once
#include <malloc.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/xattr.h>

static inline unsigned device_major(dev_t device) { return major(device); }
static inline unsigned device_minor(dev_t device) { return minor(device); }
static inline dev_t device_number(unsigned major_number, unsigned minor_number) {
    return makedev(major_number, minor_number);
}

// renameat2(2) with RENAME_EXCHANGE: glibc has it behind _GNU_SOURCE only.
#include <asm/unistd.h>
extern long syscall(long number, ...);
static inline int exchange_paths(const char *a, const char *b) {
    return (int)syscall(__NR_renameat2, -100 /* AT_FDCWD */, a, -100, b, 2u /* RENAME_EXCHANGE */);
}

// FICLONE: another file's blocks, shared until one of the two is written to.
#include <linux/fs.h>
#include <sys/ioctl.h>
static inline int clone_file(int destination, int source) { return ioctl(destination, FICLONE, source); }

// A clock of the kernel's, in nanoseconds. In C, because which module Swift finds `struct timespec` in depends on what
// else is imported.
#include <stdint.h>
#include <time.h>
static inline uint64_t clock_nanoseconds(clockid_t clock) {
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
