import Foundation
import Storage
import SystemPackage
import Testing

/// Deaths that systemd can start no report for, which the supervisor's programs take from the journal.
@Suite struct MissedDeathTests {
    private static let modules = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "overlays/supervisor/usr/lib/microvm/perl").path

    /// journalctl over the entries in a file of fields, one a line: it matches fields as the real one does, and leaves
    /// out the fields that nobody asked for.
    private static let journalctl = #"""
        #!/usr/bin/perl
        use strict;
        use warnings;
        my %wanted  = map { $_ => 1 } map { /^--output-fields=(.*)/ ? split(/,/, $1) : () } @ARGV;
        my @matches = grep { /^[A-Z_]+=/ } @ARGV;
        open my $file, '<', 'entries' or die;
        local $/ = '';
        while (my $entry = <$file>) {
            next if grep { $entry !~ /^\Q$_\E$/m } @matches;
            for my $line (split /\n/, $entry) {
                my ($key, $value) = $line =~ /^(\w+)=(.*)/;
                next if %wanted && !$wanted{$key} && $key !~ /^__/;
                # A value with a line feed is written as its size and its bytes.
                print $value =~ /\\n/ ? "$key\n" . pack('Q<', length($value) - 1) . $value =~ s/\\n/\n/r . "\n" : "$line\n";
            }
            print "\n";
        }

        """#

    private static func spawnFailed(_ start: Int, _ program: String) -> String {
        """
        __REALTIME_TIMESTAMP=\(1_700_000_000 + start)500000
        __MONOTONIC_TIMESTAMP=\(start)000000
        _SELINUX_CONTEXT=unconfined\\n
        MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7
        UNIT=app-web.service
        INVOCATION_ID=start\(start)
        EXECUTABLE=\(program)
        ERRNO=2
        MESSAGE=app-web.service: Failed at step CHDIR spawning \(program): No such file or directory
        _PID=10\(start)

        """
    }

    private static func exited(_ start: Int, _ command: String, _ status: Int) -> String {
        """
        __REALTIME_TIMESTAMP=\(1_700_000_000 + start)700000
        __MONOTONIC_TIMESTAMP=\(start)250000
        _SELINUX_CONTEXT=unconfined\\n
        MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15
        UNIT=app-web.service
        INVOCATION_ID=start\(start)
        COMMAND=\(command)
        EXIT_CODE=exited
        EXIT_STATUS=\(status)

        """
    }

    @Test func `the last five are found with when and how they ended`() throws {
        let scratch = try Scratch("missed")
        // The third is one that report-exit could tell of.
        let entries = (1...7).flatMap { start in
            start == 3
                ? [Self.exited(start, "ExecStart", 1)]
                : [
                    Self.spawnFailed(start, "/bin/web"), Self.exited(start, "ExecStart", 200),
                    Self.spawnFailed(start, "/usr/lib/microvm/report-exit"), Self.exited(start, "ExecStopPost", 226),
                ]
        }
        try writeFile(Array(entries.joined(separator: "\n").utf8), to: scratch.path.appending("entries"))
        let program = scratch.path.appending("journalctl")
        try writeFile(Array(Self.journalctl.utf8), to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.string)
        let ending = try Running(
            [
                "perl", "-I\(Self.modules)", "-MSystemd", "-e",
                #"print join(' ', @$_{qw(service kind value restart pid time seen)}), "\n" for Systemd::missed('app-web.service')"#,
            ], in: scratch.path, environment: ["PATH=\(scratch.path):/usr/bin:/bin", "LC_ALL=C.UTF-8"]
        ).wait()
        #expect(ending.stderr == "")
        #expect(
            ending.stdout == """
                web exited 200 1 102 1700000002 2.25
                web exited 200 2 104 1700000004 4.25
                web exited 200 3 105 1700000005 5.25
                web exited 200 4 106 1700000006 6.25
                web exited 200 5 107 1700000007 7.25

                """)
    }
}
