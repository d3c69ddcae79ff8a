package Service;

# One service: its start, its readiness, its output, its end and what follows. States:
#   waiting   for the services it comes after     starting  runs, is not ready yet      ready     runs
#   pausing   until its next start                stopped   ended, as it may            failed    not started again
#   stopping  told to end
# Its main process is `pid`; what it prints comes through the pipe `output`.

use strict;
use warnings;
use Console;
use Linux;
use Cgroup;
use Death;
use Flight;
use Launch;
use Socket qw(AF_UNIX SOCK_DGRAM SOCK_NONBLOCK pack_sockaddr_un);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use POSIX qw(WIFEXITED WEXITSTATUS WTERMSIG);
use Config;

our $directory = '/usr/lib/microvm';
our $state     = '/run/microvm';
our $groups    = 0;

my @signals = split ' ', $Config{sig_name};
my %statuses = (0 => 'SUCCESS', 1 => 'FAILURE', 2 => 'INVALIDARGUMENT', 3 => 'NOTIMPLEMENTED', 200 => 'CHDIR',
    203 => 'EXEC', 205 => 'LIMITS', 216 => 'GROUP', 217 => 'USER', 219 => 'CGROUP');

sub new {
    my ($class, $settings) = @_;
    return bless { %$settings, state => 'waiting', starts => [], restarts => 0, deaths => 0, kept => '' }, $class;
}

sub unit { return "app-$_[0]{name}.service" }

sub tell { my ($self, $text) = @_; return Console::line('microvm', $$, $self->unit . ": $text") }

sub is_settled { return $_[0]{state} =~ /^(?:ready|stopped|failed)$/ }

# Whether those that come after it may start: it is ready, or its first start has come to nothing.
sub lets_others_start { my ($self) = @_; return $self->is_settled || $self->{was_started} && $self->{state} eq 'pausing' }

# Starts it, unless it was started too often.
sub start {
    my ($self) = @_;
    my $now = Linux::now();
    my ($count, $window) = @{ $self->{limit} };
    @{ $self->{starts} } = grep { $_ > $now - $window / 1000 } @{ $self->{starts} };
    if (@{ $self->{starts} } >= $count) { return $self->give_up }
    push @{ $self->{starts} }, $now;
    $self->{restarts}++ if $self->{was_started};
    @$self{qw(state kept partial result failed_step verdict was_started)} = ('starting', '', '', undef, undef, undef, 1);
    delete @$self{qw(ready_pid notified stop_at console_seen)};
    if ($groups) {
        ($self->{cgroup}, my @failed) = Cgroup::make($self);
        $self->tell("the limit $_ could not be set") for @failed;
        $self->{oom_before} = Cgroup::oom_kills($self->{cgroup});
    }
    my %more;
    if ($self->{watchdog}) {
        $self->open_notify or return;
        %more = (NOTIFY_SOCKET => "$state/$self->{name}.notify", WATCHDOG_USEC => $self->{watchdog} * 1000);
    }
    pipe my $output, my $child_output or return $self->could_not_start('PIPE', $!);
    pipe my $report, my $child_report or return $self->could_not_start('PIPE', $!);
    my $pid = fork;
    return $self->could_not_start('FORK', $!) if !defined $pid;
    if (!$pid) {
        POSIX::setsid();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $child_output;
        open STDERR, '>&', $child_output;
        Launch::become($self, $child_report, $self->{cgroup}, $self->{command}, %more);
    }
    close $child_output;
    close $child_report;
    # The end of this pipe tells that the program was reached, or what step failed.
    my $failure = '';
    while (1) {
        my $read = sysread $report, $failure, 64, length $failure;
        next if !defined $read && $!{EINTR};
        last if !$read;
    }
    fcntl $output, F_SETFL, fcntl($output, F_GETFL, 0) | O_NONBLOCK;
    @$self{qw(pid started output deadline)} = ($pid, Linux::now(), $output, $now + $self->{within} / 1000);
    if (my ($step, $errno) = $failure =~ /^([A-Z]+) (\d+)/) {
        @$self{qw(failed_step failed_errno)} = ($step, $errno);
        local $! = $errno;
        my ($name) = $self->{command}[0] =~ m{([^/]*)\z};
        $self->{verdict} = $self->unit . ": Failed at step $step spawning $self->{command}[0]: $!";
        return Console::line("($name)", $pid, $self->{verdict});
    }
    # With a watchdog it says itself that it has started.
    $self->probe if !$self->{watchdog};
    return;
}

