// Package replicate makes remotes equal to a watched tree: it reads the
// journal from a remote's cursor, forms batches of paths, has rsync carry them,
// and acknowledges what arrived.
//
// # Usage
//
//	d, err := replicate.New(replicate.Options{
//		Source: "www", Name: "nas", Root: "/srv/www", Target: target,
//		Feed: src, Tree: src, Store: rem, Ready: tree.Ready(), …})
//	err = d.Run(ctx)          // blocks; one goroutine owns all state
//	st := d.Status()          // any goroutine, any time
//	st.Progress(time.Now())   // also how far the rsyncs under way are
//	err = d.WaitFor(ctx, seq, nil)
//	res, err := d.Verify(ctx, replicate.VerifyRequest{Checksum: true}, observer)
//
// # Properties
//
//   - Only the present state of a path matters. An entry says that a path
//     differs; the tree is looked at again when a batch is formed.
//   - Nothing is acknowledged that rsync did not confirm. A run that ended with
//     a partial failure is followed by a verify pass over the same list
//     (rsync -n -i); what that prints is the residual and goes to the retry set,
//     the rest is acknowledged. rsync's error texts name temporary files and
//     absolute paths, and its itemized lines appear before the data is written,
//     so neither tells which path failed. A verify pass that fails itself
//     proves nothing: its batch is tried again in smaller pieces.
//   - A full sync passes a directory over only when the tree and the index agree
//     that it is gone, and stops while a guard holds the source.
//   - No two processes work on overlapping paths of one remote: both would exit
//     0 and the older could land last. See Locks. Into one directory several may
//     write, of which one at most stamps it; the others leave a record that it is
//     to be stamped after them: see within.
//   - A path that is gone is removed from the remote only for a removal entry,
//     and only that path: what is gone above it has an entry with a count, which
//     the removal guard must see.
//   - An item that the tree contradicts (a changed path is gone, a removed one
//     is there) waits until the index agrees with the tree. Acknowledged
//     earlier, it would be forgotten if the path turned back unobserved.
//   - Nothing below a directory is sent or removed before the directory, where the
//     remote may have something else in its place: a symbolic link there would
//     lead the receiver elsewhere. See turning.
//   - The source root is opened, compared with the identity the journal knows,
//     and handed to rsync as a directory handle, so that a root that is
//     unmounted in between is never read as an empty tree.
//   - rsync reads nothing outside of the source, even if directories are replaced
//     by symbolic links while it reads, where the kernel or rsync 3.5.0 allow to
//     see to that: see wall. An older rsync without CAP_SYS_ADMIN can be led out
//     by whoever may write in the source.
//   - Verify changes nothing and waits for nobody. A path that differs counts only
//     after a second look, before and after which it is as it was before a fence
//     of the source, and between which nothing was queued, sent or waiting for a
//     retry that touches it. It cannot be wrong about a live tree then; what never
//     comes to rest is left to its entries, and counted. A repair is retry records
//     and a full sync, and so durable and under the removal guard.
//   - With NoEmptyDirs a directory is made on the remote with the first thing in it:
//     see empty.go. All that rests on directories being there looks at the tree for
//     it, not at entries that were acknowledged.
//   - Attributes that a source lets go along with later changes are no difference
//     either, where the index says that they changed at the source (Record.Behind).
//   - The bandwidth limit is that of the time at which an rsync starts; see BWLimit
//     for what becomes of those under way when it changes.
//   - The next rsync is connected before there is work for it: see spares. It is
//     given its list as a whole or not at all, reads the tree only then, and sees
//     what one started then would see; else it is not used. That it had become
//     useless costs a run and is no failure.
//   - The rsyncs of a process that was killed and those of the next never work
//     side by side on one remote: see alone. What the far side of a connection
//     does after it is cut is beyond our reach; it gets a moment.
//   - Where a run was cut off in the middle of a file, its temporary file on the
//     remote is looked for and removed when the remote works again. What was cut
//     off is remembered in memory; after a crash it is what the cursor has not
//     passed. With DeleteNone it stays.
//   - What was moved with a directory is linked on the remote before its old path
//     is removed, in runs that only make what is missing and acknowledge nothing:
//     see move. The removal waits for them, and for a moment in any case, as it
//     may turn out to be a move; after a start it waits for the first scan.
//   - A failing path backs off by itself; a failing remote backs off as a whole
//     and touches no path. Neither delays another remote.
//   - A path that changes while it is failing is absorbed into its retry record.
//   - How far a remote is behind is told by the second, whatever was restarted, given
//     up or done to clocks: see lag. A snapshot that is old, since the source hangs,
//     goes on ageing.
//   - A remote that was set back is brought forward by Replay: what it acknowledged
//     since then goes to the retry set. The cursor never goes back.
//   - What a remote silently keeps otherwise (owners, symlinks, xattrs, …) is
//     found by probes, see Dispatcher.Status: a directory that no source can have
//     is sent, read back and removed. One that cannot be probed is replicated as
//     ever. Arguments that would make files fail there for good are left out, and
//     the mending of a finding brings a full sync.
//   - How far an rsync is can be asked at any time (Status.Progress) and costs nothing
//     otherwise: rsync has no further arguments for it and prints no more. It is read
//     from /proc by whoever asks, not by the actor, and where that is impossible it is
//     not known. See progress.
//
// # Rejected
//
//   - To send a directory that has mostly changed as a whole, one level, spares
//     the list, and reads what no entry tells of: a file that is there for a
//     moment reaches the remote, and if we are killed in that moment nobody ever
//     removes it.
//   - To send a change while its entry is being committed: killed in between we
//     would not know of the file, and nobody would remove it. bench/README.md has
//     how much of a change's time the commit takes.
//
// # Goroutines
//
// Run is an actor, which tells Options.Life that it goes round and when it looks
// at the source: it alone touches the state, and other methods send it
// closures. Workers (at most Options.Workers) run rsync and report back. One
// commit is under way at a time; what finishes meanwhile shares the next one.
//
// # Duties of the caller
//
//   - One Dispatcher per remote, and nobody else commits to its Store.
//   - The filter given as Excluded and as FilterArgs must be the one the
//     watcher uses, or a reconcile could send what the index does not know.
package replicate
