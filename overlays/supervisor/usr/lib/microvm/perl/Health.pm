package Health;

# The state of the services for who asks by HTTP: 200 where all are as they should be, else 503, with JSON.

use strict;
use warnings;
use Socket;

# A socket that listens at HOST:PORT, an IPv4 address or localhost; undef with $! set.
sub listen_at {
    my ($address) = @_;
    my ($host, $port) = $address =~ /^(.*):(\d+)$/ or return undef;
    my $number = inet_aton($host eq 'localhost' ? '127.0.0.1' : $host) or return undef;
    socket my $listener, AF_INET, SOCK_STREAM, 0 or return undef;
    setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, pack 'i', 1;
    bind $listener, pack_sockaddr_in($port, $number) or return undef;
    listen $listener, 16 or return undef;
    return $listener;
}

sub text {
    my ($value) = @_;
    return 'null' if !defined $value;
    return $value if $value =~ /^-?\d+(?:\.\d+)?$/;
    $value =~ s/(["\\])/\\$1/g;
    $value =~ s/([\x00-\x1F])/sprintf '\\u%04x', ord $1/ge;
    return "\"$value\"";
}

# Each report has name, state, pid, restarts, uptime (seconds) and memory (bytes).
sub json {
    my @reports = @_;
    my $is_well = !grep { $_->{state} !~ /^(?:ready|stopped)$/ } @reports;
    my @services = map {
        my $report = $_;
        '{' . join(', ', map { "\"$_\": " . text($report->{$_}) } qw(name state pid restarts uptime memory)) . '}'
    } @reports;
    return ($is_well, sprintf "{\"ok\": %s, \"services\": [%s]}\n", $is_well ? 'true' : 'false', join ', ', @services);
}

# Answers one who has connected; who does not ask within a second goes without.
sub answer {
    my ($listener, @reports) = @_;
    accept my $client, $listener or return;
    setsockopt $client, SOL_SOCKET, $_, pack 'q2', 1, 0 for SO_RCVTIMEO, SO_SNDTIMEO;
    my $request = '';
    while ($request !~ /\n\r?\n/ && length $request < 8192) {
        sysread $client, $request, 1024, length $request or last;
    }
    my ($is_well, $body) = json(@reports);
    my $status = $request =~ m{^(?:GET|HEAD) } ? $is_well ? '200 OK' : '503 Service Unavailable' : '400 Bad Request';
    my $head = "HTTP/1.0 $status\r\nContent-Type: application/json\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n";
    syswrite $client, $head . ($request =~ /^HEAD / ? '' : $body);
    close $client;
    return;
}

1;
