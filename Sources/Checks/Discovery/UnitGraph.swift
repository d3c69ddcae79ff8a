internal import RootfsModel

/// The units that a boot into the default target starts: all that it wants or requires and what these pull in, the
/// services of its sockets, timers and paths, and what a service names for its failure.
func startedUnits(_ directory: UnitDirectory, arguments: [String], in subject: CheckSubject) throws -> [Unit] {
    let asked = arguments.last { $0.hasPrefix("systemd.unit=") }.map { String($0.dropFirst("systemd.unit=".count)) }
    var pending = ["sysinit.target", "basic.target", asked ?? "default.target"]
    pending += try generatedUnits(in: subject, arguments: arguments)
    var seen = Set<String>()
    var templatesOfFailure = Set<String>()
    var started = [UnitName: Unit]()
    while let name = pending.popLast() {
        guard seen.insert(name).inserted, let unit = try directory.unit(name), started[unit.name] == nil,
            !unit.name.isTemplate, unit.mayStart(in: subject.tree)
        else { continue }
        started[unit.name] = unit
        for key in ["Wants", "Requires", "BindsTo", "Upholds"] {
            pending += unit.text.words("Unit", key).map(unit.expand)
        }
        for kind in ["wants", "requires", "upholds"] {
            pending += directory.dependencies(of: unit.name, kind)
        }
        pending += triggered(by: unit)
        guard unit.name.ending == "service" else { continue }
        // Of a template for failures one instance stands for all.
        for failure in unit.text.words("Unit", "OnFailure").map(unit.expand) {
            guard let name = UnitName(failure), name.ending == "service",
                templatesOfFailure.insert(name.template ?? name.text).inserted
            else { continue }
            pending.append(failure)
        }
    }
    return started.values.sorted { $0.name.text.utf8.lexicographicallyPrecedes($1.name.text.utf8) }
}

/// What a socket, a timer or a path starts, without being asked to want it.
private func triggered(by unit: Unit) -> [String] {
    switch unit.name.ending {
    case "socket":
        if unit.text.isTrue("Socket", "Accept") { return ["\(unit.name.prefix)@0.service"] }
        return [unit.text.value("Socket", "Service").map(unit.expand) ?? "\(unit.name.stem).service"]
    case "timer": return [unit.text.value("Timer", "Unit").map(unit.expand) ?? "\(unit.name.stem).service"]
    case "path": return [unit.text.value("Path", "Unit").map(unit.expand) ?? "\(unit.name.stem).service"]
    default: return []
    }
}
