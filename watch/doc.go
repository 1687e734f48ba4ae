// Package watch keeps an index equal to a directory tree: it turns kernel
// events and scans into observations, which the index compares with what it
// has and journals where they differ.
//
// # Usage
//
//	f, err := watch.ParseFilter(rules)
//	tree, err := watch.New(watch.Options{Root: "/data0/www", Filter: f, Index: src, Roots: src, FenceDir: dir})
//	go tree.Run(ctx)           // until ctx ends or the index fails
//	<-tree.Ready()             // the first complete scan is journaled
//	seq, err := tree.Fence(ctx) // all that was changed before is journaled at or below seq
//
// # Properties
//
//   - Events come by fanotify where it can be had, with one mark for each file
//     system, and by inotify elsewhere, with one watch for each directory; see
//     Options.Backend and fanotify.go. Nothing below depends on which, unless it
//     says so. The trees of a process share marks and queue, see Group.
//   - Events are hints to look at a path; what lstat says is passed on. An event
//     that is lost, late, doubled or wrongly named costs a look, not a change.
//   - Watch first, then scan: at the start, for each new directory, and after
//     anything that may have lost events. A scan passes on only what differs.
//   - All observing and recording is done by one goroutine in order: what is due
//     to be looked at, then one directory of a pending scan. A live change
//     waits for one directory, not for a scan. Directories that are due next are
//     opened and listed ahead by others, see ahead.go.
//   - In a steady stream of events the loop rests between its steps, for up to
//     200 ms, and lets them gather: see pace. A fence ends a rest.
//   - The goroutine that reads the kernel's queue only appends to memory, and all
//     memory is bounded: too many paths become a scan of their directory, too
//     many directories a scan of the tree.
//   - Before a directory is scanned where it is new, the path is looked at where
//     it was before: that it is gone there is recorded first, so that readers can
//     tell a move.
//   - A path is recorded as gone only if lstat said ENOENT in an open directory
//     that is known, by inode, to be the one of the tree, reached without
//     symbolic links. Other errors are counted, logged and tried again. A file
//     system that was unmounted, and a root that is missing, empty or another
//     one, are held: nothing is recorded of them until they are back or Approve
//     is called.
//   - A directory that may have been elsewhere between two looks is reported as
//     renewed: remotes may have read what stood in its place.
//   - An equal fingerprint is taken for no change, with two exceptions: a racy
//     record (see package journal) is confirmed 50 to 75 ms later unless an event came,
//     and a file that had an event after its record was made is journaled with a
//     comparison of content.
//   - With Options.AttributesLater attributes that change alone are recorded without
//     being journaled, where events promise that nothing else did: see package
//     journal. All else goes on as ever.
//   - When the file system at the root was mounted anew, what had changed in the
//     ten minutes before the last record is journaled once more with a comparison
//     of content: a power cut can keep a file's new times and lose its data.
//   - Excluded paths are never observed, excluded directories never watched. What
//     is excluded is not removed: its records stay.
//   - The loop tells Options.Life that it goes round, and each call that may take
//     any time: what touches the source, or writes to the index. A watchdog can
//     tell from it a loop that hangs from a file system that does not answer.
//
// # What events do not tell
//
// A write through a hard link outside the tree, and a change made by another host
// on a network file system cause no event, and with inotify a write through a
// memory mapping does not, nor one by a file handle whose directory the kernel
// does not know; fanotify tells of the mapping when the file is closed, see
// stores.go, and of the handle without a name, which raises a doubt. Scans find
// them: Rescan, the start, and for network file systems a
// round every 10 s, which also covers directories above the limit of watches.
// A hard link that was made, and removed, replaced or moved away before it was
// looked at, leaves another ctime on the remaining name; there is nothing to
// replicate and the next scan takes it over. What was written through such a
// name before it went is found by a scan, too, which follows such names as often
// as its cost allows, and before a fence where it takes less than a second: see
// doubt.
//
// A write whose mtime is put back leaves another ctime and no more, and another
// mode, owner or link count explains that only where events say that there was
// none: see unwritten.go and journal.Observation.Unwritten.
//
// fanotify also tells when a file that was written to is closed: it is looked at
// then, and not while it is written, unless it pauses. What it tells of one file
// and name comes as one event, without an order: see hintLoose.
//
// A content that was changed with all time stamps kept is found by none; only
// the clock of the file system being set back can do that, and a store to a
// mapping whose page was written to shortly before, until it is closed.
//
// # Duties of the caller
//
//   - Run is called once. The index has no other Record caller.
//   - FenceDir exists, is private and lies outside the tree.
//   - All trees of a process have the same Group, or the kernel tells each of them
//     of everything that happens on their file systems.
//   - Show Status: what is held or unwatched needs a person.
package watch
