internal import RootfsModel

// What a unit asks for and the image does not have.

extension Fault {
    static let unit: [Fault] = [
        Fault(
            name: "user-missing", summary: "the unit's user does not exist", verdict: "unit-failed",
            cause: ["Failed at step USER", "status=217/USER"], finding: "exec/user"
        ) { image throws(Failure) in try image.settings(["User=absent"]) },
        Fault(
            name: "working-directory-missing", summary: "the unit's working directory does not exist",
            verdict: "unit-failed", cause: ["Failed at step CHDIR", "status=200/CHDIR"],
            finding: "exec/working-directory"
        ) { image throws(Failure) in try image.settings(["WorkingDirectory=/srv/absent"]) },
        Fault(
            name: "environment-file-missing", summary: "the unit's environment file does not exist",
            verdict: "unit-failed", cause: ["Failed to load environment files", "Failed with result 'resources'"],
            finding: "exec/environment-file"
        ) { image throws(Failure) in try image.settings(["EnvironmentFile=/etc/absent.env"]) },
        Fault(
            name: "writable-path-missing", summary: "a path that the unit is to write to does not exist",
            verdict: "unit-failed", cause: ["Failed at step NAMESPACE", "status=226/NAMESPACE"],
            finding: "write/namespace"
        ) { image throws(Failure) in
            try image.settings(["ProtectSystem=strict", "ReadWritePaths=/srv/absent"])
        },
    ]
}
