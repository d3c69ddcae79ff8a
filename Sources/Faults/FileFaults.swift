internal import RootfsModel

// Files that are gone: what a program finds missing when it runs.

extension Fault {
    static let files: [Fault] = [
        Fault(
            name: "node-script-missing", summary: "the Node server's script is not there", verdict: "unit-failed",
            cause: ["Cannot find module", "code=exited, status=1/"], finding: "exec/script-missing"
        ) { image throws(Failure) in
            try image.nodeCommand()
            return try image.command("/usr/bin/node /usr/local/lib/absent.js")
        },
        Fault(
            name: "icu-missing", summary: "the ICU library that Node is linked with is gone", verdict: "unit-failed",
            cause: ["error while loading shared libraries: libicu", "code=exited, status=127/"],
            finding: "libraries/missing"
        ) { image throws(Failure) in
            try image.nodeCommand()
            return try image.removal(in: "/usr/lib", of: "libicui18n.so") {
                $0.path.name.starts(with: "libicui18n.so".utf8)
            }
        },
        Fault(
            name: "node-builtins-missing", summary: "the builtin modules that Debian's node keeps as files are gone",
            verdict: "unit-failed", cause: ["Cannot load externalized builtin", "status=6/ABRT"],
            finding: "node/external-builtin"
        ) { image throws(Failure) in
            try image.nodeCommand()
            let names = ["undici", "acorn", "cjs-module-lexer"].map { Array($0.utf8) }
            return try image.removal(in: "/usr/share/nodejs", of: "undici") {
                $0.path.parent == image.tree.resolve("/usr/share/nodejs") && names.contains(Array($0.path.name))
            }
        },
        Fault(
            name: "gstreamer-missing", summary: "GStreamer's plugins are gone", verdict: "unit-failed",
            cause: ["missing GStreamer elements", "code=exited, status=78/"], finding: "modules/gstreamer"
        ) { image throws(Failure) in
            try image.removal(in: "/usr/lib", of: "GStreamer plugins") {
                $0.path.name.starts(with: "libgst".utf8)
                    && $0.path.parent?.name.elementsEqual("gstreamer-1.0".utf8) == true
            }
        },
    ]
}

extension FaultyImage {
    /// Throws unless the service runs Node.
    func nodeCommand() throws(Failure) {
        let text = String(decoding: try contents(unit), as: UTF8.self)
        guard text.split(separator: "\n").contains(where: { $0.hasPrefix("ExecStart=") && $0.contains("/node") }) else {
            throw Failure("service \(service) does not run Node", hint: "name the one that does with --fault-service")
        }
    }
}
