#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static void require(int ok, const char *step, const char *path) {
    if (!ok) csandbox_fail(csandbox_setup_failed, step, path);
}

static void mount_on(const char *type, const char *path, unsigned long flags, const char *options) {
    if (mount(type, path, type, flags, options) == 0) return;
    int code = errno;
    char step[32] = "mount ";
    strncat(step, type, sizeof step - 12);
    strcat(step, " on");
    errno = code;
    csandbox_fail(csandbox_setup_failed, step, path);
}

void csandbox_name_host(const struct csandbox_plan *plan) {
    require(sethostname(plan->hostname, strlen(plan->hostname)) == 0, "set the host name to", plan->hostname);
    // The domain would be the host's.
    require(setdomainname("(none)", 6) == 0, "set the domain name", NULL);
}

void csandbox_raise_loopback(void) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(descriptor >= 0, "open a socket", NULL);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    require(ioctl(descriptor, SIOCSIFFLAGS, &request) == 0, "bring up interface", "lo");
    close(descriptor);
}

/// A detached copy of what is mounted at a path, to be attached where only the new root is in reach.
static int copy_mount(const char *path, unsigned recursive, const char *named) {
    int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
    require(tree >= 0, "copy the mount of", named);
    return tree;
}

static void attach_mount(int tree, const char *path) {
    require(move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0, "mount on", path);
    close(tree);
}

