package Machine;

# What process 1 does for a machine: mounts, name, network, the end.

use strict;
use warnings;
use Console;
use Cgroup;
use Linux;

use constant { NOSUID => 2, NODEV => 4, NOEXEC => 8 };

# Before anything can be said: the console is on /dev.
sub mount_all {
    Linux::mount('proc',     '/proc',    NOSUID | NODEV | NOEXEC, '');
    Linux::mount('sysfs',    '/sys',     NOSUID | NODEV | NOEXEC, '');
    Linux::mount('devtmpfs', '/dev',     NOSUID, 'mode=0755');
    Linux::mount('devpts',   '/dev/pts', NOSUID | NOEXEC, 'gid=5,mode=620,ptmxmode=666');
    Linux::mount('tmpfs',    '/dev/shm', NOSUID | NODEV, 'mode=1777');
    Linux::mount('tmpfs',    '/run',     NOSUID | NODEV, 'mode=0755');
    # Sockets and locks of the boot before are gone.
    Linux::mount('tmpfs',    '/tmp',     NOSUID | NODEV, 'mode=1777');
    Linux::mount('cgroup2',  $Cgroup::root, NOSUID | NODEV | NOEXEC, '');
    symlink '/proc/self/fd', '/dev/fd';
    symlink '/proc/self/fd/0', '/dev/stdin';
    symlink '/proc/self/fd/1', '/dev/stdout';
    symlink '/proc/self/fd/2', '/dev/stderr';
    return;
}

sub prepare {
    my ($is_first) = @_;
    umask 022;
    $ENV{PATH} = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    mkdir $_ for '/run/lock';
    my $name = Cgroup::read_file('/etc/hostname') =~ /^([^\s#]+)/m ? $1 : 'localhost';
    Cgroup::write_file('/proc/sys/kernel/hostname', $name);
    Linux::loopback_up() or Console::say_self("lo is not up: $!");
    # Ctrl-alt-del, which is how a VMM asks for an end, becomes a signal.
    Linux::reboot('ctrl-alt-del-signals') if $is_first;
    return;
}

# eth0 from the kernel's command line, where there is one and iproute2.
sub network {
    my ($directory) = @_;
    return if !-e '/sys/class/net/eth0' || !-x "$directory/net-up";
    if (!grep { -x "$_/ip" } qw(/sbin /bin /usr/sbin /usr/bin)) {
        return Console::say_self('eth0 is not set up: the image has no ip (package iproute2)');
    }
    open my $output, '-|', "$directory/net-up 2>&1" or return Console::say_self("net-up: $!");
    while (defined(my $line = <$output>)) { chomp $line; Console::line('microvm-net', $$, $line) }
    close $output or Console::say_self('eth0 is not set up: net-up has failed');
    return;
}

sub shut_down {
    my ($how) = @_;
    kill 'KILL', -1;
    Linux::sync();
    Linux::remount_read_only() or Console::say_self("the root cannot be remounted: $!");
    Console::say_self($how eq 'restart' ? 'restarting' : 'powering off');
    # What was written to a serial line is still on its way.
    select undef, undef, undef, 0.2;
    Linux::reboot($how);
    return;
}

1;
