package Settings;

# The services of an image without systemd: /etc/microvm/services, which the build writes from the recipe. A line is a key
# and a value; `service NAME` begins one, what stands before the first is the supervisor's own. Words are escaped as in
# the flight record.

use strict;
use warnings;
use Flight;

my %lists  = map { $_ => 1 } qw(command environment after ready);
my %pairs  = map { $_ => 1 } qw(backoff limit);

# The supervisor's own settings and the services, in their order. Dies with what is wrong.
sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    my (%own, @services);
    while (defined(my $line = <$file>)) {
        chomp $line;
        next if $line eq '' || $line =~ /^#/;
        my ($key, @words) = split / /, $line;
        @words = map { Flight::unescape($_) } @words;
        die "$path:$.: $key has no value\n" if !@words;
        if ($key eq 'service') {
            push @services, {
                name => $words[0], user => 'root', restart => 'always', backoff => [1000, 30000], limit => [5, 60000],
                within => 30000, after => [], environment => [], ready => ['start'],
            };
            next;
        }
        my $target = @services ? $services[-1] : \%own;
        $target->{$key} = $lists{$key} || $pairs{$key} ? [@words] : $words[0];
    }
    for my $service (@services) { die "$path: $service->{name} has no command\n" if !$service->{command} }
    return (\%own, @services);
}

1;
