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
//	err = d.WaitFor(ctx, seq, nil)
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
//     0 and the older could land last. See Locks.
//   - A path that is gone is removed from the remote only for a removal entry,
//     and only that path: what is gone above it has an entry with a count, which
//     the removal guard must see.
//   - An item that the tree contradicts (a changed path is gone, a removed one
//     is there) waits until the index agrees with the tree. Acknowledged
//     earlier, it would be forgotten if the path turned back unobserved.
//   - The source root is opened, compared with the identity the journal knows,
//     and handed to rsync as a directory handle, so that a root that is
//     unmounted in between is never read as an empty tree.
//   - A failing path backs off by itself; a failing remote backs off as a whole
//     and touches no path. Neither delays another remote.
//   - A path that changes while it is failing is absorbed into its retry record.
//
// # Goroutines
//
// Run is an actor: it alone touches the state, and other methods send it
// closures. Workers (at most Options.Workers) run rsync and report back. One
// commit is under way at a time; what finishes meanwhile shares the next one.
//
// # Duties of the caller
//
//   - One Dispatcher per remote, and nobody else commits to its Store.
//   - The filter given as Excluded and as FilterArgs must be the one the
//     watcher uses, or a reconcile could send what the index does not know.
package replicate
