package Launch;

# Starts a program as a service: its user, limits, place and control group. What fails before the program is reached is
# told by the step's name and the system's error number, as systemd does it.

use strict;
use warnings;
use Linux;

my %codes = (CHDIR => 200, EXEC => 203, LIMITS => 205, GROUP => 216, USER => 217, CGROUP => 219);

# The user's numbers and what belongs to them; dies with a step that fails.
sub account {
    my ($service) = @_;
    my $user = $service->{user};
    my @entry = $user =~ /^\d+$/ ? getpwuid $user : getpwnam $user;
    die "USER 3\n" if !@entry && $user !~ /^\d+$/;
    my ($name, $uid, $gid, $home, $shell) = @entry ? @entry[0, 2, 3, 7, 8] : ($user, $user, $user, '/', '/bin/sh');
    if (defined(my $group = $service->{group})) {
        $gid = $group =~ /^\d+$/ ? $group : getgrnam $group;
        die "GROUP 3\n" if !defined $gid;
    }
    my @groups = $gid;
    setgrent;
    while (my (undef, undef, $number, $members) = getgrent) {
        push @groups, $number if grep { $_ eq $name } split ' ', $members;
    }
    return { name => $name, uid => $uid, gid => $gid, groups => \@groups, home => $home, shell => $shell };
}

# What systemd gives, then the service's own.
sub environment {
    my ($service, $account, %more) = @_;
    my %environment = (PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
    if (open my $locale, '<', '/etc/default/locale') {
        while (defined(my $line = <$locale>)) { $environment{$1} = $2 if $line =~ /^(LANG|LC_\w+)="?([^"\s]*)/ }
    }
    if ($account->{uid} != 0) {
        @environment{qw(USER LOGNAME HOME SHELL)} = @$account{qw(name name home shell)};
    }
    for (@{ $service->{environment} }) { $environment{$1} = $2 if /^([^=]+)=(.*)$/s }
    return (%environment, %more);
}

# In the child: becomes the program. Ends with one of systemd's statuses where that cannot be, after it wrote the step and
# the error's number to `report`.
sub become {
    my ($service, $report, $cgroup, $words, %more) = @_;
    my $step = eval {
        if (defined $cgroup) {
            open my $file, '>', "$cgroup/cgroup.procs" or die 'CGROUP ' . ($! + 0) . "\n";
            syswrite $file, $$ or die 'CGROUP ' . ($! + 0) . "\n";
        }
        my $account = account($service);
        Linux::limit(7, $service->{files} // 65536) || !defined $service->{files} or die 'LIMITS ' . ($! + 0) . "\n";
        Linux::limit(4, 0);
        if ($> == 0) {
            # The first stands for the group itself, the rest are set beside it.
            $) = "$account->{gid} @{ $account->{groups} }";
            $( = $account->{gid};
            ($<, $>) = ($account->{uid}, $account->{uid});
            die "USER 1\n" if $> != $account->{uid} || $< != $account->{uid};
        }
        chdir($service->{directory} // '/') or die 'CHDIR ' . ($! + 0) . "\n";
        $SIG{$_} = 'DEFAULT' for qw(PIPE CHLD TERM INT HUP USR1 USR2);
        local %ENV = environment($service, $account, %more, exists $more{WATCHDOG_USEC} ? (WATCHDOG_PID => $$) : ());
        no warnings 'exec';
        exec { $words->[0] } @$words;
        die 'EXEC ' . ($! + 0) . "\n";
    } || $@;
    $step = "EXEC 0\n" if $step !~ /^[A-Z]+ \d+$/;
    syswrite $report, $step;
    require POSIX;
    POSIX::_exit($codes{ (split ' ', $step)[0] });
}

1;
