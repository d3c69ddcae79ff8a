internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The outputs that lie where a build is going to put its own, and what they were made of.
struct PreviousBuild {
    let directory: FilePath
    /// build.json; nil where there is none that this version can read.
    let record: BuildRecord?

    init(in directory: FilePath) {
        self.directory = directory
        record = (try? readFile(at: directory.appending(BuildRecord.fileName))).flatMap {
            parseRecord(BuildRecord.self, from: $0)
        }
    }

    /// image.json.
    var image: ImageRecord? {
        (try? readFile(at: directory.appending(ImageRecord.fileName))).flatMap {
            parseRecord(ImageRecord.self, from: $0)
        }
    }

    /// check.json.
    var check: CheckReport? {
        (try? readFile(at: directory.appending(CheckReport.fileName))).flatMap {
            parseRecord(CheckReport.self, from: $0)
        }
    }

    /// Why the outputs have to be made again; nothing where they are of these inputs and nobody touched them.
    func staleness(for inputs: [Input], acceptingFindings: Bool) throws -> [Reason] {
        guard let record, image != nil else {
            let isThere = exists(directory.appending(BuildRecord.fileName))
            return [Reason("outputs", state: isThere ? "not of this version" : "none in \(directory)")]
        }
        var reasons = try inputs.changes(since: record.inputs) + touched(since: record.outputs)
        if !acceptingFindings, reasons.isEmpty, let check, !check.succeeded {
            reasons.append(Reason("check", state: "found \(check.summary), which --no-check accepted"))
        }
        return reasons
    }

    private func touched(since outputs: [BuildRecord.Output]) throws -> [Reason] {
        let now = try outputSignatures(in: directory)
        let reasons = outputs.compactMap { output -> Reason? in
            guard let found = now.first(where: { $0.name == output.name }) else {
                return Reason(output.name, state: "is gone")
            }
            return found == output ? nil : Reason(output.name, state: "not what the build wrote")
        }
        let known = Set(outputs.map(\.name))
        return reasons + now.filter { !known.contains($0.name) }.map { Reason($0.name, state: "not of the build") }
    }
}
