internal import RootfsModel

// What keeps the machine itself from coming up.

extension Fault {
    static let machine: [Fault] = [
        Fault(
            name: "no-serial-console",
            summary: "the kernel's arguments turn the serial console off, as Firecracker's defaults do",
            verdict: "no-console", cause: [], finding: "log/no-console"
        ) { image throws(Failure) in
            Planting(withoutArguments: ["console"], arguments: ["console=null", "8250.nr_uarts=0"])
        },
        Fault(
            name: "nomodule", summary: "the kernel may load no module, and the disk's driver is one",
            verdict: "no-root-device", cause: ["Operation not permitted", "root device"], finding: "kernel/nomodule"
        ) { image throws(Failure) in Planting(arguments: ["nomodule"]) },
        Fault(
            name: "root-device-absent", summary: "root= names a disk that the machine does not have",
            verdict: "no-root-device", cause: ["/dev/vdz"], finding: "kernel/root-argument"
        ) { image throws(Failure) in Planting(withoutArguments: ["root"], arguments: ["root=/dev/vdz"]) },
        Fault(
            name: "init-missing", summary: "there is no init", verdict: "no-init", cause: ["init"],
            finding: "kernel/init"
        ) { image throws(Failure) in Planting(withoutArguments: ["init"], arguments: ["init=/sbin/absent"]) },
        Fault(
            name: "init-not-executable", summary: "init's mode is 0644", verdict: "no-init",
            cause: ["init"], finding: "kernel/init"
        ) { image throws(Failure) in try image.initScript("", mode: 0o644) },
        Fault(
            name: "init-ends", summary: "init ends, and the kernel panics", verdict: "kernel-panic",
            cause: ["Kernel panic - not syncing: Attempted to kill init!"], finding: nil
        ) { image throws(Failure) in try image.initScript("exit 1\n", mode: 0o755) },
    ]
}

extension FaultyImage {
    /// A script of a shell as init.
    fileprivate func initScript(_ lines: String, mode: UInt16) throws(Failure) -> Planting {
        let path = "/usr/local/sbin/init"
        let program = try file(path, Array("#!/bin/sh\n\(lines)".utf8), mode: mode)
        var planting = Planting(change: TreeChange(puts: [program]))
        planting.withoutArguments = ["init"]
        planting.arguments = ["init=\(path)"]
        return planting
    }
}
