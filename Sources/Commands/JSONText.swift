internal import FoundationEssentials
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

/// A value as JSON for stdout: sorted keys, indented, slashes as they are.
func jsonText(_ value: some Encodable) -> String { jsonText(value, [.prettyPrinted]) }

/// Likewise in one line, for a page's script.
func compactJSONText(_ value: some Encodable) -> String { jsonText(value, []) }

private func jsonText(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    guard let data = try? encoder.encode(value) else { return "null" }
    return String(decoding: data, as: UTF8.self)
}

/// Failures as JSON: `{"errors": [{"message": …, "file": …, "line": …, "column": …, "notes": […], "hint": …}]}`.
func jsonText(failures: [Failure]) -> String {
    struct Errors: Encodable {
        struct Entry: Encodable {
            var message: String
            var file: String?
            var line: Int?
            var column: Int?
            var notes: [String]
            var hint: String?
        }
        var errors: [Entry]
    }
    return jsonText(
        Errors(
            errors: failures.map {
                .init(
                    message: $0.message, file: $0.location?.file, line: $0.location?.line,
                    column: $0.location?.column, notes: $0.notes, hint: $0.hint)
            }))
}

/// A path as the user would write it: relative where it is below the working directory.
func shownPath(_ path: String) -> String {
    guard let here = try? absolutePath("."), path.hasPrefix(here.string + "/") else { return path }
    return String(path.dropFirst(here.string.count + 1))
}
