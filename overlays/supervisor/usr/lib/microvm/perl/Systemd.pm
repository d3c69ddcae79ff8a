package Systemd;

# What systemd and its journal know of a service that ended, for the console and the flight record.

use strict;
use warnings;
use Death;
use Flight;
use Settings;

our $settings_path = '/etc/microvm/services';
our $state         = '/run/microvm';

# systemd's SD_MESSAGE_SPAWN_FAILED and SD_MESSAGE_UNIT_PROCESS_EXIT.
my $spawn_failed = '641257651c1b4ec9a8624d7a40a9e1e7';
my $process_exit = '98e322203f7a4ed290d09fe03c09fe15';

# A program's output; empty where it cannot run.
sub output_of {
    my @words = @_;
    open my $output, '-|', @words or return '';
    local $/ = undef;
    return <$output> // '';
}

# The settings of a recipe's service by its unit's name: what is not there has the defaults of the format.
sub settings {
    my ($unit) = @_;
    my ($name) = $unit =~ /^app-(.*)\.service$/;
    my (undef, @services) = eval { Settings::read_file($settings_path) };
    my ($found) = grep { $_->{name} eq ($name // $unit) } @services;
    return $found // { name => $name // $unit, command => [], backoff => [1000, 30000], within => 30000, restart => 'always' };
}

sub properties {
    my ($unit) = @_;
    my $names = 'NRestarts,ExecMainPID,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,'
        . 'ActiveEnterTimestampMonotonic,Restart,Result,InvocationID';
    return map { /^(\w+)=(.*)$/ ? ($1, $2) : () } split /\n/, output_of('systemctl', 'show', "--property=$names", $unit);
}

sub now {
    open my $file, '<', '/proc/uptime' or return 0;
    return (split ' ', <$file>)[0];
}

# How often a service has ended in this boot, and how often in a row, with no long time between.
sub counts {
    my ($name) = @_;
    open my $file, '<', "$state/$name.ends" or return (ends => 0, deaths => 0);
    my ($ends, $deaths) = split ' ', <$file> // '';
    return (ends => $ends // 0, deaths => $deaths // 0);
}

sub keep_counts {
    my ($name, %counts) = @_;
    mkdir $state;
    if (open my $file, '>', "$state/$name.ends") { print $file "$counts{ends} $counts{deaths}\n" }
    return;
}

# When systemd started this program, in seconds since boot (proc(5): field 22, in hundredths): on a busy machine some time
# before it comes to work.
sub own_start {
    open my $file, '<', '/proc/self/stat' or return now();
    my $line = <$file>;
    return (split ' ', $line =~ s/^.*\) //sr)[19] / 100;
}

# Keeps a death, which was seen at that many seconds since boot, with what the journal has of this start.
sub record {
    my ($death, $settings, $invocation, %properties) = @_;
    my $printed = output_of(qw(journalctl --quiet --boot --output=cat --lines=4000 _TRANSPORT=stdout),
        "_SYSTEMD_INVOCATION_ID=$invocation");
    # The supervisor's programs print where the service does.
    $printed =~ s/^(?:ready after \d|NOT READY|DIED app-|ENDED app-).*\n//mg;
    my ($step, $errno, $reason) = ('-', 0, Death::hint($death));
    if ($death->{kind} eq 'exited' && $death->{value} >= 200) {
        my ($entry) = entries("INVOCATION_ID=$invocation", "MESSAGE_ID=$spawn_failed");
        $errno = $entry->{ERRNO} // 0;
        my $said = $entry->{MESSAGE} // '';
        ($step, $reason) = ($1, $2) if $said =~ /Failed at step (\w+) spawning .*?: (.*)/;
        ($step, $reason) = ('EXEC', $1) if $step eq '-' && $said =~ /Failed to execute .*?: (.*)/;
    }
    my $started = $properties{ExecMainStartTimestampMonotonic} || 0;
    open my $file, '<', '/proc/sys/kernel/random/boot_id';
    my $boot = $file ? <$file> : '-';
    chomp $boot;
    my $problem = Flight::record({
        %$death, boot => $boot, time => $death->{time} // time, now => sprintf('%.3f', $death->{seen}), pid => $properties{ExecMainPID} || 0,
        started => $started ? sprintf('%.3f', $started / 1e6) : '-', argv => $settings->{command}, step => $step,
        errno => $errno, reason => $reason,
    }, $printed);
    print "the flight record is not written: $problem\n" if defined $problem;
    return;
}

# The last deaths of a unit in this boot for which systemd could not start report-exit either, oldest first: as many as a
# flight record holds.
sub missed {
    my ($unit) = @_;
    my @missed = entries("UNIT=$unit", "MESSAGE_ID=$spawn_failed", 'EXECUTABLE=/usr/lib/microvm/report-exit');
    my ($first) = sort { $b <=> $a } 0, @missed - Flight::SLOTS();
    my @deaths;
    for my $number ($first .. $#missed) {
        my $invocation = $missed[$number]{INVOCATION_ID} // next;
        my ($end) = grep { ($_->{COMMAND} // '') eq 'ExecStart' }
            entries("INVOCATION_ID=$invocation", "MESSAGE_ID=$process_exit");
        next if !$end;
        my ($spawn) = entries("INVOCATION_ID=$invocation", "MESSAGE_ID=$spawn_failed");
        my ($name) = $unit =~ /^app-(.*)\.service$/;
        push @deaths, {
            service => $name // $unit, invocation => $invocation, kind => $end->{EXIT_CODE} // 'exited',
            value => $end->{EXIT_STATUS} // 0, result => 'exit-code', restart => $number, uptime => 0,
            pid => $spawn->{_PID} // 0, seen => ($end->{__MONOTONIC_TIMESTAMP} // 0) / 1e6,
            time => int(($end->{__REALTIME_TIMESTAMP} // 0) / 1e6),
        };
    }
    return @deaths;
}

# The journal's entries of this boot that match, oldest first, as hashes.
sub entries {
    my @matches = @_;
    # Fields of several lines, as _SELINUX_CONTEXT can be, would look like the ends of entries.
    my $text = output_of(qw(journalctl --quiet --boot --output=export),
        '--output-fields=MESSAGE,ERRNO,INVOCATION_ID,COMMAND,EXIT_CODE,EXIT_STATUS,_PID', @matches);
    return map { +{ map { /^(\w+)=(.*)$/ ? ($1, $2) : () } split /\n/ } } split /\n\n/, $text;
}

1;
