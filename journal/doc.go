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
// all entries present, changed in the same transaction (explicit hole records
// were rejected: with two hot paths they need merging in both directions on
// every commit, and prove no more).
//
// # Key space
//
// S is the source name, R the remote name ([a-z0-9._-]+, so no
// NUL), P a path with "/" written as 0x00, which makes key order a sorted
// depth-first walk. Integers in keys are big-endian.
//
//	m format               epoch
//	m root                 number of commits, digest of headers and cursors
//	m source 0 S           header: head, truncated-to, swept-to, entry count
//	                       and sum, index count, baseline state, root identity,
//	                       digest of e, i, n and t, newest entry truncated
//	e S 0 seq              entry
//	i S 0 P                index record; the root is "i S 0", others "i S 0 P"
//	n S 0 dev ino P        inode to path, for every record with nlink > 1 that
//	                       is no directory (hard-link siblings)
//	c S 0 R                cursor; number and digest of r, marks of f and s
//	r S 0 R 0 P            retry record
//	f S 0 R                full sync in progress
//	s S 0 R                remote state: pause, hold, approval, last success,
//	                       last verify (then in version 2)
//	t S 0 P                tombstone kept for a retry record: its seq
//
// Every value starts with a version byte and ends with a CRC-32C of key and
// value; an unknown version or a wrong sum is a *CorruptError. Headers and
// cursors have version 2, with digests (headers 3 once seqs were truncated), the
// others version 1; what earlier versions wrote gets its digests when it is opened.
// An index record has version 2 where it tells which directory it took the place of,
// and 3 where remotes are behind with attributes; an entry where its remotes lack
// different ones of those it has replaced (see Entry.Since), a retry record and a full
// sync where they tell since when the remote is behind.
//
// DropSource deletes the header; records that it leaves belong to nobody, no sum has
// them, and Maintain deletes them.
//
// # Time
//
// Entries are dated by a clock of the journal's own, Journal.Now, which goes on evenly
// when the wall clock is set, so that the age of an entry is true; the file directory +
// ".clock" takes it across restarts. OnWall is for people. Everything else, such as what
// lstat says and when a record was observed, has the wall clock, as the kernel has.
//
// # Integrity
//
// Badger reads over what it cannot read: an iterator ends at a bad block, a
// lookup finds nothing, or an older version; a log is replayed up to the first
// bad record, tables that the manifest lost are deleted. So a *digest* is kept
// of all values, in a tree of sums: a value counts with a *mark*, which its key
// and CRC determine; the marks of entries, index and so on add up in the
// header of their source, those of retry records, full sync and state in the
// cursor of their remote, those of headers and cursors in the root, each
// changed in the transaction that changes what it sums up. A missing value, one
// that is back, or an older one makes a sum wrong, and later writes keep it
// wrong: they add the difference to what they see. The number of commits ties
// the root to the present. It is also kept
//
//   - in the side file, directory + ".check", with the epoch and the head of
//     each source, fsynced at every checkpoint;
//   - in the pulse, a file of one sector among Badger's, overwritten after
//     every commit without waiting for the disk. It also holds the handle
//     (inode and generation) of itself: a copy has another one.
//
// A file UNUSABLE among them says that the journal was found damaged while in
// use, or set aside; Open refuses it.
//
// # Differences
//
// An observation is a difference when the path is new or gone, when its record
// does not count (see below), when its fingerprint has changed, or when its
// record is racy. The entry has FlagChecksum when a remote that holds the
// recorded state, or an earlier one, could take the file for unchanged: size
// and mtime are equal and the record is racy, or the inode is another, or the
// ctime moved, unless another mode, owner or link count explains that and the
// observation promises that nothing was written (Observation.Unwritten); or the
// mtime was set back to before the last look, and may be one that the remote
// has; or a remote may have read the path since that mtime, in a state that was
// never observed and has the same mtime (its entry was under way or queued, it
// is in the retry set, a full sync runs; or, where it has other names or was a
// directory, anything was). A file that looks unchanged is a
// difference with this flag when an event came after it was recorded
// (Observation.Suspect). The flag passes on to the entry that supersedes it.
// Tombstones keep size and mtime for the same comparison.
//
// Remotes act on the tree as it is when they read it, so they may have acted
// on a path that was there, or away, for a moment and was never observed so.
// With Observation.Renewed a path that is gone again is told again, and a
// directory counts as another one. For the same reason a tombstone outlives
// the last cursor by a few seconds.
//
// A present path proves that its ancestors are directories. Where the index
// says otherwise Record writes an entry and a blank directory record for them,
// so that every record stands below directories of the index; the first real
// observation of such a directory is a difference, with Result.Descend.
//
// With Observation.AttributesLater the attributes of a path that change alone are
// no difference: the record takes them over, without an entry, and is *behind*
// (Record.Behind) until an entry tells of the path. An observation without the wish
// takes it for another fingerprint, so a scan finds all of them when it is given
// up. Attributes alone are what is left when nothing else can have changed: of a
// directory that is the same one, anything; of a file, mode and owner where these
// explain the ctime as above, size, mtime, inode and link count being the same. A
// record that is racy may be passed over so, since the promise that nothing was
// written is worth as much as a confirmation. What the ctime alone shows is a
// difference, with FlagChecksum: an mtime that was put back looks like that, too.
//
// Observation.Baseline is for paths without a record only. Elsewhere it means
// nothing: a change, and any removal, is always journaled.
//
// # Removed directories
//
// Removing a directory writes one entry and one tombstone (Type Gone) for its
// topmost path; the records below stay where they are and are *shadowed*: a
// record counts only if all ancestors are directories and every ancestor's
// Since is at most the record's LastSeq; else it is shadowed or *stale*. A directory that comes
// back (or whose inode changed) gets Since = the seq of its own new entry, so
// everything below must be observed anew and is journaled even if it looks
// unchanged, because the remotes may have deleted it in between; paths known
// to be gone too, because a remote may have seen them come back for a moment. Removing a
// tree is thus one small atomic write whatever its size, and a tree recreated
// in between yields exact removals for what did not come back. A directory that
// takes the place of another keeps which one that was, for remotes that still have
// it there (Record.Replaced): it may have been moved. A directory
// replaced by something else shadows in the same way, and Entry.Count tells of
// what went away.
//
// Maintain sweeps: a tombstone and what it shadows are deleted once every
// cursor has passed it, the records below first, and the tombstone last if it
// still is the same. While a retry record of the same path exists, the
// tombstone stays: that remote still has what was removed, and must be told of
// what does not come back with the path.
//
// # Truncation
//
// Entries at or below every cursor's Low are deleted when they are older than
// Retain, or beyond the newest 200,000 of them. Those kept are for inspection
// only: a path that was swept and comes back does not supersede them. The header
// tells the newest one that was deleted so: who reads on from a seq above it has
// missed nothing, whatever seqs are absent (Source.Dropped).
//
// # Racy timestamps
//
// A file can change twice within one tick of the kernel's coarse clock and
// keep its mtime and ctime. A record is *racy* when its mtime or ctime is less
// than 20 ms older than the moment of observation (an mtime in the future was
// set by hand and says nothing). An observation equal to a racy record still
// counts as a change, for files with FlagChecksum, unless it is a confirmation: the caller promises that a live watch saw no event for the
// path since the recorded observation; then the record only stops being racy.
//
// # Readers
//
// Whoever wants the changes themselves reads Entries from a seq of his own, and
// waits for more with Wait; he holds nothing up and is held up by nothing. Before
// he takes seqs for superseded he looks whether Dropped has passed him. The seqs
// are of this journal: one that was set aside begins again, with another Epoch.
//
// # Guarantees
//
//   - Record and Commit return nil only after an fsynced commit. Concurrent
//     calls share commits (one committer goroutine, group commit), in call order.
//   - An entry and the index records that go with it are in one transaction.
//     A call of Record with many observations takes several.
//   - Entries(from) returns entries in seq order and never skips one that was
//     committed before the call.
//   - After kill -9 or a power cut Open finds every acknowledged commit. A
//     database that was damaged, replaced, emptied, set back or restored from a
//     copy is a *LostError or *CorruptError, never other contents: blocks,
//     commits and all sums are compared, in about a second per million
//     records. Not noticed are a file system that was set back as a whole (a
//     snapshot, an image of a machine), a directory that was renamed away and
//     back by hand, and a disk that lost, with a power cut, commits that it had
//     said to be written, if they are among those since the last checkpoint.
//   - Damage while the journal is open: Verify, to be called now and then, finds
//     all that lasts, on the disk or in what is read from it, whatever was read,
//     written and compacted in between; so it is found one interval after it
//     arose at the latest, or at the next Open. A list of entries that lacks
//     the newest, and a set of retry records that is not what its cursor sums
//     up, are noticed when they are read. In between a reader may see less than
//     there is: a change is journaled twice, or an entry or removal is passed
//     over. The full sync after SetAside makes that good. A block that is
//     misread once, and read well by the next Verify, goes unnoticed.
//   - Damage fails the Journal like a failed commit does, and is noted in
//     UNUSABLE.
//   - A commit that fails leaves the Journal failed: every later call returns
//     the same error, nothing more is written, and the process should end and
//     start again (Badger's memory may be ahead of its disk). A nearly full
//     file system is ErrNoSpace before anything is written, and no failure;
//     so it is when opening. One that is filled in the middle of a commit or
//     compaction may kill the process (SIGBUS), which loses nothing; or lose
//     what is merged, which is noticed at once and leaves all paths to Salvage.
//
// # Duties of the caller
//
//   - One Record caller per source at a time (observations must reach the
//     index in the order they were made).
//   - One owner per remote: only it calls Commit.
//   - Observe a directory before the paths in it, and scan a directory for
//     which Record returned Result.Descend.
//   - Call Maintain every few seconds to minutes: sweep, truncation,
//     checkpoint. Call Verify every few minutes.
//   - After a *LostError or *CorruptError: SetAside, Open, scan, and a full
//     sync of every remote. What was removed meanwhile is told to remotes only
//     for paths that Salvage can still read: record these, as Baseline, before
//     the scan.
//   - Badger can die of damage that no check foresees, in goroutines of its
//     own. Count starts that end so, and set the journal aside after a few.
package journal
