// Package sink tells others about journaled changes: a command, an HTTP server, a
// socket, a CDN whose copies are out of date. A sink is a reader of the journal like
// a remote, with a cursor and a retry set of its own, but what it delivers are
// *events*, not files.
//
// # Model
//
// An event says that a path was changed or removed (or, rarely, that anything may
// have been: see resync). It is made from a journal entry, so it has what entries
// have: only the newest of a path is left to be read, a removed directory is one
// event, and it carries no content. What its receiver needs to know about the path
// it looks up when it acts. Events go out in the order of the journal, in batches,
// one batch at a time.
//
// # When
//
// At once when the entry is journaled, or only when remotes have it (*acked*): all
// of the source, or one. A remote has an entry when its cursor has passed it, the
// path is not in its retry set, and it needs no full sync of a kind that makes good
// for entries it was not sent. So a purge of a CDN never comes before the file that
// the CDN is to fetch again. A path that fails on a remote waits in the sink's own
// retry set; those behind it do not wait.
//
// # Guarantees
//
//   - Nothing is skipped: the cursor moves past an event only when its delivery has
//     succeeded or its path is in the retry set, in one commit with it.
//   - At least once: a delivery that was cut off, or whose commit was, is repeated.
//     An event keeps its ID (journal, source, seq) for ever, so that a receiver can
//     tell. Batches may be composed differently.
//   - Order per path: a newer event of a path never goes out before an older one,
//     and after it the older one never does. That of a removed directory counts for
//     everything below it.
//   - When the journal had to be limited (journal.max_size), or was lost, what the
//     sink has missed is not known any more. It is told so by one event, *resync*.
//
// # Failures
//
// A receiver that cannot be reached, is too slow, or says that it is its own fault
// (5xx, 429, exit status 75) backs the sink off; nothing is lost or reordered. One
// that rejects a batch (4xx, another exit status) gets it in halves, until the event
// that it rejects stands alone and goes to the retry set, with a back-off of its own.
// When it rejects everything the sink as a whole backs off, too. One that fails for no
// event's fault is told one event at a time after a while: where the next one gets
// through, the first was to blame.
//
// # Duties of the caller
//
// A Sink owns its journal.Remote. The remotes it waits for must be those of the
// same source, and be the handles in use.
package sink
