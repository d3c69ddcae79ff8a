internal import Debian
internal import RootfsModel
internal import Solving

extension Lock.RequestSet {
    /// What its words ask for: `name`, `name=version`, `name/suite`, `name:architecture`. Throws for a word that is none
    /// of these.
    func requests() throws(Failure) -> [Request] {
        var requests = [Request]()
        for name in names { requests.append(try Request(parsing: name)) }
        return requests
    }
}
