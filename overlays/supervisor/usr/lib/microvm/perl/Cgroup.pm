package Cgroup;

# Control groups (version 2) of the services, where systemd would put them too: app.slice/app-NAME.service. Without them,
# as an ordinary user, a service is a session of its own.

use strict;
use warnings;

our $root = '/sys/fs/cgroup';

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', $path or return 0;
    return defined syswrite $file, $text;
}

sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    local $/ = undef;
    return <$file> // '';
}

# Whether services get groups.
sub prepare {
    return 0 if !-e "$root/cgroup.subtree_control";
    write_file("$root/cgroup.subtree_control", '+memory +pids') or return 0;
    mkdir "$root/app.slice";
    return write_file("$root/app.slice/cgroup.subtree_control", '+memory +pids');
}

# Makes a service's group with its limits; the limits that could not be set.
sub make {
    my ($service) = @_;
    my $path = "$root/app.slice/app-$service->{name}.service";
    mkdir $path;
    my %wanted = ('memory.oom.group' => 1);
    if (defined $service->{memory}) { @wanted{qw(memory.max memory.swap.max)} = ($service->{memory}, 0) }
    $wanted{'pids.max'} = $service->{tasks} if defined $service->{tasks};
    my @failed = grep { !write_file("$path/$_", $wanted{$_}) && $_ ne 'memory.swap.max' } sort keys %wanted;
    return ($path, @failed);
}

# How many of the group's processes were killed for memory.
sub oom_kills { return read_file("$_[0]/memory.events") =~ /^oom_kill (\d+)/m ? $1 : 0 }

sub processes { return split ' ', read_file("$_[0]/cgroup.procs") }

sub memory { return read_file("$_[0]/memory.current") =~ /^(\d+)/ ? $1 : 0 }

sub signal {
    my ($path, $signal) = @_;
    return if $signal eq 'KILL' && write_file("$path/cgroup.kill", 1);
    kill $signal, processes($path);
    return;
}

1;
