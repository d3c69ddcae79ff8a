import Debian
import RootfsModel

/// The packages that moved, without what their files and changelogs say.
func packageChanges(from old: ComparedImage, to new: ComparedImage, rebuilt: Set<String>) -> [PackageChange] {
    guard let before = old.packages, let after = new.packages else { return [] }
    func byName(_ packages: [ComparedImage.Package]) -> [String: [ComparedImage.Package]] {
        Dictionary(grouping: packages, by: \.name)
    }
    // A lock has the kernel's package too, and what the initrd is made of; an image has not.
    let isMixed = (old.side.kind == .lock) != (new.side.kind == .lock)
    func installed(_ packages: [ComparedImage.Package]) -> [ComparedImage.Package] {
        isMixed ? packages.filter { $0.purpose?.hasPrefix("role ") != true } : packages
    }
    let (gone, come) = (byName(installed(before)), byName(installed(after)))
    var changes = [PackageChange]()
    for name in Set(gone.keys).union(come.keys).sorted() {
        var left = gone[name] ?? []
        var right = come[name] ?? []
        left.removeAll { package in
            guard
                let same = right.firstIndex(where: {
                    $0.version == package.version && $0.architecture == package.architecture
                        && !($0.digest != nil && package.digest != nil && $0.digest != package.digest)
                })
            else { return false }
            right.remove(at: same)
            if rebuilt.contains(name) { changes.append(PackageChange(package, from: package, .rebuilt)) }
            return true
        }
        // Of what a lock has twice, for a layer and for a role, each is compared with its own.
        for package in left {
            let partner =
                right.firstIndex { $0.purpose == package.purpose && $0.architecture == package.architecture }
                ?? right.firstIndex { $0.architecture == package.architecture } ?? right.indices.first
            guard let partner else {
                changes.append(PackageChange(package, from: package, .removed))
                continue
            }
            let now = right.remove(at: partner)
            let (was, then) = (DebianVersion(package.version), DebianVersion(now.version))
            changes.append(
                PackageChange(now, from: package, was < then ? .upgraded : then < was ? .downgraded : .rebuilt))
        }
        changes += right.map { PackageChange($0, from: nil, .added) }
    }
    return changes
}

extension PackageChange {
    /// - Parameter old: nil for one that came.
    fileprivate init(_ package: ComparedImage.Package, from old: ComparedImage.Package?, _ change: Kind) {
        self.init(
            name: package.name, architecture: package.architecture, source: package.source, change: change,
            old: change == .added ? nil : old?.version, new: change == .removed ? nil : package.version,
            purpose: package.purpose,
            isFromSecurity: package.isFromSecurity && [.upgraded, .added, .rebuilt].contains(change))
    }
}

extension [PackageChange] {
    /// Adds what the packages' own changelogs say between the two versions, and the vulnerabilities that it names. Reads
    /// no changelog but of what moved.
    mutating func addChangelogs(_ old: ComparedImage, _ new: ComparedImage, _ notCompared: inout [Comparison.Obstacle])
    {
        func versions(_ image: ComparedImage) -> [String: String] {
            Dictionary(
                (image.packages ?? []).map { ($0.name, $0.sourceVersion) }, uniquingKeysWith: { first, _ in first })
        }
        let (before, after) = (versions(old), versions(new))
        var failed = [String]()
        for index in indices where [.upgraded, .downgraded].contains(self[index].change) {
            let name = self[index].name
            let isUpgrade = self[index].change == .upgraded
            guard let read = (isUpgrade ? new : old).changelog, let was = before[name], let now = after[name] else {
                continue
            }
            do {
                guard let text = try read(name) else { continue }
                let changelog = Changelog(parsing: text, after: isUpgrade ? was : now, upTo: isUpgrade ? now : was)
                if changelog.items.isEmpty { continue }
                self[index].changelog = changelog.items
                self[index].vulnerabilities = changelog.vulnerabilities
            } catch {
                failed.append(name)
            }
        }
        let moved = filter { $0.change == .upgraded || $0.change == .downgraded }
        if moved.isEmpty { return }
        if !failed.isEmpty {
            notCompared.append(.init("changelogs", "cannot be read: \(failed.joined(separator: ", "))"))
        } else if new.changelog == nil && old.changelog == nil {
            notCompared.append(.init("changelogs", "they are in the images, and neither is at hand"))
        }
    }
}