sub could_not_start {
    my ($self, $step, $error) = @_;
    @$self{qw(pid started failed_step failed_errno result)} = (0, undef, $step, $error + 0, 'resources');
    $self->tell("Failed at step $step: $error");
    return $self->ended('none', 0);
}

sub open_notify {
    my ($self) = @_;
    my $path = "$state/$self->{name}.notify";
    unlink $path;
    my $account = eval { Launch::account($self) };
    if (   socket($self->{notify}, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)
        && bind($self->{notify}, pack_sockaddr_un($path))
        && chmod(0600, $path)
        && ($> != 0 || !$account || chown $account->{uid}, $account->{gid}, $path))
    {
        return 1;
    }
    $self->could_not_start('NOTIFY', $!);
    return 0;
}

# Begins to look whether it is ready. What waits is another program's work, which says on the console what came of it.
sub probe {
    my ($self) = @_;
    my ($kind, @words) = @{ $self->{ready} };
    if ($kind eq 'start') { return $self->is_ready('start') }
    if ($kind eq 'console') { $self->is_ready("console @words") if $self->{console_seen}; return }
    pipe my $output, my $child_output or return;
    my $pid = fork // return;
    if (!$pid) {
        POSIX::setsid();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $child_output;
        open STDERR, '>&', $child_output;
        Launch::become($self, $child_output, $self->{cgroup},
            ["$directory/ready", $self->{within}, $kind, @words], MAINPID => $self->{pid});
    }
    close $child_output;
    fcntl $output, F_SETFL, fcntl($output, F_GETFL, 0) | O_NONBLOCK;
    @$self{qw(ready_pid ready_output ready_partial)} = ($pid, $output, '');
    $self->{deadline} += 15;
    return;
}

# Says so, where the check has not said it.
sub is_ready {
    my ($self, $words) = @_;
    if (defined $words) {
        Console::line("app-$self->{name}", $self->{pid}, sprintf 'ready after %.1fs: %s', Linux::now() - $self->{started}, $words);
    }
    $self->{state} = 'ready';
    delete $self->{deadline};
    $self->{watchdog_at} = Linux::now() + $self->{watchdog} / 1000 if $self->{watchdog};
    return;
}

# Its check has ended.
sub check_ended {
    my ($self, $status) = @_;
    $self->read_ready;
    delete $self->{ready_pid};
    return if $self->{state} ne 'starting';
    if ($status == 0) { $self->is_ready(undef) } else { $self->end_it('TERM', 'exit-code') }
    return;
}

# Takes what it has printed, some of it; whether there may be more at once.
sub read_output {
    my ($self) = @_;
    my $output = $self->{output} or return 0;
    my $read = sysread $output, my $bytes, 8192;
    if (!$read) {
        delete $self->{output} if defined $read;
        return 0;
    }
    $self->{kept} = substr $self->{kept} . $bytes, -Flight::OUTPUT();
    $self->{partial} .= $bytes;
    while ((my $end = index $self->{partial}, "\n") >= 0) {
        $self->print_line(substr $self->{partial}, 0, $end);
        substr $self->{partial}, 0, $end + 1, '';
    }
    # A line without an end is cut somewhere.
    if (length $self->{partial} > 16384) { $self->print_line($self->{partial}); $self->{partial} = '' }
    return 1;
}

sub print_line {
    my ($self, $line) = @_;
    Console::line("app-$self->{name}", $self->{pid}, $line);
    my ($kind, $text) = @{ $self->{ready} };
    if ($kind eq 'console' && !$self->{console_seen} && index($line, $text) >= 0) {
        $self->{console_seen} = 1;
        # With a watchdog it has to say READY=1 besides.
        $self->is_ready("console $text") if $self->{state} eq 'starting' && (!$self->{watchdog} || $self->{notified});
    }
    return;
}

