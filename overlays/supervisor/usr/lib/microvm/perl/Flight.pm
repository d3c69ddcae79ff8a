package Flight;

# The flight record: the last five deaths of each service, in a file that has its final size from the start. The format
# is docs/flight-record.md's. Nothing here but the language: it is loaded at every death.

use strict;
use warnings;

our $path = '/var/lib/microvm/flight-record';
use constant { HEAD => 4096, OUTPUT => 65536, SLOTS => 5, ARGUMENTS => 2048 };

# A byte that is no plain character as % and two digits; an empty word is % alone.
sub escape {
    my ($word) = @_;
    return '%' if $word eq '';
    $word =~ s/([^\x21-\x24\x26-\x7E])/sprintf '%%%02X', ord $1/ge;
    return $word;
}

sub unescape {
    my ($word) = @_;
    return '' if $word eq '%';
    $word =~ s/%([0-9A-F]{2})/chr hex $1/ge;
    return $word;
}

my @table;

sub crc32 {
    my ($bytes) = @_;
    if (!@table) {
        for my $byte (0 .. 255) {
            my $value = $byte;
            $value = $value & 1 ? 0xEDB88320 ^ ($value >> 1) : $value >> 1 for 1 .. 8;
            push @table, $value;
        }
    }
    my $crc = 0xFFFFFFFF;
    $crc = $table[ ($crc ^ $_) & 255 ] ^ ($crc >> 8) for unpack 'C*', $bytes;
    return sprintf '%08x', $crc ^ 0xFFFFFFFF;
}

# A slot's head, by its keys; undef where it is free or damaged.
sub parse {
    my ($head) = @_;
    my ($text, $crc) = $head =~ /\A(.*\n)crc32 ([0-9a-f]{8})\n/s or return undef;
    return undef if crc32($text) ne $crc;
    return { map { /^(\S+) ?(.*)$/ ? ($1, $2) : () } split /\n/, $text };
}

# The arguments that have room, and how many have not.
sub arguments {
    my @left = @_;
    my $text = '';
    while (@left) {
        my $word = ($text eq '' ? '' : ' ') . escape($left[0]);
        last if length($text) + length($word) > ARGUMENTS;
        $text .= $word;
        shift @left;
    }
    return ($text, scalar @left);
}

# The head of a death, its checksum too.
sub head {
    my ($death, $number, $output) = @_;
    my ($words, $left) = arguments(@{ $death->{argv} });
    my $reason = $death->{reason} // '';
    $reason =~ s/([^\x20-\x24\x26-\x7E])/sprintf '%%%02X', ord $1/ge;
    # What has no room in the head is cut.
    $reason = substr $reason, 0, 512;
    my @lines = (
        "service $death->{service}", "death $number", "boot $death->{boot}", "time $death->{time}",
        "uptime $death->{now}", "started $death->{started}", "pid $death->{pid}", "restart $death->{restart}",
        'end ' . ($death->{kind} eq 'none' ? 'none' : "$death->{kind} $death->{value}"), "result $death->{result}",
        "step $death->{step}", "errno $death->{errno}", "reason $reason", "argv $words", "argv-left-out $left",
        'output ' . length $output, 'output-crc32 ' . crc32($output),
    );
    my $text = join '', map {"$_\n"} @lines;
    $text .= 'crc32 ' . crc32($text) . "\n";
    return $text . "\n" x (HEAD - length $text);
}

sub read_at {
    my ($file, $place, $count) = @_;
    sysseek $file, $place, 0 or return '';
    my $bytes = '';
    while (length $bytes < $count) {
        my $read = sysread $file, $bytes, $count - length $bytes, length $bytes;
        last if !$read;
    }
    return $bytes;
}

sub write_at {
    my ($file, $place, $bytes) = @_;
    sysseek $file, $place, 0 or return 0;
    my $done = 0;
    while ($done < length $bytes) {
        my $written = syswrite $file, $bytes, length($bytes) - $done, $done;
        return 0 if !$written;
        $done += $written;
    }
    # Perl has no fsync of its own: the file is open with O_SYNC.
    return 1;
}

# Keeps a death with the last of what was printed. Returns what went wrong; undef where nothing did, or there is no record.
sub record {
    my ($death, $output) = @_;
    # O_RDWR | O_SYNC: each write is on the disk when it returns.
    sysopen my $file, $path, 2 | 0x101000 or return $!{ENOENT} ? undef : "$path: $!";
    flock $file, 2 or return "$path: $!";
    my ($slots) = read_at($file, 0, HEAD) =~ /\Amicrovm-flight-record 1\nslots (\d+)\n/ or return "$path is no flight record";
    my ($number, $chosen, $oldest, $group) = (0, undef, undef, undef);
    for my $slot (0 .. $slots - 1) {
        my $head = read_at($file, HEAD + $slot * (HEAD + OUTPUT), HEAD);
        my $other = parse($head);
        $number = $other->{death} if $other && $other->{death} > $number;
        my ($name) = $head =~ /\Aservice (\S+)\n/;
        # A damaged head belongs to whom its neighbours belong to.
        $group = undef if $slot % SLOTS == 0;
        $group //= $name;
        next if ($name // $group // '') ne $death->{service};
        my $age = $other ? $other->{death} : 0;
        ($chosen, $oldest) = ($slot, $age) if !defined $oldest || $age < $oldest;
    }
    return "$path has no place for $death->{service}" if !defined $chosen;
    $output = substr $output, -OUTPUT() if length $output > OUTPUT;
    my $place = HEAD + $chosen * (HEAD + OUTPUT);
    write_at($file, $place + HEAD, $output) && write_at($file, $place, head($death, $number + 1, $output))
        or return "$path: $!";
    return undef;
}

1;
