import Foundation
import Recipes
import RootfsModel
import Testing

/// The example of the format's description, whole.
let example = """
    recipe: 1
    name: browser
    description: Chromium on a virtual display, streamed over WebRTC by a supervised Node server
    variables: {fps: 30}

    archive:
      distribution: debian
      suite: bookworm
      pockets: [updates, security]
      components: [main]
      architecture: amd64
      mirror: null
      snapshot: null
      keyring: null
      exclude: [usrmerge]

    layers:
      - name: system
        packages: [systemd-sysv, dbus, iproute2, ca-certificates]
      - name: media
        packages: [gstreamer1.0-tools, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad, gstreamer1.0-nice]
        recommends: false
      - name: browser
        packages: [chromium, xvfb, fonts-dejavu-core]

    node:
      package: nodejs

    kernel:
      package: linux-image-cloud-amd64
      format: vmlinux
      initrd: auto
      modules: [virtio_mmio, virtio_blk, virtio_net]
      arguments: [console=ttyS0, reboot=k, panic=1]

    overlays:
      - overlays/supervisor
      - {source: overlays/webrtc, target: /opt/vm-browser-agent, owner: agent:agent, mode: {"*.sh": 0755}, template: ["*.conf"]}

    users:
      - {name: agent, uid: 1000, home: /home/agent, groups: [video, audio], shell: /usr/sbin/nologin}
    hostname: browser
    timezone: UTC
    locale: C.UTF-8
    files: {/etc/motd: "golden image ${name}\\n"}
    remove: ["/usr/share/doc/*", "/usr/share/man/*"]

    services:
      display:
        command: [/usr/bin/Xvfb, ":99"]
      webrtc:
        command: [/usr/bin/node, /opt/vm-browser-agent/webrtc-server.js]
        user: agent
        after: [display]
        environment: {DISPLAY: ":99"}
        restart: {policy: always, backoff: 1s..30s, limit: 5 in 60s}
        ready: {http: "http://127.0.0.1:8080/healthz", within: 30s}

    image:
      label: browser
      free: 512MiB
      journal: false
      verity: false
      compress: none

    machine: {vcpus: 2, memory: 4GiB}

    boot:
      within: 120s
      expect: ["login:"]

    """

/// The least that a recipe says; more keys follow it.
let least = """
    recipe: 1
    name: small
    archive: {suite: bookworm}
    layers: [{name: base, packages: [systemd-sysv]}]

    """

struct NoSuchFile: Error, CustomStringConvertible {
    var description: String { "no such file" }
}

/// Loads from files in memory; the first one is the recipe.
func load(_ files: [(String, String)], set: [(String, String)] = []) throws(Failures) -> Recipe {
    try Recipe.load(path: files[0].0, set: set) { path in
        guard let file = files.first(where: { $0.0 == path }) else { throw NoSuchFile() }
        return Array(file.1.utf8)
    }
}

func load(_ text: String, set: [(String, String)] = []) throws(Failures) -> Recipe {
    try load([("recipes/a.manifest", text)], set: set)
}

func load(bytes: [UInt8]) throws(Failures) -> Recipe {
    try Recipe.load(path: "recipes/a.manifest") { _ in bytes }
}

/// What loading says is wrong, whole.
func mistakes(_ files: [(String, String)], set: [(String, String)] = []) -> String {
    do {
        _ = try load(files, set: set)
        return "none"
    } catch {
        return error.description
    }
}

func mistakes(_ text: String, set: [(String, String)] = []) -> String {
    mistakes([("recipes/a.manifest", text)], set: set)
}

/// Compares with a golden file; with UPDATE_GOLDEN=1 in the environment it is written instead.
func expectGolden(_ text: String, _ name: String, sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
        try Data(text.utf8).write(to: file)
        return
    }
    let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, "differs from Golden/\(name)", sourceLocation: sourceLocation)
}
