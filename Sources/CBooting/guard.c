#define _GNU_SOURCE
#include "CBooting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Everything between fork and exec is async-signal-safe: the caller has threads.

static void reset_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(unsigned first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
    struct rlimit limit;
    unsigned end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (unsigned)limit.rlim_cur : 65536;
    for (unsigned descriptor = first; descriptor < end; descriptor++) close((int)descriptor);
}

// Puts a descriptor at 10 + place, out of the way of 0, 1 and 2.
static int moved(int descriptor, int place) {
    return descriptor == 10 + place ? descriptor : dup3(descriptor, 10 + place, 0);
}

static _Noreturn void run_program(char *const argv[], int output, int errors, int report, pid_t guard) {
    int code = 0;
    // The guard has one thread, so its death is the death of a process, as this promises.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) code = errno;
    if (getppid() != guard) _exit(127);
    if (code == 0 && (dup2(output, 1) < 0 || dup2(errors, 2) < 0)) code = errno;
    if (code == 0) {
        close(output);
        close(errors);
        execvp(argv[0], argv);
        code = errno;
    }
    if (write(report, &code, sizeof code) < 0) _exit(126);
    _exit(127);
}

static int wait_for(pid_t program) {
    int status = 0;
    while (waitpid(program, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

// Waits until the program has ended or the leash is let go; false when the time passed first.
static int wait_for_end(int program_descriptor, pid_t program, int leash, int milliseconds, int *status) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        if (waitpid(program, status, WNOHANG) == program) return 1;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long passed = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
        if (milliseconds >= 0 && passed >= milliseconds) return 0;
        int timeout = milliseconds < 0 ? -1 : milliseconds - (int)passed;
        // Without pidfds (before Linux 5.3) the end is looked for ten times a second.
        if (program_descriptor < 0 && (timeout < 0 || timeout > 100)) timeout = 100;
        struct pollfd waits[2] = {
            {.fd = leash, .events = POLLIN},
            {.fd = program_descriptor, .events = POLLIN},
        };
        if (poll(waits, 2, timeout) > 0 && waits[0].revents != 0) return 0;
    }
}

static _Noreturn void guard(char *const argv[], int leash, int output, int errors, int report, int grace) {
    setsid();
    reset_signals();
    prctl(PR_SET_NAME, "vm-guard");
    // Ending as the program ended must not leave a core file of ours.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    // First far away, so that no move overwrites another.
    int far = fcntl(leash, F_DUPFD, 100), far_output = fcntl(output, F_DUPFD, 100);
    int far_errors = fcntl(errors, F_DUPFD, 100), far_report = fcntl(report, F_DUPFD, 100);
    leash = moved(far, 0);
    output = moved(far_output, 1);
    errors = moved(far_errors, 2);
    report = moved(far_report, 3);
    int nothing = open("/dev/null", O_RDWR);
    if (leash < 0 || output < 0 || errors < 0 || report < 0 || nothing < 0) _exit(126);
    for (int descriptor = 0; descriptor < 3; descriptor++) dup2(nothing, descriptor);
    for (int descriptor = 3; descriptor < 10; descriptor++) close(descriptor);
    close_from(14);
    fcntl(leash, F_SETFD, FD_CLOEXEC);
    fcntl(report, F_SETFD, FD_CLOEXEC);

    pid_t self = getpid();
    pid_t program = _Fork();
    if (program == 0) run_program(argv, output, errors, report, self);
    if (program < 0) {
        int code = errno;
        if (write(report, &code, sizeof code) < 0) _exit(126);
        _exit(127);
    }
    // The caller sees the end of the output when the program ends, not when we do.
    close(output);
    close(errors);
    close(report);
    int descriptor = (int)syscall(SYS_pidfd_open, program, 0);
    int status = 0;
    if (!wait_for_end(descriptor, program, leash, -1, &status)) {
        kill(program, SIGTERM);
        if (!wait_for_end(descriptor, program, -1, grace, &status)) {
            kill(program, SIGKILL);
            status = wait_for(program);
        }
    }
    if (WIFSIGNALED(status)) {
        kill(self, WTERMSIG(status));
        pause();
    }
    _exit(WEXITSTATUS(status));
}

int start_guarded(char *const argv[], int grace_milliseconds, struct guarded_process *process) {
    int pipes[4][2];  // leash, output, errors, report
    int made = 0, code = 0;
    while (made < 4 && pipe2(pipes[made], O_CLOEXEC) == 0) made++;
    if (made < 4) {
        code = errno;
        goto failed;
    }
    pid_t pid = fork();
    if (pid < 0) {
        code = errno;
        goto failed;
    }
    if (pid == 0) guard(argv, pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1], grace_milliseconds);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    close(pipes[3][1]);
    // The report's other end closes with the exec, or says why there was none.
    ssize_t count;
    while ((count = read(pipes[3][0], &code, sizeof code)) < 0 && errno == EINTR) {}
    close(pipes[3][0]);
    if (count == sizeof code) {
        close(pipes[0][1]);
        close(pipes[1][0]);
        close(pipes[2][0]);
        wait_for(pid);
        return code;
    }
    *process = (struct guarded_process){
        .pid = pid, .leash = pipes[0][1], .output = pipes[1][0], .errors = pipes[2][0]};
    return 0;
failed:
    for (int index = 0; index < made; index++) {
        close(pipes[index][0]);
        close(pipes[index][1]);
    }
    return code;
}
