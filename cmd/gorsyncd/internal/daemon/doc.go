// Package daemon wires gorsyncd together: one journal, one watch.Tree per
// source, one replicate.Dispatcher per remote, the control socket, and the
// rounds of upkeep between them.
//
// # Usage
//
//	err := daemon.Run(ctx, daemon.Options{Config: c, Reload: load, Drain: drain})
//
// Run blocks. Closing Drain stops it politely: trees stop, transfers under way
// end, the rest waits in the journal for the next start. Ending ctx cuts
// transfers off; that costs nothing but their repetition.
//
// # Properties
//
//   - A remote's trouble, a missing source or a full sync never ends Run. Only
//     a failed journal does, because nothing after it would be durable; the
//     service manager starts the process again and the journal is reopened.
//   - A journal that is lost or damaged is set aside under a name that says so,
//     never deleted; a fresh one is started, the trees are scanned anew and every
//     remote gets a full sync. The same happens after three starts in a row that
//     died of the journal, and after damage that was found while running, which
//     ends the process. The paths that can still be read from the old journal
//     are looked for, so that what was removed meanwhile is removed from the
//     remotes; where it is unreadable, such a file stays on remotes that do not
//     have delete: all.
//   - On a full file system the journal is not opened and not written to; the
//     daemon waits and says so.
//   - A machine that went down in the middle of transfers and has mounted the
//     source anew since may have set it back to before what rsync has seen of it:
//     every remote that was being written to gets a full sync.
//   - A remote that is no longer configured keeps its place in the journal until it
//     is configured again, and goes on from there, or is forgotten. As long as it is
//     there it pins entries as any remote does, within journal.max_size. A remote
//     whose target has changed gets a full sync: the new place need not have what
//     the old one had.
//   - A scheduled verify that was missed, while nothing ran or because the remote
//     could not be reached, is made up for once. Up to when its schedule was
//     served is in the journal.
//   - The service manager that started it is told when the journal is open and the
//     socket answers, which is before the first scan, how the daemon is in one line,
//     and that every loop goes round; see package service. A process that its
//     watchdog has ended does not count as one that died of the journal.
//   - Reload changes only what differs: a plan is made first, which a dry run shows.
//     A configuration that is not valid changes nothing; what only a start can
//     change keeps its value and is named.
package daemon
