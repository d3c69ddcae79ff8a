internal import RootfsModel

// What is wrong with the program that a unit names.

extension Fault {
    static let exec: [Fault] = [
        Fault(
            name: "wrong-path", summary: "the program is not where the unit says", verdict: "unit-failed",
            cause: ["Failed at step EXEC spawning /usr/local/bin/absent", "status=203/EXEC"], finding: "exec/missing"
        ) { image throws(Failure) in try image.command("/usr/local/bin/absent") },
        Fault(
            name: "wrong-path-in-shell", summary: "a shell is to execute a program that is not there",
            verdict: "unit-failed", cause: ["/usr/local/bin/absent: not found", "code=exited, status=127/"],
            finding: "exec/missing"
        ) { image throws(Failure) in try image.command("/bin/sh -c 'exec /usr/local/bin/absent'") },
        Fault(
            name: "script-missing", summary: "the script that an interpreter is given is not there",
            verdict: "unit-failed", cause: ["/usr/local/bin/absent.sh", "code=exited, status=2/"],
            finding: "exec/script-missing"
        ) { image throws(Failure) in try image.command("/bin/sh /usr/local/bin/absent.sh") },
        Fault(
            name: "library-missing", summary: "the program needs a library that is not in the image",
            verdict: "unit-failed",
            cause: ["error while loading shared libraries: libabsent.so.1", "code=exited, status=127/"],
            finding: "libraries/missing"
        ) { image throws(Failure) in
            try image.program(FaultProgram(interpreter: try image.loader(), needed: ["libabsent.so.1"]).bytes)
        },
        Fault(
            name: "glibc-too-new", summary: "the program was built with a newer C library", verdict: "unit-failed",
            cause: ["version `GLIBC_2.99' not found", "code=exited, status=1/"], finding: "symbols/version"
        ) { image throws(Failure) in
            try image.program(
                FaultProgram(interpreter: try image.loader(), needed: ["libc.so.6"], version: "GLIBC_2.99").bytes)
        },
        Fault(
            name: "cpu-avx2", summary: "the program executes AVX2 on a processor without it, and says so nowhere",
            verdict: "unit-failed", cause: ["SIGILL", "illegal instruction: built for a newer CPU"], finding: nil
        ) { image throws(Failure) in
            try image.program(FaultProgram(usesAVX2: true).bytes, needsOldProcessor: true)
        },
        Fault(
            name: "cpu-level", summary: "the program is marked for x86-64-v3, the processor is older",
            verdict: "unit-failed", cause: ["CPU ISA level is lower than required", "code=exited, status=127/"],
            finding: "cpu/level"
        ) { image throws(Failure) in
            try image.program(
                FaultProgram(interpreter: try image.loader(), needed: ["libc.so.6"], neededISA: 4).bytes,
                needsOldProcessor: true)
        },
        Fault(
            name: "not-executable", summary: "the program's mode is 0644", verdict: "unit-failed",
            cause: ["Failed at step EXEC", "Permission denied"], finding: "exec/not-executable"
        ) { image throws(Failure) in try image.program(Array("#!/bin/sh\nexec sleep 60\n".utf8), mode: 0o644) },
        Fault(
            name: "shebang-missing", summary: "the program is a script without its first line", verdict: "unit-failed",
            cause: ["Failed at step EXEC", "Exec format error"], finding: "exec/format"
        ) { image throws(Failure) in try image.program(Array("exec sleep 60\n".utf8)) },
        Fault(
            name: "shebang-wrong", summary: "the script's interpreter is not there", verdict: "unit-failed",
            cause: ["Failed at step EXEC", "No such file or directory"], finding: "exec/interpreter-missing"
        ) { image throws(Failure) in try image.program(Array("#!/usr/local/bin/absent\n".utf8)) },
    ]
}
