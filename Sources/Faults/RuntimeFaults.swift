internal import RootfsModel

// What goes wrong only while it runs.

extension Fault {
    static let runtime: [Fault] = [
        Fault(
            name: "out-of-memory", summary: "the service takes more memory than its limit", verdict: "out-of-memory",
            cause: ["oom-kill"], finding: nil
        ) { image throws(Failure) in
            try image.command("/usr/bin/tail /dev/zero", ["MemoryMax=64M", "MemorySwapMax=0", "ExecStartPost="])
        },
        Fault(
            name: "helper-killed", summary: "a helper process of the service is killed after it was ready",
            verdict: "died", cause: ["helper ended: 137", "code=exited, status=70/"], finding: nil, soak: 90
        ) { image throws(Failure) in
            let script = """
                #!/bin/sh
                # A service with a helper: when the helper goes, so does this.
                sleep 3600 &
                helper=$!
                (sleep 15; kill -9 $helper) &
                wait $helper
                echo "helper ended: $?"
                exit 70

                """
            return try image.program(Array(script.utf8))
        },
        Fault(
            name: "watchdog", summary: "the service stops answering its watchdog", verdict: "died",
            cause: ["Watchdog timeout", "it stopped answering its watchdog"], finding: nil, soak: 120
        ) { image throws(Failure) in
            let script = """
                #!/bin/sh
                # Answers its watchdog for a while, and stops as a hung program does.
                systemd-notify --ready
                for turn in 1 2 3 4 5; do
                    sleep 3
                    systemd-notify WATCHDOG=1
                done
                kill -STOP $$

                """
            return try image.program(
                Array(script.utf8), ["Type=notify", "NotifyAccess=all", "WatchdogSec=20s", "TimeoutStartSec=90s"])
        },
        Fault(
            name: "not-ready", summary: "the service runs and never becomes ready", verdict: "not-ready",
            cause: ["NOT READY within 5.0s: tcp 127.0.0.1:9: no connection to 127.0.0.1:9"], finding: nil
        ) { image throws(Failure) in
            try image.command(
                "/bin/sleep infinity",
                ["ExecStartPost=", "ExecStartPost=/usr/lib/microvm/ready 5000 tcp 127.0.0.1:9", "TimeoutStartSec=60s"])
        },
        Fault(
            name: "exits", summary: "the service ends at once with a status of its own", verdict: "unit-failed",
            cause: ["no configuration at /etc/absent.json", "code=exited, status=3/"], finding: nil
        ) { image throws(Failure) in
            try image.command("/bin/sh -c 'echo no configuration at /etc/absent.json >&2; exit 3'")
        },
        Fault(
            name: "crash", summary: "the service dies of a segmentation fault", verdict: "unit-failed",
            cause: ["status=11/SEGV"], finding: nil
        ) { image throws(Failure) in try image.command("/bin/sh -c 'kill -SEGV $$$$'") },
    ]
}
