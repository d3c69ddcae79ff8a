// rootfs-bench measures the program: `compare` runs it in turn with the programs that do the same work and writes the
// ratios; `scale` runs single steps at three sizes and tells how their time grows; `equivalence` compares what comes out.
// It decides nothing and is not installed. What it says of time is of this machine at this hour; ratios are what can be
// compared.

import ArgumentParser

@main struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rootfs-bench", abstract: "Measure rootfs-build.",
        subcommands: [Compare.self, Equivalence.self, Scale.self, ScaleTree.self, ScalePackages.self, WriteTree.self])
}
