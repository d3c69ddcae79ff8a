internal import ArgumentParser
internal import Recipes

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of recipes, for editors.", discussion: exitStatusText)

    func run() {
        print(RecipeSchema.text, terminator: "")
    }
}
