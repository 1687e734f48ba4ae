// Package judge tells what is wrong in a status: which conditions hold, of which
// nothing can be told, and whether a heartbeat is due.
//
//	j := judge.New(judge.Options{Remotes: []string{"www/*"}, MaxLag: 10 * time.Minute})
//	view := j.Look(elapsed, st, daemon)
//
// It knows the meaning of states; package notify knows when something is told. A Judge
// remembers what counters said at the look before, and nothing else.
//
// What is not judged: a remote that is paused, or outside of its window, as somebody
// wanted it so; one whose source is still being scanned; and one whose source is held,
// which is told of the source. A pause does not stop a heartbeat by itself, but the lag
// that it brings does; outside of its window a remote may lag as it likes.
package judge
