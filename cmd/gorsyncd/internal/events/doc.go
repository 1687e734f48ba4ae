// Package events reads the journal as a stream of changes, across sources.
//
// # Usage
//
//	err := events.Read(ctx, j, events.Request{Follow: true}, func(l events.Line) error { … })
//
// # Properties
//
//   - The changes of one source come in the order of their seqs, each once; those
//     of several are merged by their times as far as they are there.
//   - A newer change of a path has taken the place of older ones: a reader sees
//     the newest of each path. What is missing for another reason is told by a
//     line of its own, a gap, before anything behind it.
//   - A Position says where a reader stands in every source. Who goes on from it
//     is given what follows, and nothing twice; it also tells this journal from
//     one that has taken its place.
//   - A reader holds nothing up: it has at most one page of each source in memory
//     and no lock of the journal while its function runs. One that waits sleeps
//     until something is committed.
package events
