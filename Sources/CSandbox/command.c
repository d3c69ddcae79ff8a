#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the system call filter is written for x86-64 and aarch64"
#endif

#define SUCCEED_AT_ONCE(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0)

void csandbox_ignore_sync(void) {
    static const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        SUCCEED_AT_ONCE(fsync),
        SUCCEED_AT_ONCE(fdatasync),
        SUCCEED_AT_ONCE(sync),
        SUCCEED_AT_ONCE(syncfs),
        SUCCEED_AT_ONCE(sync_file_range),
        SUCCEED_AT_ONCE(msync),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = (struct sock_filter *)filter};
    // Without no_new_privs, which would take setuid programs their right; CAP_SYS_ADMIN allows that.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        csandbox_fail(csandbox_setup_failed, "install the system call filter", NULL);
}

#define BIT(capability) (1ULL << (capability))

void csandbox_drop_capabilities(void) {
    // What installing packages needs. Not: mounting, modules, raw devices, the clock, tracing, files by handle.
    static const unsigned long long kept =
        BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) | BIT(CAP_SETGID) |
        BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_BROADCAST) |
        BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_IPC_LOCK) | BIT(CAP_IPC_OWNER) | BIT(CAP_SYS_CHROOT) |
        BIT(CAP_SYS_NICE) | BIT(CAP_SYS_RESOURCE) | BIT(CAP_MKNOD) | BIT(CAP_LEASE) | BIT(CAP_AUDIT_WRITE) | BIT(CAP_SETFCAP);
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++) {
        if (kept & BIT(capability)) continue;
        if (prctl(PR_CAPBSET_DROP, capability) < 0)
            csandbox_fail(csandbox_setup_failed, "drop capabilities", NULL);
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0) csandbox_fail(csandbox_setup_failed, "read capabilities", NULL);
    for (int word = 0; word < 2; word++) {
        data[word].permitted &= (unsigned)(kept >> (32 * word));
        data[word].effective = data[word].permitted;
        data[word].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0) csandbox_fail(csandbox_setup_failed, "drop capabilities", NULL);
}

static void limit(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit current;
    if (getrlimit(resource, &current) < 0) return;
    if (current.rlim_max < hard) hard = current.rlim_max;
    struct rlimit wanted = {.rlim_cur = soft < hard ? soft : hard, .rlim_max = hard};
    setrlimit(resource, &wanted);
}

/// Gives the command to an ordinary user, who may open his own output again by name.
static void become_user(const struct csandbox_plan *plan) {
    if (fchown(1, plan->uid, plan->gid) < 0 || setgroups(plan->group_count, plan->groups) < 0 ||
        setresgid(plan->gid, plan->gid, plan->gid) < 0 || setresuid(plan->uid, plan->uid, plan->uid) < 0)
        csandbox_fail(csandbox_start_failed, "become the user of", plan->arguments[0]);
}

static void take_terminal(void) {
    if (!isatty(0)) return;
    setpgid(0, 0);
    // We are in the background until it is done, where it would stop us.
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpgrp());
    signal(SIGTTOU, SIG_DFL);
}

static _Noreturn void copy_up(char *const *paths) {
    for (size_t i = 0; paths[i]; i++) {
        struct stat status;
        if (lstat(paths[i], &status) < 0 || !S_ISREG(status.st_mode)) continue;
        int file = open(paths[i], O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0) csandbox_fail(csandbox_start_failed, "copy up", paths[i]);
        close(file);
    }
    _exit(0);
}

/// Removes a directory of a lower layer and makes it anew: a whiteout, and the attribute that hides what was in it.
static _Noreturn void probe(void) {
    if (unlink("/d/f") < 0) csandbox_fail(csandbox_start_failed, "remove", "/d/f");
    if (rmdir("/d") < 0) csandbox_fail(csandbox_start_failed, "remove", "/d");
    if (mkdir("/d", 0755) < 0) csandbox_fail(csandbox_start_failed, "make", "/d");
    _exit(0);
}

_Noreturn void csandbox_run_command(const struct csandbox_plan *plan, int root) {
    if (fchdir(root) < 0 || chroot(".") < 0) csandbox_fail(csandbox_setup_failed, "return to the root directory", NULL);
    if (plan->interactive) {
        take_terminal();
    } else {
        setsid();
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0) csandbox_fail(csandbox_setup_failed, "open", "/dev/null");
        if (dup2(null, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
            csandbox_fail(csandbox_setup_failed, "redirect the output", NULL);
    }
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_NOFILE, 1024, 524288);
    limit(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
    if (plan->memory) limit(RLIMIT_DATA, plan->memory, plan->memory);
    umask(022);
    if (plan->probe) probe();
    if (plan->copied_up[0]) copy_up(plan->copied_up);
    if (plan->has_user) become_user(plan);
    if (chdir(plan->directory) < 0) csandbox_fail(csandbox_start_failed, "enter", plan->directory);

    // As a shell does: the first that can be executed; a refusal is remembered over "not there".
    int refused = ENOENT;
    for (size_t i = 0; plan->programs[i]; i++) {
        execve(plan->programs[i], plan->arguments, plan->environment);
        if (errno == ENOENT || errno == ENOTDIR) continue;
        refused = errno;
        if (errno != EACCES) break;
    }
    errno = refused;
    csandbox_fail(csandbox_start_failed, "execute", plan->arguments[0]);
}
