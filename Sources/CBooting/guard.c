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

enum place { LEASH, INPUT, OUTPUT, ERRORS, REPORT, CONTROL, PLACES };

// What the report says: the program's id, or the errno of what failed.
struct report {
    int is_error;
    int value;
};

static int tell(int report, int is_error, int value) {
    struct report message = {is_error, value};
    return write(report, &message, sizeof message) == sizeof message;
}

static _Noreturn void run_program(char *const argv[], const int *ends, pid_t guard) {
    int code = 0;
    // The guard has one thread, so its death is the death of a process, as this promises.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) code = errno;
    if (getppid() != guard) _exit(127);
    for (int place = INPUT; place <= ERRORS; place++) {
        if (code == 0 && dup2(ends[place], place - INPUT) < 0) code = errno;
        close(ends[place]);
    }
    if (code == 0 && ends[CONTROL] >= 0 && dup2(ends[CONTROL], 3) < 0) code = errno;
    if (ends[CONTROL] >= 0) close(ends[CONTROL]);
    if (code == 0) {
        execvp(argv[0], argv);
        code = errno;
    }
    _exit(tell(ends[REPORT], 1, code) ? 127 : 126);
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

static _Noreturn void guard(char *const argv[], const int *given, int grace) {
    setsid();
    reset_signals();
    prctl(PR_SET_NAME, "vm-guard");
    // Ending as the program ended must not leave a core file of ours.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    // First far away, so that no move overwrites another.
    int ends[PLACES];
    for (int place = 0; place < PLACES; place++) ends[place] = given[place] < 0 ? -1 : fcntl(given[place], F_DUPFD, 100);
    for (int place = 0; place < PLACES; place++) {
        if (given[place] < 0) continue;
        ends[place] = moved(ends[place], place);
        if (ends[place] < 0) _exit(126);
    }
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0) _exit(126);
    for (int descriptor = 0; descriptor < 3; descriptor++) dup2(nothing, descriptor);
    for (int descriptor = 3; descriptor < 10; descriptor++) close(descriptor);
    close_from(10 + PLACES);
    fcntl(ends[LEASH], F_SETFD, FD_CLOEXEC);
    fcntl(ends[REPORT], F_SETFD, FD_CLOEXEC);

    pid_t self = getpid();
    pid_t program = _Fork();
    if (program == 0) run_program(argv, ends, self);
    if (program < 0) _exit(tell(ends[REPORT], 1, errno) ? 127 : 126);
    tell(ends[REPORT], 0, program);
    // The caller sees the end of the output when the program ends, not when we do.
    for (int place = INPUT; place < PLACES; place++) {
        if (ends[place] >= 0) close(ends[place]);
    }
    int descriptor = (int)syscall(SYS_pidfd_open, program, 0);
    int status = 0;
    int has_ended = wait_for_end(descriptor, program, ends[LEASH], -1, &status);
    char word;
    if (!has_ended && read(ends[LEASH], &word, 1) == 1) {
        // Set free: it ends when it does, and nobody is told.
        close(ends[LEASH]);
        has_ended = wait_for_end(descriptor, program, -1, -1, &status);
    }
    if (!has_ended) {
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

int start_guarded(char *const argv[], int grace_milliseconds, int control, struct guarded_process *process) {
    int pipes[REPORT + 1][2];
    int made = 0, code = 0;
    while (made <= REPORT && pipe2(pipes[made], O_CLOEXEC) == 0) made++;
    pid_t pid = -1;
    if (made <= REPORT || (pid = fork()) < 0) {
        code = errno;
        goto failed;
    }
    if (pid == 0) {
        int ends[PLACES] = {pipes[LEASH][0], pipes[INPUT][0], pipes[OUTPUT][1], pipes[ERRORS][1], pipes[REPORT][1],
                            control};
        guard(argv, ends, grace_milliseconds);
    }
    close(pipes[LEASH][0]);
    close(pipes[INPUT][0]);
    close(pipes[OUTPUT][1]);
    close(pipes[ERRORS][1]);
    close(pipes[REPORT][1]);
    // The report's other end closes with the exec, or says why there was none.
    struct report message;
    int program = -1;
    ssize_t count;
    while ((count = read(pipes[REPORT][0], &message, sizeof message)) != 0) {
        if (count < 0 && errno == EINTR) continue;
        if (count != sizeof message) break;
        if (message.is_error) code = message.value; else program = message.value;
    }
    close(pipes[REPORT][0]);
    if (code != 0) {
        close(pipes[LEASH][1]);
        close(pipes[INPUT][1]);
        close(pipes[OUTPUT][0]);
        close(pipes[ERRORS][0]);
        wait_for(pid);
        return code;
    }
    *process = (struct guarded_process){
        .pid = pid, .program = program, .leash = pipes[LEASH][1], .input = pipes[INPUT][1],
        .output = pipes[OUTPUT][0], .errors = pipes[ERRORS][0]};
    return 0;
failed:
    for (int index = 0; index < made; index++) {
        close(pipes[index][0]);
        close(pipes[index][1]);
    }
    return code;
}