/// Builds /dev under the name dev: only devices that give nothing of the host away.
static void make_devices(void) {
    static const char *const nodes[][2] = {
        {"/dev/null", "dev/null"},     {"/dev/zero", "dev/zero"},       {"/dev/full", "dev/full"},
        {"/dev/random", "dev/random"}, {"/dev/urandom", "dev/urandom"}, {"/dev/tty", "dev/tty"},
    };
    static const char *const links[][2] = {
        {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
    };
    require(mkdir("dev", 0755) == 0, "make directory", "/dev");
    mount_on("tmpfs", "dev", MS_NOSUID | MS_NODEV, "mode=0755");
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        int file = open(nodes[i][1], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        require(file >= 0, "make", nodes[i][0]);
        close(file);
        require(mount(nodes[i][0], nodes[i][1], NULL, MS_BIND, NULL) == 0, "bind-mount", nodes[i][0]);
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        require(symlink(links[i][0], links[i][1]) == 0, "make symbolic link", links[i][1]);
    require(mkdir("dev/shm", 0755) == 0 && mkdir("dev/pts", 0755) == 0, "make directories in", "/dev");
    mount_on("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_on("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
}

// A program that exits with 0, whatever its name and its arguments, in any tree: no interpreter, no library.
static const unsigned char no_operation[] = {
    0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 64 bits, little endian
    2, 0,                                                     // executable
#if defined(__x86_64__)
    62, 0,
#elif defined(__aarch64__)
    183, 0,
#else
#error "the program that does nothing is written for x86-64 and aarch64"
#endif
    1, 0, 0, 0,
    0x78, 0, 0x40, 0, 0, 0, 0, 0,                             // entry: behind the headers
    64, 0, 0, 0, 0, 0, 0, 0,                                  // program headers at 64
    0, 0, 0, 0, 0, 0, 0, 0,                                   // no sections
    0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0,        // sizes; one program header
    1, 0, 0, 0, 5, 0, 0, 0,                                   // load, readable and executable
    0, 0, 0, 0, 0, 0, 0, 0,                                   // from the start of the file
    0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,     // to 0x400000
    0x84, 0, 0, 0, 0, 0, 0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0,     // 132 bytes
    0, 0, 1, 0, 0, 0, 0, 0,                                   // aligned for pages of up to 64 KiB
#if defined(__x86_64__)
    0x31, 0xff, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b, 0x90,  // edi = 0; eax = exit_group; syscall; ud2
#else
    0x00, 0x00, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,  // x0 = 0; x8 = exit_group; svc
#endif
};

static void make_no_operation(void) {
    int file = open("no-operation", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
    require(file >= 0, "make the program that does nothing", NULL);
    require(write(file, no_operation, sizeof no_operation) == sizeof no_operation, "write the program that does nothing", NULL);
    close(file);
}

/// Copies every mount that comes from the host, while the host is in reach.
static void collect_mounts(const struct csandbox_plan *plan, size_t *count) {
    size_t slot = 0;
    for (size_t i = 0; plan->bind_hosts[i]; i++) {
        int tree = copy_mount(plan->bind_hosts[i], AT_RECURSIVE, plan->bind_hosts[i]);
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
        require(mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0,
                "make read-only", plan->bind_hosts[i]);
        plan->mounts[slot++] = tree;
    }
    for (size_t i = 0; plan->neutralized[i]; i++)
        plan->mounts[slot++] = copy_mount("no-operation", 0, "the program that does nothing");
    *count = slot;
}

static void attach_collected_mounts(const struct csandbox_plan *plan) {
    size_t slot = 0;
    for (size_t i = 0; plan->bind_hosts[i]; i++) attach_mount(plan->mounts[slot++], plan->bind_insides[i]);
    for (size_t i = 0; plan->neutralized[i]; i++) {
        struct stat status;
        int tree = plan->mounts[slot++];
        // The name itself is replaced: behind a symbolic link may be a program with many names.
        if (lstat(plan->neutralized[i], &status) < 0 || S_ISDIR(status.st_mode))
            close(tree);
        else {
            require(move_mount(tree, "", AT_FDCWD, plan->neutralized[i], MOVE_MOUNT_F_EMPTY_PATH) == 0, "neutralize",
                    plan->neutralized[i]);
            close(tree);
        }
    }
}

static void make_read_only(const char *path) {
    // Kernels without one of them have nothing to protect there.
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 && errno == ENOENT) return;
    require(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
            "make read-only", path);
}

/// Device nodes of the tree are content, not devices.
static void mount_tree(const struct csandbox_plan *plan) {
    if (!plan->tree) {
        require(mount("overlay", "root", "overlay", MS_NODEV, plan->overlay_options) == 0, "mount overlayfs", NULL);
        return;
    }
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV};
    require(mount(plan->tree, "root", NULL, MS_BIND, NULL) == 0, "bind-mount", plan->tree);
    require(mount_setattr(AT_FDCWD, "root", 0, &attributes, sizeof attributes) == 0, "forbid devices in", plan->tree);
}

void csandbox_enter_root(const struct csandbox_plan *plan) {
    require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make mounts private", NULL);
    // The scratch directory needs a place that exists on every host and holds no layer: the old /proc is not needed any
    // more.
    mount_on("tmpfs", "/proc", MS_NOSUID | MS_NODEV, "mode=0755");
    require(chdir("/proc") == 0 && mkdir("root", 0755) == 0, "make directory", "root");
    for (size_t i = 0; plan->link_names[i]; i++)
        require(symlink(plan->link_targets[i], plan->link_names[i]) == 0, "name the layer", plan->link_targets[i]);
    mount_tree(plan);
    make_devices();
    make_no_operation();
    size_t count = 0;
    collect_mounts(plan, &count);
    int devices = copy_mount("dev", AT_RECURSIVE, "/dev");
    // In a user namespace the kernel mounts these two only while the host's are still in sight.
    require(mkdir("proc", 0755) == 0 && mkdir("sys", 0755) == 0, "make directories for", "/proc and /sys");
    mount_on("proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_on("sysfs", "sys", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    int processes = copy_mount("proc", 0, "/proc");
    int system = copy_mount("sys", 0, "/sys");

    require(chdir("root") == 0, "enter the tree", NULL);
    // The old root comes to lie on top of the new one, and is lifted off.
    require(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root", NULL);
    require(umount2(".", MNT_DETACH) == 0, "unmount the old root", NULL);
    require(chdir("/") == 0, "enter the new root", NULL);

    attach_mount(devices, "/dev");
    attach_mount(processes, "/proc");
    attach_mount(system, "/sys");
    // Not all of the kernel's settings are inside a namespace.
    make_read_only("/proc/sys");
    make_read_only("/proc/sysrq-trigger");
    attach_collected_mounts(plan);
}

int csandbox_remove_attribute(const char *path, const char *name) {
    if (lremovexattr(path, name) == 0 || errno == ENODATA || errno == EOPNOTSUPP) return 0;
    return errno;
}

int csandbox_has_attribute(const char *path, const char *name) {
    return lgetxattr(path, name, NULL, 0) >= 0;
}
