#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void csandbox_send(enum csandbox_kind kind, int code, const char *step, const char *path) {
    struct csandbox_message message = {.kind = (int32_t)kind, .code = code};
    size_t used = 0;
    const char *parts[] = {step, path ? " " : "", path ? path : ""};
    for (size_t part = 0; part < 3; part++)
        for (const char *c = parts[part]; *c && used < sizeof message.text - 1; c++) message.text[used++] = *c;
    ssize_t written;
    do written = write(status_fd, &message, sizeof message);
    while (written < 0 && errno == EINTR);
}

_Noreturn void csandbox_fail(enum csandbox_kind kind, const char *step, const char *path) {
    csandbox_send(kind, errno, step, path);
    _exit(127);
}

pid_t csandbox_clone(unsigned long flags, int *pidfd) {
    // The third argument is the same on x86-64 and aarch64; the two behind it change places and are null.
    return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, NULL);
}

static void reset_signals(void) {
    // The kernel's own structure: handler, flags, restorer, mask. The C library does not let go of signals 32 and 33.
    static const unsigned long default_action[4] = {0};
    for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, default_action, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// Moves the three descriptors to their places and closes all others but stdin, stdout and stderr.
static void arrange_descriptors(int status, int output, int lifeline) {
    // First out of the way of the places, then into them.
    int high_status = fcntl(status, F_DUPFD_CLOEXEC, 16);
    int high_lifeline = fcntl(lifeline, F_DUPFD_CLOEXEC, 16);
    int high_output = output < 0 ? -1 : fcntl(output, F_DUPFD_CLOEXEC, 16);
    if (high_status < 0 || dup3(high_status, status_fd, O_CLOEXEC) < 0) _exit(126);
    if (high_lifeline < 0 || dup3(high_lifeline, lifeline_fd, O_CLOEXEC) < 0)
        csandbox_fail(csandbox_setup_failed, "duplicate a pipe", NULL);
    if (output >= 0 && (high_output < 0 || dup3(high_output, output_fd, O_CLOEXEC) < 0))
        csandbox_fail(csandbox_setup_failed, "duplicate a pipe", NULL);
    if (output < 0) close(output_fd);
    if (syscall(SYS_close_range, first_free_fd, ~0U, 0) < 0)
        csandbox_fail(csandbox_setup_failed, "close_range", NULL);
}

/// Reaps until the command has ended, then ends all that it left behind.
static _Noreturn void supervise(pid_t command) {
    int status = 0, command_status = 0;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid == command) {
            command_status = status;
            break;
        }
        if (pid < 0 && errno != EINTR) csandbox_fail(csandbox_setup_failed, "wait for the command", NULL);
    }
    // Reaping them before our own end means that their mounts are gone when the builder hears of it.
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR) continue;
    csandbox_send(csandbox_command_ended, command_status, "", NULL);
    _exit(0);
}

/// Waits until the parent has the means to end us. Ends if there is no parent any more.
static void await_release(void) {
    char byte;
    ssize_t count;
    do count = read(lifeline_fd, &byte, 1);
    while (count < 0 && errno == EINTR);
    if (count != 1) _exit(125);
}

static _Noreturn void run_first_process(const struct csandbox_plan *plan, int status, int output, int lifeline) {
    // Sent when the thread that started us ends, which is no sooner than this run; the read from the lifeline closes
    // the race.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "sandbox");
    arrange_descriptors(status, output, lifeline);
    reset_signals();
    await_release();
    umask(0);
    if (!plan->interactive) setsid();
    csandbox_name_host(plan);
    csandbox_raise_loopback();
    csandbox_enter_root(plan);
    csandbox_ignore_sync();
    if (plan->ignores_sleep) csandbox_ignore_sleep();
    csandbox_drop_capabilities();

    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    // Programs that ask whether they run in a chroot compare / with /proc/1/root. libc6 and systemd behave well only
    // there.
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) csandbox_fail(csandbox_setup_failed, "open the root directory", NULL);
    if (chroot("/dev/shm") < 0 || chdir("/") < 0)
        csandbox_fail(csandbox_setup_failed, "change the root directory of pid 1", NULL);

    pid_t command = csandbox_clone(SIGCHLD, NULL);
    if (command < 0) csandbox_fail(csandbox_setup_failed, "fork", NULL);
    if (command == 0) csandbox_run_command(plan, root);
    close(root);
    close(0);
    close(1);
    close(2);
    close(output_fd);
    csandbox_forget_memory(maps);
    supervise(command);
}

static const unsigned long namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;

int csandbox_start(const struct csandbox_plan *plan, struct csandbox_child *child, const char **step) {
    int status[2] = {-1, -1}, output[2] = {-1, -1}, lifeline[2] = {-1, -1};
    int error = 0;
    *step = "pipe";
    if (pipe2(status, O_CLOEXEC) < 0 || pipe2(lifeline, O_CLOEXEC) < 0 ||
        (!plan->interactive && pipe2(output, O_CLOEXEC) < 0))
        error = errno;
    if (error == 0) {
        // No handler of the builder may run in the child.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int pidfd = -1;
        // No exit signal: nobody else's wait(-1) can take this child, and an ignored SIGCHLD does not lose it.
        pid_t pid = csandbox_clone(namespaces | CLONE_PIDFD, &pidfd);
        if (pid == 0) run_first_process(plan, status[1], output[1], lifeline[0]);
        if (pid < 0) error = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        *step = "clone into new namespaces";
        child->pid = pid;
        child->pidfd = pidfd;
    }
    if (status[1] >= 0) close(status[1]);
    if (output[1] >= 0) close(output[1]);
    if (lifeline[0] >= 0) close(lifeline[0]);
    if (error != 0) {
        if (status[0] >= 0) close(status[0]);
        if (output[0] >= 0) close(output[0]);
        if (lifeline[1] >= 0) close(lifeline[1]);
        return error;
    }
    child->status = status[0];
    child->output = output[0];
    child->lifeline = lifeline[1];
    if (child->output >= 0) fcntl(child->output, F_SETFL, O_NONBLOCK);
    return 0;
}

int csandbox_release(const struct csandbox_child *child) {
    ssize_t written;
    // A child that is dead already must not kill us with SIGPIPE.
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    do written = write(child->lifeline, "", 1);
    while (written < 0 && errno == EINTR);
    int error = written == 1 ? 0 : errno;
    if (error == EPIPE) {
        struct timespec none = {0};
        sigtimedwait(&pipe, NULL, &none);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void csandbox_kill(const struct csandbox_child *child) {
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

int csandbox_wait(const struct csandbox_child *child) {
    int status = 0;
    while (waitpid(child->pid, &status, __WALL) < 0 && errno == EINTR) continue;
    return status;
}

int csandbox_probe(const char **step) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = csandbox_clone(namespaces, NULL);
    if (pid == 0) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) _exit(errno);
        _exit(mount("tmpfs", "/proc", "tmpfs", 0, NULL) < 0 ? errno : 0);
    }
    int error = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *step = "make namespaces";
    if (pid < 0) return error;
    int status = 0;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) continue;
    *step = "mount";
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
