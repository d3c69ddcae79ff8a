// Commands: the command line, one file a subcommand and no logic of the pipeline in them.
//
// This is the program's edge: here alone the clock, the environment, the terminal and signals are read, and
// handed down as values. Every command ends through `perform`, which renders failures and picks the exit
// status, so all of them fail in the same words.
