package Death;

# How a service ended, in the words of the console. A death is a hash:
#   service  its name            kind    exited, killed, dumped, none (no process was started)
#   value    status, or the      result  systemd's word: success, exit-code, signal, core-dump, oom-kill, watchdog …
#            signal without SIG  restart how often it had been started again; uptime: for how many seconds it ran
# Nothing here but the language: it is loaded at every end of a service.

use strict;
use warnings;

# `exit status 3`, `signal SIGSEGV, core dumped`.
sub words {
    my ($death) = @_;
    return "exit status $death->{value}"             if $death->{kind} eq 'exited';
    return "signal SIG$death->{value}"               if $death->{kind} eq 'killed';
    return "signal SIG$death->{value}, core dumped"  if $death->{kind} eq 'dumped';
    return 'no process was started';
}

my %results = (
    'oom-kill'  => 'killed for memory: give the machine more, or the service less to do',
    'watchdog'  => 'it stopped answering its watchdog',
    'timeout'   => 'it was not ready, or did not stop, in the time it had',
    'resources' => 'systemd could not set it up: an EnvironmentFile= or another resource is missing',
);

my %statuses = (
    0   => 'it ended by itself, which a service does not',
    70  => 'an internal error, or a helper of its died; its words are above',
    78  => 'it refused its configuration; its words are above',
    126 => 'found, but not executable: mode, or built for another architecture',
    127 => 'a program, a shared library or a symbol version was not found; the line above names it',
    200 => 'its working directory does not exist',
    203 => 'it could not be executed: path wrong, not executable, or its ELF interpreter or #! line names something that is not there',
    205 => 'a limit of its resources could not be set',
    216 => 'its group does not exist in the image',
    217 => 'its user does not exist in the image',
    226 => 'a path in its sandbox settings (ReadWritePaths= and the like) does not exist',
    132 => 'ILL', 133 => 'TRAP', 134 => 'ABRT', 135 => 'BUS', 137 => 'KILL', 139 => 'SEGV', 143 => 'TERM',
);

my %signals = (
    ILL  => 'illegal instruction: built for a newer CPU than this machine has (AVX2, x86-64-v3)',
    TRAP => 'it stopped itself on a failed check; for Chromium, a missing data file',
    ABRT => 'it aborted itself; its words are above. Node: /usr/share/nodejs incomplete?',
    BUS  => 'bus error: a library or data file is cut short, or the disk is full',
    KILL => 'killed from outside: out of memory, or kill -9',
    SEGV => 'segmentation fault',
    TERM => 'stopped because its readiness check failed, or from outside',
);

# What the end most likely means.
sub hint {
    my ($death) = @_;
    my $known = $results{ $death->{result} };
    return $known if $known;
    my $value = $death->{value};
    # A shell tells of a signal by a status above 128.
    $value = $statuses{$value} // '' if $death->{kind} eq 'exited';
    return $signals{$value} if $death->{kind} ne 'none' && $signals{$value};
    return $value if $death->{kind} eq 'exited' && $value;
    return 'its own words are above';
}

# The line that tells of a death.
sub line {
    my ($death) = @_;
    return "DIED app-$death->{service}.service: " . words($death)
        . ", result=$death->{result}, restart #$death->{restart}, uptime $death->{uptime}s -- " . hint($death);
}

# The pause before the next start, in milliseconds, after so many deaths in a row before this one.
sub pause {
    my ($deaths, $least, $most) = @_;
    my $pause = $least;
    while ($deaths-- > 0 && $pause < $most) { $pause *= 2 }
    return $pause < $most ? $pause : $most;
}

# Whether a service that ran for so many seconds begins to count its deaths anew.
sub has_run_well {
    my ($uptime, $most) = @_;
    return $uptime * 1000 >= $most * 2;
}

1;
