#define _GNU_SOURCE
#include "CBooting.h"

#include <time.h>

#if defined(__x86_64__)

#include <x86intrin.h>

struct moment {
    uint64_t ticks;
    uint64_t nanoseconds;
};

// Both clocks at one moment: of eight tries, the one with the fewest ticks around the reading.
static struct moment now(void) {
    struct moment best = {0, 0};
    uint64_t narrowest = UINT64_MAX;
    for (int attempt = 0; attempt < 8; attempt++) {
        struct timespec time;
        uint64_t before = __rdtsc();
        clock_gettime(CLOCK_MONOTONIC_RAW, &time);
        uint64_t after = __rdtsc();
        if (after - before >= narrowest) continue;
        narrowest = after - before;
        best.ticks = before + narrowest / 2;
        best.nanoseconds = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    }
    return best;
}

uint64_t time_stamp_counter_khz(void) {
    struct moment start = now();
    struct timespec pause = {0, 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
    struct moment end = now();
    uint64_t nanoseconds = end.nanoseconds - start.nanoseconds;
    if (nanoseconds == 0 || end.ticks <= start.ticks) return 0;
    return (uint64_t)((double)(end.ticks - start.ticks) * 1e6 / (double)nanoseconds);
}

#else

uint64_t time_stamp_counter_khz(void) { return 0; }

#endif
