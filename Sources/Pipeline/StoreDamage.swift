internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Storage

/// What was found damaged in the store and taken out of it.
struct StoreDamage: Hashable {
    /// The .deb's digest.
    var package: Digest
    /// Says so, as a sentence.
    var warning: String
}

/// Takes out of the store what a build read from it and what is not what it was when it was kept. All of it is read
/// again, every byte: only a build that failed asks for this.
///
/// A layer whose scripts ran on damaged packages may hold the damage without showing it, so the layers go with them.
func discardDamage(of lock: Lock, layers: [Digest], in store: Store) throws -> [StoreDamage] {
    var damage = [StoreDamage]()
    var layersAreDoubtful = false
    for package in lock.packages {
        let label = package.label
        if let payload = Payload.find(package.sha256, label: label, in: store), try !payload.isIntact() {
            try store.discard(.payloads, key: package.sha256)
            damage.append(
                StoreDamage(
                    package: package.sha256,
                    warning: "\(label) in the store is not what it was when it was unpacked: it is unpacked again"))
            layersAreDoubtful = true
        }
        if store.file(package.sha256) != nil, try store.intactFile(package.sha256) == nil {
            damage.append(
                StoreDamage(
                    package: package.sha256,
                    warning: "the package file of \(label) in the store is not what was fetched: it is fetched again"))
        }
    }
    if layersAreDoubtful {
        for key in layers { try store.discard(.layers, key: key) }
    }
    return damage
}
