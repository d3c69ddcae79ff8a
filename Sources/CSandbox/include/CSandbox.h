// The part of the sandbox that runs between clone and exec. The builder has many threads, and only the calling one
// exists in the child: everything here is system calls on memory prepared beforehand. No allocation, no lock, no stdio.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Everything the child needs. Lists of strings end with NULL; paths on the host are absolute and free of symbolic
/// links.
struct csandbox_plan {
    /// 1: the command keeps the caller's stdin, stdout, stderr and session, and gets the foreground of its terminal.
    int interactive;

    /// 1: what overlayfs must be able to do is tried on /d, which holds the file f; nothing is executed.
    int probe;

    const char *hostname;
    /// The tree, if it is a plain directory; then there are no options of overlayfs.
    const char *tree;
    /// overlayfs takes at most a page of options, so layers go by short names: symbolic links in a scratch directory.
    char *const *link_names;
    char *const *link_targets;
    const char *overlay_options;

    char *const *bind_hosts;
    char *const *bind_insides;
    char *const *neutralized;
    /// One slot for each bind, then one for each neutralized path.
    int *mounts;

    /// Opened for writing, which makes overlayfs copy them to the upper directory; what is no regular file is left
    /// alone. If there are any, nothing is executed.
    char *const *copied_up;
    /// What to try to execute, in this order.
    char *const *programs;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// 1: sleeping takes no time.
    int ignores_sleep;
    /// 1: the command runs as this user, with these groups, and nothing of root's is left to it.
    int has_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    /// How many bytes of writable memory each process may have; 0: as many as it likes.
    uint64_t memory;
};

struct csandbox_child {
    pid_t pid;
    int pidfd;
    /// Reads csandbox_messages.
    int status;
    /// Reads stdout and stderr; -1 if interactive.
    int output;
    /// The child goes no further than its first steps if this is closed before csandbox_release.
    int lifeline;
};

enum csandbox_kind {
    csandbox_setup_failed = 1,
    csandbox_start_failed = 2,
    /// code is the wait status of the command.
    csandbox_command_ended = 3,
};

/// Written whole, being shorter than PIPE_BUF.
struct csandbox_message {
    int32_t kind;
    /// An errno, or a wait status.
    int32_t code;
    /// What was being done.
    char text[1016];
};

/// Starts the child, which waits for csandbox_release. Returns 0, or an errno with *step naming the system call.
int csandbox_start(const struct csandbox_plan *plan, struct csandbox_child *child, const char **step);

/// Lets the child go on. Returns 0 or an errno.
int csandbox_release(const struct csandbox_child *child);

/// Kills everything in the sandbox: pid 1 takes all with it.
void csandbox_kill(const struct csandbox_child *child);

/// Waits for pid 1 and gives back its wait status.
int csandbox_wait(const struct csandbox_child *child);

/// User and system time of all that ran in the sandbox, in nanoseconds; after its end and before csandbox_wait.
uint64_t csandbox_cpu_time(const struct csandbox_child *child);

/// Tries whether namespaces and mounts are allowed. Returns 0, or an errno with *step naming what was refused.
int csandbox_probe(const char **step);

/// A user namespace that is being made: a child holds it.
struct csandbox_user_namespace {
    pid_t pid;
    int socket;
};

/// Starts a child in a new user namespace, which has no ids yet. Returns 0 or an errno; with 0 it wants
/// csandbox_end_user_namespace.
int csandbox_make_user_namespace(struct csandbox_user_namespace *space);

/// Tries in it, once it has ids, whether it may mount. Returns 0 or an errno.
int csandbox_try_user_namespace(const struct csandbox_user_namespace *space);

/// A descriptor of the namespace, -1 with errno.
int csandbox_open_user_namespace(const struct csandbox_user_namespace *space);

/// Ends the child; the namespace lives on while it is open.
void csandbox_end_user_namespace(const struct csandbox_user_namespace *space);

/// Starts this program anew with these arguments, so that it enters the namespace before main. Returns only if that
/// fails: an errno.
int csandbox_restart_in(int space, char *const *arguments);

/// Why the namespace that this program was started for could not be entered; 0 if it was, or if there was none.
int csandbox_entry_error(void);

/// Removes an extended attribute of a file, not following a symbolic link. Returns 0, also if there was none, or an
/// errno.
int csandbox_remove_attribute(const char *path, const char *name);

/// Whether a file has an extended attribute, not following a symbolic link.
int csandbox_has_attribute(const char *path, const char *name);
