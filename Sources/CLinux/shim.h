// The parts of the C library that Swift's Glibc module leaves out.
#pragma once
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/xattr.h>

static inline unsigned device_major(dev_t device) { return major(device); }
static inline unsigned device_minor(dev_t device) { return minor(device); }
static inline dev_t device_number(unsigned major_number, unsigned minor_number) {
    return makedev(major_number, minor_number);
}
