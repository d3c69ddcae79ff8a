#define _GNU_SOURCE
#include "internal.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/// One line of /proc/self/maps: "start-end perms offset device inode [path]".
static void forget_line(const char *line, const char *end, uintptr_t stack, uintptr_t thread) {
    uintptr_t bounds[2] = {0, 0};
    const char *c = line;
    for (int i = 0; i < 2; i++) {
        for (; c < end && *c != '-' && *c != ' '; c++)
            bounds[i] = bounds[i] << 4 | (uintptr_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
        c++;
    }
    if (end - c < 4 || c[0] != 'r' || c[1] != 'w' || c[3] != 'p') return;
    // Skip permissions, offset and device; memory of a file has an inode and may hold the tables that calls go through.
    for (int field = 0; field < 3; field++) {
        while (c < end && *c != ' ') c++;
        while (c < end && *c == ' ') c++;
    }
    if (c >= end || *c != '0') return;
    while (c < end && *c != ' ') c++;
    while (c < end && *c == ' ') c++;
    // A nameless mapping may be the end of a library's variables; those are small. [stack] is the first thread's.
    if (c < end && *c == '[' && c + 1 < end && c[1] != 'h') return;
    if (bounds[1] <= bounds[0] || bounds[1] - bounds[0] < 1 << 20) return;
    if ((stack >= bounds[0] && stack < bounds[1]) || (thread >= bounds[0] && thread < bounds[1])) return;
    madvise((void *)bounds[0], bounds[1] - bounds[0], MADV_DONTNEED);
}

void csandbox_forget_memory(int maps) {
    char buffer[4096];
    size_t used = 0;
    if (maps < 0) return;
    for (;;) {
        ssize_t count = read(maps, buffer + used, sizeof buffer - used);
        if (count <= 0) break;
        used += (size_t)count;
        size_t start = 0;
        for (size_t i = 0; i < used; i++) {
            if (buffer[i] != '\n') continue;
            forget_line(buffer + start, buffer + i, (uintptr_t)buffer, (uintptr_t)__builtin_thread_pointer());
            start = i + 1;
        }
        for (size_t i = start; i < used; i++) buffer[i - start] = buffer[i];
        used -= start;
    }
    close(maps);
}
