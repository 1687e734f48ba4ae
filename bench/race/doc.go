// Command race measures gorsyncd against what people use in its place, side by
// side in one run: lsyncd, a loop around inotifywait, and rsync itself. It
// writes one section of bench/README.md, with plots, for each scenario.
//
//	make bench
//	go run ./bench/race -only latency,burst -n 5 -out bench
//	go run ./bench/race -quick -only move -tmpfs /dev/shm -disk ''
//
// # How it is kept fair
//
//   - All racers of a scenario run in one random order, whose seed is printed;
//     each measurement has the machine for itself. Figures are medians, with the
//     least and the most.
//   - Each racer has a source, a copy and an rsync daemon of its own, and is
//     judged by the same observer, which is no racer's own word: a file counts
//     when the copy has it with the size and the modification time that the
//     source gave it last, which rsync sets before it gives a file its name.
//   - After each round the oracle of package testbed compares everything, content
//     included. A racer that does not get equal within the limit is a result,
//     and told with the number of paths that are wrong.
//   - Peers run as their guides and tutorials have them, and once more with
//     TCP_NODELAY on both ends, which no tutorial sets and which matters more for
//     small changes than anything else they could do.
//   - A peer that is not installed is named as absent. sersync is no package of
//     Debian and left out.
package main
