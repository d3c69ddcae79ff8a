package Console;

# Lines for the console and the log: `[   12.804123] app-web[153]: text`, as journald writes them.

use strict;
use warnings;
use Linux;

my ($console, $log, $log_path, $complained);

# The console's path; nothing stands for stdout.
sub open_console {
    my ($path) = @_;
    if (defined $path) { open $console, '>', $path or open $console, '>&', \*STDOUT }
    else               { open $console, '>&', \*STDOUT }
}

# Tells once where the log cannot be kept.
sub open_log {
    ($log_path) = @_;
    open $log, '>>', $log_path or do { $log = undef; complain() };
}

sub complain {
    my $reason = "$!";
    return if $complained++;
    line('microvm', $$, "$log_path cannot be kept: $reason");
}

sub line {
    my ($name, $pid, $text) = @_;
    my $line = sprintf "[%12.6f] %s[%d]: %s\n", Linux::now(), $name, $pid, $text;
    write_all($console, $line);
    write_all($log, $line) or complain() if $log;
    return;
}

# The supervisor's own words.
sub say_self { return line('microvm', $$, $_[0]) }

sub write_all {
    my ($file, $text) = @_;
    my $done = 0;
    while ($done < length $text) {
        my $written = syswrite $file, $text, length($text) - $done, $done;
        next if !defined $written && $!{EINTR};
        return 0 if !$written;
        $done += $written;
    }
    return 1;
}

1;
