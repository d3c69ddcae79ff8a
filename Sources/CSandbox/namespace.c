#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A process with threads cannot enter a user namespace. So a child makes it, the program starts itself anew with the
// namespace as an open descriptor, and enters it before main: it keeps its process id, its terminal, its signals and
// its exit status.

/// Names the descriptor. Whoever sets it himself enters a namespace of his own, which he may anyway: the program is not
/// setuid.
static const char marker[] = "ROOTFS_BUILD_USER_NAMESPACE";
static int entry_error = 0;

__attribute__((constructor)) static void enter_user_namespace(void) {
    const char *text = getenv(marker);
    if (!text) return;
    char *end;
    long descriptor = strtol(text, &end, 10);
    int valid = end != text && *end == 0 && descriptor > STDERR_FILENO && descriptor < 1 << 20;
    unsetenv(marker);
    if (!valid) {
        entry_error = EBADF;
    } else if (setns((int)descriptor, CLONE_NEWUSER) < 0) {
        entry_error = errno;
    } else {
        close((int)descriptor);
        // The kernel takes /proc/self from who gained capabilities; the exec before it was our own.
        prctl(PR_SET_DUMPABLE, 1);
        // Who was executed as /proc/self/exe is listed as exe.
        prctl(PR_SET_NAME, program_invocation_short_name);
    }
}

int csandbox_entry_error(void) { return entry_error; }

/// Waits to be asked, tries what a sandbox needs, and answers; then holds the namespace until the other end is closed.
static _Noreturn void hold_namespace(int other) {
    char byte;
    if (recv(other, &byte, 1, 0) != 1) _exit(0);
    int code = 0;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) code = errno;
    if (send(other, &code, sizeof code, MSG_NOSIGNAL) == sizeof code) recv(other, &byte, 1, 0);
    _exit(0);
}

int csandbox_make_user_namespace(struct csandbox_user_namespace *space) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = csandbox_clone(CLONE_NEWUSER, NULL);
    if (pid == 0) {
        close(ends[0]);
        hold_namespace(ends[1]);
    }
    int error = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (error != 0) close(ends[0]);
    *space = (struct csandbox_user_namespace){.pid = pid, .socket = ends[0]};
    return error;
}

int csandbox_try_user_namespace(const struct csandbox_user_namespace *space) {
    int code = 0;
    ssize_t count = -1;
    if (send(space->socket, "", 1, MSG_NOSIGNAL) == 1)
        do count = recv(space->socket, &code, sizeof code, 0);
        while (count < 0 && errno == EINTR);
    return count == sizeof code ? code : ESRCH;
}

int csandbox_open_user_namespace(const struct csandbox_user_namespace *space) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", space->pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void csandbox_end_user_namespace(const struct csandbox_user_namespace *space) {
    close(space->socket);
    while (waitpid(space->pid, NULL, __WALL) < 0 && errno == EINTR) continue;
}

int csandbox_restart_in(int space, char *const *arguments) {
    size_t count = 0;
    while (environ[count]) count++;
    char *environment[count + 2];
    char setting[sizeof marker + 16];
    snprintf(setting, sizeof setting, "%s=%d", marker, space);
    memcpy(environment, environ, count * sizeof *environment);
    environment[count] = setting;
    environment[count + 1] = NULL;
    fcntl(space, F_SETFD, 0);
    // This may be a thread that the runtime keeps signals from; the new program's first one must get them.
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", arguments, environment);
    return errno;
}
