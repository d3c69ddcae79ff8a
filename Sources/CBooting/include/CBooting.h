// A child process that cannot outlive its parent, and the host's clock for emulated guests.
#pragma once
#include <stdint.h>

struct guarded_process {
    int pid;      // the guard; its wait status is the program's
    int program;  // the program itself
    int leash;    // closing it stops the program: SIGTERM, then SIGKILL after the grace; a byte sets it free for ever
    int input;    // the program's stdin
    int output;   // the program's stdout
    int errors;   // the program's stderr
};

// Starts a program under a guard: a process of ours that does nothing but wait for the program to end or for the
// leash to be let go. The kernel lets go of it when the caller dies, however it dies; if the guard itself dies,
// the kernel kills the program. Both run in a session of their own, so that a Ctrl-C reaches the caller alone.
// `control`, if it is not -1, is the program's descriptor 3; every other one of the caller is closed in it.
// 0, or the errno of what failed (of execvp too).
int start_guarded(char *const argv[], int grace_milliseconds, int control, struct guarded_process *process);

// How often the processor's time stamp counter ticks, in kHz; 0 where it has none that a program can read.
// Takes about 50 ms.
uint64_t time_stamp_counter_khz(void);
