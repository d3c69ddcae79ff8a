/// The JSON Schema of the recipe format, draft 2020-12, made from the table of keys that the reading uses.
///
/// It never refuses what a recipe may say. It says less than the reading checks: what one value means for another,
/// and names that lead elsewhere, are beyond it.
public enum RecipeSchema {
    /// The same text each time, ending in a line feed.
    public static var text: String { document.pretty }

    private static var document: JSONText {
        let format = ValueFormat<Recipe>.recipe
        let hasBase = JSONText.object([
            .init("required", .array([.string("from")])),
            .init("properties", .object([.init("from", .object([.init("type", .string("string"))]))])),
        ])
        return .object([
            .init("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            .init("title", .string("rootfs-build recipe, version 1")),
            .init("type", .string("object")),
            .init("required", .array([.string("recipe")])),
            .init("if", hasBase),
            .init("then", .object([.init("$ref", .string("#/$defs/withBase"))])),
            .init("else", .object([.init("$ref", .string("#/$defs/whole"))])),
            .init("$defs", .object([.init("whole", format.schema), .init("withBase", format.partialSchema)])),
        ])
    }
}

extension Recipe {
    /// The resolved recipe as one line of JSON, the same for recipes that say the same: defaults written out,
    /// quantities in their shortest form, keys sorted. Itself a recipe, which reads back as this value.
    public var canonicalForm: String {
        ValueFormat<Recipe>.recipe.write(self)?.compact ?? ""
    }
}
