// Package journal is the durable memory of gorsyncd: what each watched tree
// last looked like (the index), which differences have been found since (the
// entries), and how far every remote has come with them (cursors, retry sets,
// full-sync progress). It stores all of it in one Badger directory.
//
// # Usage
//
//	j, err := journal.Open(journal.Options{Dir: dir})   // one process at a time
//	src, err := j.Source("www")
//	res, err := src.Record(ctx, observations)           // durable when it returns
//	rem, err := src.Remote("nas")
//	entries, err := src.Entries(rem.Cursor().Next(), 1000)
//	err = rem.Commit(ctx, journal.Update{Cursor: &next}) // durable when it returns
//
// # Model
//
// A *source* is one watched tree. Paths are relative to its root, bytes, with
// "/" between elements, "" for the root itself; they hold neither NUL nor empty,
// "." or ".." elements. An *observation* is what lstat said about a path at one
// moment. Record compares each observation with the index; where they differ
// it appends one *entry* and updates the index record in the same transaction.
// No difference, no entry. An entry says "path P differs from what the remotes
// were told": it carries no content, and a reader looks at the tree again when
// it acts on it. Only the newest entry of a path matters, so a new entry
// deletes the older one of the same path (*compaction*): the journal is
// bounded by the number of distinct changed paths, however long a remote is
// down.
//
// Each source numbers its entries with its own *seq*, 1, 2, 3, …, never reused.
// A seq without an entry was superseded or truncated. To tell these from a
// *lost* entry the source header keeps the number and the sum of the seqs of
// all entries present, changed in the same transaction; Open and Check compare
// (explicit hole records were rejected: with two hot paths they need merging
// in both directions on every commit, and prove no more).
//
// # Key space
//
// Version 1. S is the source name, R the remote name ([a-z0-9._-]+, so no
// NUL), P a path with "/" written as 0x00, which makes key order a sorted
// depth-first walk. Integers in keys are big-endian.
//
//	m format               format version, epoch
//	m source 0 S           header: head, truncated-to, entry count and sum,
//	                       index count, root identity, baseline state
//	e S 0 seq              entry
//	i S 0 P                index record; the root is "i S 0", others "i S 0 P"
//	n S 0 dev ino P        inode to path, for every record with nlink > 1 that
//	                       is no directory (hard-link siblings)
//	c S 0 R                cursor
//	r S 0 R 0 P            retry record
//	f S 0 R                full sync in progress
//	s S 0 R                remote state: pause, hold, approval, last success
//
// Every value starts with a version byte and ends with a CRC-32C of key and
// value; an unknown version or a wrong sum is a *CorruptError.
//
// # Removed directories
//
// Removing a directory writes one entry and one tombstone (Type Gone) for its
// topmost path; the records below stay where they are and are *shadowed*: a
// record counts only if no ancestor is a tombstone and every ancestor
// directory's Since is at most the record's LastSeq. A directory that comes
// back (or whose inode changed) gets Since = the seq of its own new entry, so
// everything below must be observed anew and is journaled even if it looks
// unchanged, because the remotes may have deleted it in between. Removing a
// tree is thus one small atomic write whatever its size, and a tree recreated
// in between yields exact removals for what did not come back. A tombstone and
// what it shadows are deleted once every cursor has passed it.
//
// # Racy timestamps
//
// A file can change twice within one tick of the kernel's coarse clock and
// keep its mtime and ctime. A record is *racy* when its mtime or ctime is less
// than 20 ms older than the moment of observation. An observation equal to a
// racy record still counts as a change (with FlagChecksum), unless it is a
// confirmation: the caller promises that a live watch saw no event for the
// path since the recorded observation; then the record only stops being racy.
//
// # Guarantees
//
//   - Record and Commit return nil only after an fsynced commit. Concurrent
//     calls share commits (one committer goroutine, group commit), in call order.
//   - An entry and the index records that go with it are in one transaction.
//   - Entries(from) returns entries in seq order and never skips one that was
//     committed before the call.
//   - After kill -9 or a power cut Open finds every acknowledged commit, or
//     returns a *LostError: epoch, head checkpoint (side file), count and sum
//     are compared. It never silently continues with less.
//   - A commit that fails leaves the Journal failed: every later call returns
//     the same error, nothing more is written, and the process should end and
//     start again (Badger's memory may be ahead of its disk).
//
// # Duties of the caller
//
//   - One Record caller per source at a time (observations must reach the
//     index in the order they were made).
//   - One owner per remote: only it calls Commit.
//   - Observe a directory before the paths in it, and scan a directory for
//     which Record returned Result.Descend.
//   - Call Maintain from time to time: truncation, tombstones, checkpoint.
package journal
