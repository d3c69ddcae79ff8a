import Debian
import Dpkg
import RootfsModel
import Testing

@testable import Pipeline

/// What makes a layer stale and what does not.
@Suite struct LayerKeyTests {
    private static func package(_ name: String, _ layer: String, version: String = "1.0") -> Lock.Package {
        Lock.Package(
            name: name, version: version, architecture: "amd64", size: 1, sha256: Digest(hashing: name + version),
            filename: "pool/\(name).deb", pocket: "bookworm", purpose: .layer(layer))
    }

    /// Three layers, and a kernel that is in none.
    private static var lock: Lock {
        var kernel = package("linux", "none")
        kernel.purpose = .role("kernel")
        return Lock(
            recipe: "test", architecture: "amd64", moment: 1_700_000_000,
            archives: [
                Lock.Archive(
                    name: "bookworm", origin: "Debian", suite: "stable", codename: "bookworm", components: ["main"],
                    inRelease: Digest(hashing: "one"), date: 1_700_000_000)
            ],
            requests: [
                Lock.RequestSet(.layer("system"), ["dbus"]), Lock.RequestSet(.layer("app"), ["nodejs"]),
                Lock.RequestSet(.role("kernel"), ["linux"]),
            ],
            packages: [package("libc6", "base"), package("dbus", "system"), package("nodejs", "app"), kernel])
    }

    /// The layers whose keys differ from those of the lock as it was.
    private func stale(_ change: (inout Lock) -> Void) -> [String] {
        var lock = Self.lock
        change(&lock)
        let kept = Set(LayerKey.all(of: Self.lock, scripts: [:]).map(\.digest))
        return LayerKey.all(of: lock, scripts: [:]).filter { !kept.contains($0.digest) }.map(\.name)
    }

    @Test func theLayersAreTheBaseAndThoseOfTheRecipeInItsOrder() {
        #expect(LayerKey.all(of: Self.lock, scripts: [:]).map(\.name) == ["base", "system", "app"])
    }

    @Test func aPackageMakesItsLayerStaleAndThoseAbove() {
        func upgrade(_ index: Int) -> [String] {
            stale { lock in lock.packages[index].sha256 = Digest(hashing: "rebuilt") }
        }
        let names = Self.lock.packages.map(\.name)
        #expect(names == ["dbus", "libc6", "linux", "nodejs"])
        #expect(names.indices.map(upgrade) == [["system", "app"], ["base", "system", "app"], [], ["app"]])
        #expect(stale { $0.packages.removeAll { $0.name == "dbus" } } == ["app"])
        #expect(stale { $0.packages.append(Self.package("apt", "base")) } == ["base", "system", "app"])
    }

    @Test func theMomentAndTheArchitectureMakeAllLayersStale() {
        #expect(stale { $0.moment += 1 } == ["base", "system", "app"])
        #expect(stale { $0.architecture = "arm64" } == ["base", "system", "app"])
    }

    @Test func aLayerThatKeptItsMomentIsFresh() {
        // What a lock that moved in its last layer comes to.
        func moved(_ moments: [String: Int64]) -> [String] {
            stale { lock in
                lock.moment += 1
                lock.layerMoments = moments
            }
        }
        #expect(moved(["base": 1_700_000_000, "system": 1_700_000_000]) == ["app"])
        #expect(moved(["base": 1_700_000_000]) == ["system", "app"])
        #expect(
            LayerKey.all(of: Self.lock, scripts: [:]).map(\.moment.seconds) == [
                1_700_000_000, 1_700_000_000, 1_700_000_000,
            ])
    }

    @Test func namesAndPlacesMakeNoLayerStale() {
        #expect(stale { $0.recipe = "other" } == [])
        #expect(stale { $0.archives[0].inRelease = Digest(hashing: "two") } == [])
        #expect(stale { $0.packages[0].filename = "elsewhere/dbus.deb" } == [])
        #expect(stale { $0.packages[0].pocket = "bookworm-security" } == [])
        #expect(
            stale { lock in
                lock.requests[1].purpose = .layer("renamed")
                for index in lock.packages.indices where lock.packages[index].purpose == .layer("app") {
                    lock.packages[index].purpose = .layer("renamed")
                }
            } == [])
    }

    @Test func aScriptMakesItsLayerStaleAndThoseAbove() {
        func digests(_ texts: [String]) -> [Digest] {
            let scripts = texts.map { LayerScript(name: "scripts/a", bytes: Array($0.utf8)) }
            return LayerKey.all(of: Self.lock, scripts: ["system": scripts]).map(\.digest)
        }
        let all = [[], ["one"], ["two"], ["one", "one"]].map(digests)
        #expect(Set(all.map { $0[0] }).count == 1)
        #expect(Set(all.map { $0[1] }).count == 4 && Set(all.map { $0[2] }).count == 4)
        #expect(digests([]) == LayerKey.all(of: Self.lock, scripts: [:]).map(\.digest))
    }

    @Test func everyInputHasANameOfItsOwn() {
        for key in LayerKey.all(of: Self.lock, scripts: [:]) {
            #expect(Set(key.inputs.map(\.name)).count == key.inputs.count)
            #expect(key.inputs.first?.name == "the layer below")
        }
    }
}
