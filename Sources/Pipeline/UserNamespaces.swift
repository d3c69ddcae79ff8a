internal import RootfsModel
internal import Sandboxing
internal import Storage

/// For commands that write files with owners of their own, or run maintainer scripts: an ordinary user's program starts
/// anew as root of a user namespace, as the same process. Comes first in a command, before anything is done.
///
/// Where there is no such namespace to be had it changes nothing, and what cannot be done without is refused where it
/// comes to it.
public func enterUserNamespaceIfNeeded() {
    Sandbox.enterUserNamespace()
}

/// Throws where the payloads in the store have other owners than they should, because they were unpacked under other
/// ids: by root, or by an ordinary user. A layer made from them would not be the same.
func checkOwners(of store: Store) throws(Failure) {
    let ids = Sandbox.idMap
    guard let text = store.owners else { return try store.setOwners(ids) }
    guard text == ids else {
        if try store.holdsNoTrees() { return try store.setOwners(ids) }
        throw Failure(
            "the files in the store \(store.root) belong to other users than this one's builds need",
            notes: [("it was filled with", text), ("this build has", ids)].map { words, ids in
                "\(words) the ids (inside, outside, count) \(ids.split(separator: "\n").joined(separator: ", "))"
            }, hint: "name another store with --cache, or delete this one")
    }
}
