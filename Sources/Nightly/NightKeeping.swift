internal import Comparing
internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

// The end of a night: evidence and reports are written, the decision is carried out, what is too old goes.

extension Night {
    func keep(
        _ record: NightRecord, _ report: NightReport, _ versions: [(name: String, record: NightRecord?)]
    ) throws {
        var record = record
        // An attempt that came to no lock has nothing to show.
        let isKept = record.decision != .unchanged && record.version == nil && record.newLock != nil
        if isKept {
            let suffix = record.decision == .accepted ? "" : "-\(record.decision.rawValue)"
            record.version = places.freeName(
                moment: record.moment, lock: record.newLock ?? "", suffix: suffix)
        }
        let kept = versions.compactMap(\.record).filter { $0.decision == .accepted }
        let files = try report.files(of: record, since: kept, settings.build.toolVersion)
        if isKept, let version = record.version {
            for (name, bytes) in files { try writeFile(bytes, to: places.attempt.appending(name)) }
            if record.decision == .accepted {
                let entry = ImageChangelog.entry(of: record, report.comparison)
                try writeFile(Array(entry.utf8), to: places.attempt.appending(ImageChangelog.entryName))
                try places.decide(version)
                try places.carryOut(version, lock: state.lock, outputs: state.outputs)
            } else {
                try places.keepAttempt(as: version)
            }
        }
        try places.setLastRecord(record)
        try prune()
        try tell(files)
    }

    /// Takes away what the recipe does not keep: accepted builds and other attempts are counted apart.
    private func prune() throws {
        let all = try places.versions()
        let builds = all.filter { $0.record?.decision == .accepted }.map { ($0.name, $0.record?.moment ?? "") }
        let others = all.filter { $0.record?.decision != .accepted }.map { ($0.name, $0.record?.moment ?? "") }
        let current = OutputRecords(in: state.outputs).image?.imageHash
        let inPlace = all.last { $0.record?.figures?.imageHash == current && $0.record?.decision == .accepted }?.name
        var nights = policy.keep
        nights.weeks = 0
        let kept = keptBuilds(builds, current: inPlace, policy.keep).union(
            keptBuilds(others, current: nil, nights))
        for version in all where !kept.contains(version.name) {
            try removeTree(at: places.root.appending(version.name))
        }
    }

    /// Writes the reports where the recipe wants them.
    private func tell(_ files: [(name: String, bytes: [UInt8])]) throws {
        guard let directory = settings.report ?? policy.report.map({ FilePath(state.recipe.resolve($0.value)) }) else {
            return
        }
        do throws(Failure) {
            try makeDirectory(at: directory)
            let name = state.recipe.name.value
            for (file, bytes) in files { try writeFile(bytes, to: directory.appending("\(name).\(file)")) }
            // What this night has not is another night's.
            for file in NightReport.fileNames where !files.contains(where: { $0.name == file }) {
                try removeTree(at: directory.appending("\(name).\(file)"))
            }
            let changelog = places.root.appending(ImageChangelog.fileName)
            if exists(changelog) {
                try writeFile(
                    try readFile(at: changelog), to: directory.appending("\(name).\(ImageChangelog.fileName)"))
            }
        } catch {
            // The decision stands, and is carried out.
            settings.build.progress(
                .warning("\(state.recipe.name.value): the report was not written: \(error.message)"))
        }
    }
}

extension NightPlaces {
    private var lastRecordPath: FilePath { root.appending(NightRecord.fileName) }

    func setLastRecord(_ record: NightRecord) throws(Failure) {
        try writeFile(try recordBytes(record), to: lastRecordPath)
    }

    func lastRecord() throws(Failure) -> NightRecord? {
        parseRecord(NightRecord.self, from: try readFile(at: lastRecordPath))
    }
}
