// Package failpoint lets the crash harness stop gorsyncd at every place where
// an interruption could lose something: before and after each durable step.
//
//	failpoint.Hit("journal.commit.after")
//
// In a release build Hit and Fail are empty and cost nothing. Built with
// -tags failpoints they read the environment once:
//
//	GORSYNCD_FAILPOINTS="journal.commit.after=kill@17"   the 17th hit is a SIGKILL
//	GORSYNCD_FAILPOINTS="*=kill@250"                     the 250th hit of any place
//	GORSYNCD_FAILPOINTS="journal.commit=error@3"         Fail returns an error once
//	GORSYNCD_FAILPOINTS="replicate.rsync.exited=sleep50" each hit takes 50 ms
//
// Several are separated by ";". Names lists all places, and a test compares it
// with the code, so that a place cannot be forgotten by either.
//
// It stands below journal because all packages may import it from there, and
// it imports nothing of gorsyncd.
package failpoint

// Names are the places, in the order in which a change passes them.
var Names = []string{
	"watch.lstat",                // a path was looked at, nothing is recorded
	"watch.scan.dir",             // a directory of a scan was read
	"watch.scan.flush",           // before what scans found is recorded
	"watch.scan.done",            // a scan of the whole tree is recorded
	"journal.commit.before",      // a transaction is complete, not committed
	"journal.commit",             // Fail: the commit
	"journal.commit.after",       // it is durable, nobody knows
	"journal.open.verified",      // a journal was opened and found whole
	"journal.compacted",          // tables were merged, and not looked at
	"journal.checkpoint.written", // the side file is written, not in place
	"journal.checkpoint.placed",  // it is in place
	"journal.sweep",              // before tombstones are deleted
	"journal.truncate",           // before entries are deleted
	"journal.drop.source",        // a source is about to go, the side file has forgotten it
	"journal.flush",              // Badger begins to write a memtable out
	"journal.compaction",         // Badger has begun or ended a compaction
	"journal.aside.moved",        // a damaged journal is set aside, its side file not
	"replicate.batch",            // a batch is formed, rsync not started
	"replicate.spare.before",     // a waiting rsync is about to be given its list
	"replicate.spare.given",      // it has been
	"replicate.rsync.started",    // rsync runs
	"replicate.rsync.exited",     // it has ended, nothing is known of it
	"replicate.move",             // a moved directory is linked, and not settled
	"replicate.verify",           // before a verify pass
	"replicate.reconcile",        // before a directory of a full sync is sent
	"replicate.full.begun",       // a full sync was asked for, not committed
	"replicate.full.advanced",    // its progress moved, not committed
	"replicate.full.ended",       // it is complete, not committed
	"replicate.commit.before",    // acknowledgements are to be committed
	"replicate.commit.after",     // they are durable, the dispatcher does not know
	"replicate.retry",            // a path failed, its retry record is not committed
}
