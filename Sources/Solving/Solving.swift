// Solving: which packages a recipe's requests become.
//
// `Universe` holds every version that the archive's indexes offer and one candidate per name; `solve` picks among
// the candidates by the greedy rules of apt's classic solver, so that a root file system made here holds the
// packages that `apt-get install` would put there; `Explanation` says why it cannot be done. Everything
// here is a pure function of index texts, pins and requests: no file, no clock, no dictionary order.
//
// Invariants: names are numbers in the order of their first mention, which is apt's tie-break; candidates are
// never backtracked over; failures are Failures whose notes are the chain of reasons.
