internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Storage

/// Takes out of the store what a build read from it and what is not what it was when it was kept, and says so, a
/// sentence each. All of it is read again, every byte: only a build that failed asks for this.
///
/// A layer whose scripts ran on damaged packages may hold the damage without showing it, so the layers go with them.
func discardDamage(of lock: Lock, layers: [Digest], in store: Store) throws -> [String] {
    var damage = [String]()
    var layersAreDoubtful = false
    for package in lock.packages {
        let label = "\(package.name) \(package.version)"
        if let payload = Payload.find(package.sha256, label: label, in: store), try !payload.isIntact() {
            try store.discard(.payloads, key: package.sha256)
            damage.append("\(label) in the store is not what it was when it was unpacked: it is unpacked again")
            layersAreDoubtful = true
        }
        if store.file(package.sha256) != nil, try store.intactFile(package.sha256) == nil {
            damage.append("the package file of \(label) in the store is not what was fetched: it is fetched again")
        }
    }
    if layersAreDoubtful {
        for key in layers { try store.discard(.layers, key: key) }
    }
    return damage
}
