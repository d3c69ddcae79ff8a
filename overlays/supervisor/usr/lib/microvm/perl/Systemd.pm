package Systemd;

# What systemd and its journal know of a service that ended, for the console and the flight record.

use strict;
use warnings;
use Death;
use Flight;
use Settings;

our $settings_path = '/etc/microvm/services';
our $state         = '/run/microvm';

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
        # systemd's SD_MESSAGE_SPAWN_FAILED.
        my $entry = output_of(qw(journalctl --quiet --boot --output=export --lines=1), "INVOCATION_ID=$invocation",
            'MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7');
        $errno = $1 if $entry =~ /^ERRNO=(\d+)$/m;
        ($step, $reason) = ($1, $2) if $entry =~ /^MESSAGE=.*?Failed at step (\w+) spawning .*: (.*)$/m;
        ($step, $reason) = ('EXEC', $1) if $step eq '-' && $entry =~ /^MESSAGE=.*?Failed to execute .*: (.*)$/m;
    }
    my $started = $properties{ExecMainStartTimestampMonotonic} || 0;
    open my $file, '<', '/proc/sys/kernel/random/boot_id';
    my $boot = $file ? <$file> : '-';
    chomp $boot;
    my $problem = Flight::record({
        %$death, boot => $boot, time => time, now => sprintf('%.3f', $death->{seen}), pid => $properties{ExecMainPID} || 0,
        started => $started ? sprintf('%.3f', $started / 1e6) : '-', argv => $settings->{command}, step => $step,
        errno => $errno, reason => $reason,
    }, $printed);
    print "the flight record is not written: $problem\n" if defined $problem;
    mkdir $state;
    if (open my $mark, '>', "$state/$settings->{name}.recorded") { print $mark $invocation }
    return;
}

sub is_recorded {
    my ($settings, $invocation) = @_;
    open my $mark, '<', "$state/$settings->{name}.recorded" or return 0;
    return (<$mark> // '') eq $invocation;
}

1;