sub read_ready {
    my ($self) = @_;
    my $output = $self->{ready_output} or return;
    while (1) {
        my $read = sysread $output, my $bytes, 8192;
        delete $self->{ready_output} if defined $read && !$read;
        last if !$read;
        $self->{ready_partial} .= $bytes;
    }
    while ($self->{ready_partial} =~ s/\A([^\n]*)\n//) { Console::line("app-$self->{name}", $self->{ready_pid} // 0, $1) }
    return;
}

# What it says by sd_notify.
sub read_notify {
    my ($self) = @_;
    while (defined recv $self->{notify}, my $message, 4096, 0) {
        if ($message =~ /^READY=1$/m && $self->{state} eq 'starting' && !$self->{notified}) {
            $self->{notified} = 1;
            $self->{deadline} = $self->{started} + $self->{within} / 1000;
            $self->probe;
        }
        $self->{watchdog_at} = Linux::now() + $self->{watchdog} / 1000 if $message =~ /^WATCHDOG=1$/m && $self->{watchdog_at};
        $self->bark if $message =~ /^WATCHDOG=trigger$/m;
    }
    return;
}

sub bark {
    my ($self) = @_;
    $self->tell(sprintf 'Watchdog timeout (limit %gs)!', $self->{watchdog} / 1000);
    return $self->end_it('ABRT', 'watchdog');
}

# Sends a signal to all of it; what still runs some seconds later is killed.
sub end_it {
    my ($self, $signal, $result) = @_;
    $self->{result} //= $result;
    delete @$self{qw(deadline watchdog_at)};
    $self->send($_) for $signal, 'CONT';
    $self->{stop_at} = Linux::now() + ($signal eq 'ABRT' ? 2 : 10);
    return;
}

sub send {
    my ($self, $signal) = @_;
    if ($self->{cgroup}) { Cgroup::signal($self->{cgroup}, $signal) }
    else                 { kill $signal, -$self->{pid} }
    return;
}

# Told to end for good.
sub stop {
    my ($self) = @_;
    if (!$self->{pid}) { $self->{state} = 'stopped'; return }
    $self->{state} = 'stopping';
    return $self->end_it('TERM', 'success');
}

# What is due by now.
sub tick {
    my ($self) = @_;
    my $now = Linux::now();
    if ($self->{state} eq 'pausing' && $now >= $self->{start_at}) { $self->start }
    if ($self->{watchdog_at} && $now >= $self->{watchdog_at}) { $self->bark }
    if ($self->{stop_at} && $now >= $self->{stop_at}) { delete $self->{stop_at}; $self->send('KILL') }
    if ($self->{deadline} && $now >= $self->{deadline}) {
        my ($kind, @words) = @{ $self->{ready} };
        my ($words, $last) = ("$kind @words", 'the check did not end');
        ($words, $last) = ("$kind @words", 'no line with this text') if $kind eq 'console';
        ($words, $last) = ('notify', 'no READY=1 came') if $self->{watchdog} && !$self->{notified};
        Console::line("app-$self->{name}", $self->{pid}, sprintf 'NOT READY within %.1fs: %s: %s', $self->{within} / 1000, $words, $last);
        $self->end_it('TERM', 'timeout');
    }
    return;
}

# When something is due; undef where nothing is.
sub next_time {
    my ($self) = @_;
    my @times = grep { defined } @$self{qw(watchdog_at stop_at deadline)};
    push @times, $self->{start_at} if $self->{state} eq 'pausing';
    return (sort { $a <=> $b } @times)[0];
}

# Its main process has ended with this status of wait(2).
sub reap {
    my ($self, $status) = @_;
    return $self->ended('exited', WEXITSTATUS($status)) if WIFEXITED($status);
    return $self->ended($status & 128 ? 'dumped' : 'killed', $signals[WTERMSIG($status)]);
}

sub ended {
    my ($self, $kind, $value) = @_;
    my $now = Linux::now();
    my $was = $self->{state};
    my $oom = $self->{cgroup} && Cgroup::oom_kills($self->{cgroup}) > $self->{oom_before};
    # Children that are left go with it; then all that was printed is in the pipe.
    $self->send('KILL') if $self->{pid};
    while ($self->read_output) { }
    if (($self->{partial} // '') ne '') { $self->print_line($self->{partial}); $self->{partial} = '' }
    delete @$self{qw(output notify deadline watchdog_at stop_at)};
    if ($self->{ready_pid}) {
        Console::line("app-$self->{name}", $self->{ready_pid}, 'NOT READY: its process ended') if $was eq 'starting' && !$self->{result};
        kill 'KILL', $self->{ready_pid};
        delete @$self{qw(ready_pid ready_output)};
    }
    if ($oom) { $self->tell('A process of this unit has been killed by the OOM killer.') }
    my $result = $oom ? 'oom-kill' : $self->{result};
    my $is_clean = $kind eq 'exited' && $value eq 0;
    $result //= $is_clean ? 'success' : $kind eq 'exited' ? 'exit-code' : $kind eq 'dumped' ? 'core-dump' : 'signal';
    if ($kind ne 'none' && !$is_clean && $result ne 'success') {
        my $number = $value;
        if ($kind ne 'exited') { ($number) = grep { $signals[$_] eq $value } 0 .. $#signals }
        my $name = $kind eq 'exited' ? $statuses{$value} // 'n/a' : $value;
        $self->tell("Main process exited, code=$kind, status=$number/$name");
    }
    my %death = (
        service => $self->{name}, kind => $kind, value => $value, result => $result, restart => $self->{restarts},
        uptime => defined $self->{started} ? int($now - $self->{started}) : 0,
    );
    my $pid = $self->{pid};
    if ($result eq 'success') {
        Console::line("app-$self->{name}", $pid, 'ENDED ' . $self->unit . ': ' . Death::words(\%death));
    } else {
        my $line = Death::line(\%death);
        $self->{verdict} //= $line;
        Console::line("app-$self->{name}", $pid, $line);
        $self->record(\%death, $now);
    }
    $self->{pid} = 0;
    if ($was eq 'stopping' || $result eq 'success' && $self->{restart} ne 'always') { $self->{state} = 'stopped'; return }
    if ($self->{restart} eq 'never') { return $self->give_up }
    my ($least, $most) = @{ $self->{backoff} };
    $self->{deaths} = 0 if Death::has_run_well($death{uptime}, $most);
    $self->{start_at} = $now + Death::pause($self->{deaths}++, $least, $most) / 1000;
    $self->{state} = 'pausing';
    return;
}

sub record {
    my ($self, $death, $now) = @_;
    my $errno = $self->{failed_errno};
    my $reason = defined $self->{failed_step} ? do { local $! = $errno; "$!" } : Death::hint($death);
    my ($boot) = Cgroup::read_file('/proc/sys/kernel/random/boot_id') =~ /(\S+)/;
    my $problem = Flight::record({
        %$death, boot => $boot // '-', time => time, now => sprintf('%.3f', $now), pid => $self->{pid} // 0,
        started => defined $self->{started} ? sprintf('%.3f', $self->{started}) : '-', argv => $self->{command},
        step => $self->{failed_step} // '-', errno => defined $self->{failed_step} ? $errno : 0, reason => $reason,
    }, $self->{kept});
    $self->tell("the flight record is not written: $problem") if defined $problem;
    return;
}

# What is asked of its health.
sub report {
    my ($self) = @_;
    return {
        name => $self->{name}, state => $self->{state}, pid => $self->{pid} || undef, restarts => $self->{restarts},
        uptime => $self->{pid} ? sprintf('%.1f', Linux::now() - $self->{started}) : undef,
        memory => $self->{pid} && $self->{cgroup} ? Cgroup::memory($self->{cgroup}) : undef,
    };
}

# No more starts; its last words once more.
sub give_up {
    my ($self) = @_;
    $self->{state} = 'failed';
    Console::say_self('GAVE UP on ' . $self->unit . ' (no more restarts). Last lines:');
    my @lines = split /\n/, $self->{kept} // '';
    @lines = ($self->{verdict} // 'it printed nothing') if !@lines;
    splice @lines, 0, @lines - 12 if @lines > 12;
    Console::say_self("  | $_") for @lines;
    return;
}

1;
