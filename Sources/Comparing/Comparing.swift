// Comparing: what two images have otherwise, by its causes.
//
// It takes two sides as values (`ComparedImage`: a tree, what is installed, a kernel, what a build says of itself) and
// gives one value, `Comparison`: what concerns security, packages, kernel, services, accounts, configuration, the rest.
// Every changed path stands there once with the one cause that it has, so the counts of the causes add up to the number
// of changed paths. Then it renders that value as text, as Markdown and as a page (HTML/); JSON is the value
// itself (docs/diff.schema.json). `ImageSummary` is what one side is, alone.
//
// A cause is told only where something of that cause did change: a package's file is the package's change where the
// package has another version, and not explained where it has the same one. What nobody can know for want of evidence
// (a listing alone has no contents) is said in `notCompared`, never guessed.
//
// It refuses to know where images come from and how they are read: contents come by a function of the side, and which
// contents differ is known before.
