// Command crash injects faults into the built gorsyncd until somebody believes
// that nothing is lost, or until something is.
//
//	make failpoints
//	go run ./bench/crash -row kill,power-* -faults 100 -lanes 4
//
// # Model
//
// A *world* is one source, its state directory, two or three remotes (real
// rsync daemons and a local target) and the daemon. A *row* of the fault matrix
// says how the world is set up and how one fault is injected and healed. A
// *cycle* is: change the tree at random, inject while changes go on, heal, stop
// changing, wait for quiet, judge. The next cycle goes on from there, so that
// damage which hides for a while is found as well.
//
// # The oracle
//
// After each cycle: every remote equals the source in type, mode, uid, gid,
// size, content, mtime to the nanosecond, link target, device, xattrs and
// hard-link sets, by an independent walk; `rsync -aniHAXc --delete
// --modify-window=-1` has nothing to say; no temporary file is left; every
// remote is in sync with an empty retry set; `journal check` is clean. Every
// few cycles the daemon is stopped and the index compared with a fresh walk.
// During a cycle an observer reads the remotes: what it sees of files that are
// only ever replaced whole must be a content that the source once had, and a
// file that is never removed must never vanish.
//
// # Files
//
// Each judged cycle is a line of JSON in -out; `-report` makes the table of
// bench/README.md of it (results-*.jsonl.gz is what the present one was made
// of). A failure keeps its directory: seed, log of changes,
// log of faults, the daemon's log, state directory, the differences; and prints
// the command that runs the row with the same seed again. The random choices
// are those of the seed; the moments of the kernel are not.
package main
