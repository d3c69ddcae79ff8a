// Recipes: what the user asks for, as one value.
//
// A recipe is YAML, read strictly: what the format does not know is a mistake, and every mistake is found in one
// go, with the line, a caret and what to write instead. One table (RecipeKeys.swift) declares each key once; the
// reading, the suggestions, the merging of `from:`, the canonical bytes and the JSON Schema all follow from it.
//
// The module refuses to know the file system: files come through a closure. It does not know either whether a
// package, a folder or a user of a package exists; what a later stage may have to point at carries its place.
//
// Invariants: a `Recipe` that `load` returns has passed every check here, asks for nothing that is not supported, has
// its variables put in, and its canonical form is itself a recipe that reads back as the same value.
