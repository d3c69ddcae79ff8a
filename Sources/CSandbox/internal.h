#pragma once

#include "CSandbox.h"

#include <stddef.h>

/// File descriptors of pid 1 after csandbox_arrange_descriptors.
enum { status_fd = 3, output_fd = 4, lifeline_fd = 5, first_free_fd = 6 };

/// Says what failed (errno) and ends the process.
_Noreturn void csandbox_fail(enum csandbox_kind kind, const char *step, const char *path);

/// Like fork, without the handlers that other libraries have registered for it.
pid_t csandbox_clone(unsigned long flags, int *pidfd);

void csandbox_send(enum csandbox_kind kind, int code, const char *step, const char *path);

/// Makes the tree the root directory, with /proc, /sys and /dev, and puts the host's tree out of reach.
void csandbox_enter_root(const struct csandbox_plan *plan);

void csandbox_name_host(const struct csandbox_plan *plan);
void csandbox_raise_loopback(void);

/// Makes fsync and its family succeed at once, for this process and its children.
void csandbox_ignore_sync(void);

/// Lets sleeping take no time.
void csandbox_ignore_sleep(void);

/// Gives up what lets root reach beyond its namespaces, for good.
void csandbox_drop_capabilities(void);

/// The child of pid 1 that becomes the command. root is the tree's root directory.
_Noreturn void csandbox_run_command(const struct csandbox_plan *plan, int root);

/// Gives back the builder's memory, of which pid 1 would keep a second copy as the builder goes on writing to its own.
/// maps reads /proc/self/maps and is closed.
void csandbox_forget_memory(int maps);
