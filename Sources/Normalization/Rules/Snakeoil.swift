internal import RootfsModel

/// What the scripts of ssl-cert generate, and the links to it by its hash; `make-ssl-cert generate-default-snakeoil` makes
/// them anew.
struct Snakeoil: NormalizationRule {
    let id = "snakeoil"
    let reason = "a random key that images must not share, with its certificate"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let certificate = "ssl-cert-snakeoil.pem"
        let links = tree.children(of: "etc/ssl/certs").filter {
            $0.linkTarget?.elementsEqual(certificate.utf8) == true || $0.path.name.elementsEqual(certificate.utf8)
        }
        return TreeChange(removals: tree.present(["etc/ssl/private/ssl-cert-snakeoil.key"]) + links.map(\.path))
    }
}
