package main

// protection is one way in which data would be lost without a word, and what
// is done about it.
type protection struct {
	point int    // of the list of silent losses; several rows may serve one
	lost  string // what is lost without it
	what  string // the protection
	edits []edit // take it out
	dir   string // package of the test
	test  string // fails without it; with "/" a subtest
}

// counts are the numbers and sums that everything in a journal is compared
// with when it is opened.
var counts = []edit{
	{"journal/verify_source.go", "if err == nil && (n != s.h.Entries || sum != s.h.Sum) {", "if false {"},
	{"journal/verify_source.go", "if err == nil && n != s.h.Index {", "if false {"},
	{"journal/verify_source.go", "case s.h.Summed && s.h.Digest != s.digest:", "case false:"},
	{"journal/verify_source.go", "case c.Summed && c.holdings != found:", "case false:"},
	{"journal/verify.go", "case found && top.Digest != v.top:", "case false:"},
}

// believed takes what rsync prints of a path for its arrival.
const believed = `v := func() Result {
			v := Result{Outcome: Outcome{Class: ClassOK}}
			for _, it := range b.Items {
				printed := false
				for _, c := range rep.res.Changes {
					printed = printed || c.Path == it.Path
				}
				if !printed {
					v.Changes = append(v.Changes, Change{Path: it.Path})
				}
			}
			return v
		}()`

var table = []protection{
	{1, "acknowledged entries after a power cut", "every commit is synced (SyncWrites)", []edit{
		{"journal/open.go", "WithSyncWrites(true).", "WithSyncWrites(false)."},
	}, "journal", "TestPowerCut"},
	{2, "tables that a failed compaction dropped", "numbers of records and sums over all of them, compared at each opening",
		counts, "journal", "TestDamageIsDetected"},
	{2, "the same, before it happens", "no commit with fewer than 200 inodes free", []edit{
		{"journal/reserve.go", "if bytes < r.minFree || inodes < minFreeInodes {", "if bytes < r.minFree {"},
	}, "journal", "TestNoInodes"},
	{2, "the same, once it has happened", "tables are kept until what they were merged into was compared with the sums", []edit{
		{"journal/keep.go", "badger.IteratorOptions{AllVersions: true}", "badger.IteratorOptions{AllVersions: true, Prefix: []byte(\"~\")}"},
	}, "journal", "TestCompactionThatDropsItsInput"},
	{3, "all behind an unreadable block of a table", "every table is read before Badger opens it, and the same sums", append([]edit{
		{"journal/open.go", "if err := verifyTables(dir); err != nil {", "if err := verifyTables(dir); err != nil && false {"},
	}, counts...), "journal", "TestUnreadableBlock"},
	{4, "the whole database, when its MANIFEST is missing", "no opening of tables without a MANIFEST: Badger would delete them", []edit{
		{"journal/open.go", "if err := precheck(dir, side != nil); err != nil {", "if err := precheck(dir, side != nil); err != nil && false {"},
	}, "journal", "TestTablesOutliveTheirManifest"},
	{4, "what follows a damaged place of the write-ahead log", "the number of commits, kept in two files beside the database, and the heads", []edit{
		{"journal/compare.go", "if s.h.Head < want {", "if false {"},
		{"journal/compare.go", "if j.top.Serial < j.side.Serial {", "if false {"},
		{"journal/compare.go", "case j.top.Serial < beat.Serial:", "case false:"},
	}, "journal", "TestDamageIsDetected/log_cut"},
	{5, "the process, by SIGBUS, on a full disk, and again at each start", "no commit with less than 128 MiB free, and blocks for the log before it is written", []edit{
		{"journal/commit.go", "if err := j.reserve.toCommit(); err != nil {", "if err := error(nil); err != nil {"},
		{"journal/reserve.go", "if r.allocAt == 0 || r.noAlloc {", "if true {"},
	}, "cmd/gorsyncd/e2e", "TestStateDiskFull"},
	{6, "a rewrite of the same size within the same second", "--modify-window=-1", []edit{
		{"replicate/rsync_args.go", `"--modify-window=-1",`, ""},
	}, "replicate", "TestSameSecondSameSize"},
	{7, "names that begin with # or ;", "each name on the list begins with ./", []edit{
		{"replicate/rsync_args.go", `out = append(out, "./"...)`, `if p == "" || p[0] != '#' && p[0] != ';' {
			out = append(out, "./"...)
		}`},
	}, "replicate", "TestNamesOfComments"},
	{8, "removals of directories with something in them", "--force", []edit{
		{"replicate/rsync_args.go", `a = append(a, "--force")`, "_ = a"},
	}, "replicate", "TestNonEmptyDirectoriesGo"},
	{9, "files that rsync printed and could not write", "a verify pass after each partial failure; what it prints is not acknowledged", []edit{
		{"replicate/dispatch.go", "v := d.tr.Run(ctx, b, Verify)", believed},
		{"replicate/runner.go", "if mode == Verify || b.wants(c) {", "if true {"},
	}, "replicate", "TestNoSpaceForOneFile"},
	{10, "changes, when two runs overlap on a path or above it", "locks on paths, directories and levels of each remote", []edit{
		{"replicate/batcher.go", "return r.held.ConflictsAny(u.locks) || r.held.ConflictsAny(u.needs) ||", "return false ||"},
	}, "replicate", "TestNoItemStarves"},
	{10, "the same, with real runs", "the same locks, held while a run lasts", []edit{
		{"replicate/dispatch.go", "d.locks.AddAll(b.Locks)", "_ = b.Locks"},
		{"replicate/settle.go", "d.locks.RemoveAll(b.Locks)", ""},
	}, "replicate", "TestChurn"},
	{11, "removals at a receiver that aborts them: rsync 3.4.3, and 3.2.7 of Debian 12", "known by its words; then they are made as deletions past a filter that protects all else", []edit{
		{"replicate/settle.go", "if !b.gentle && b.Removes &&", "if false && b.Removes &&"},
	}, "replicate", "TestGentleRemovals"},
	{12, "events below a directory that was moved", "the watches of the old path and all below it are removed before new ones are added", []edit{
		{"watch/watches.go", "w.drop(o) // it moved from there", "_ = o"},
		{"watch/watches.go", "	} else {\n		w.remove(w.abs(rel))\n	}\n", "	}\n"},
	}, "watch", "TestRenamedDirectoriesAreWatchedUnderTheirNewNames"},
	{13, "all events: fsnotify deadlocks between Errors and Add", "a goroutine that only reads Events and Errors", []edit{
		{"watch/events.go", "evs, errs := w.Events, w.Errors", "evs, errs := w.Events, (chan error)(nil)"},
	}, "watch", "TestMoveAndRemove"},
	{14, "what a mount point held, as a mass deletion, after an unmount", "the mount table is watched, what is no longer mounted is held", []edit{
		{"watch/guard_mounts.go", "t.holdBelow(p, p)", "_ = p"},
	}, "watch", "TestMountBelow"},
	{14, "the whole copy, after an unmount of the root", "a root that is suddenly empty or another one is held", []edit{
		{"watch/loop.go", `if err := t.checkRoot(ctx); err != nil || t.heldRoot != "" {`, "if err := error(nil); err != nil {"},
		{"watch/guard.go", "if !t.o.Guard.EmptySource || dirOf(path) != \"\" || t.emptyOK {", "if true {"},
	}, "watch", "TestUnmountedRoot"},
	{14, "writes through mmap, and through a hard link outside of the tree", "scans compare every fingerprint", []edit{
		{"watch/scan_list.go", "case !journal.Same(r, o), r.Racy()", "case r.Racy()"},
	}, "watch", "TestSilentChanges"},
	{15, "the mtime of a directory into which several runs write at once", "one of them stamps it at most, and each of the others leaves a record, kept with what it acknowledges, that it is to be stamped", []edit{
		{"replicate/settle.go", "for _, dir := range b.Within {", "for _, dir := range b.Within[:0] {"},
	}, "replicate", "TestRunsShareADirectory"},
	{16, "the content of a file that is moved with its directory, where the remote has another of its size and mtime at the old path", "what a move links is compared by content", []edit{
		{"replicate/move_run.go", `a = append(a, "--checksum")`, "_ = a"},
	}, "replicate", "TestMovedContentIsCompared"},
	{17, "changes below what was mounted after a waiting rsync was started", "one that waits is used only if root, target and mounts are what a new one would see", []edit{
		{"replicate/spare.go", "place == sp.place && !sp.eye.changed()", "place == sp.place"},
	}, "replicate", "TestSpareAndMount"},
}

// notes say where a point is met by half only.
var notes = []string{
	"2: the bug itself is Badger's. It is noticed at once or when the journal is opened next; then every remote gets a full sync.",
	"11: no rsync 3.4.3 can be had here. The test runs the 3.2.7 of Debian 12's archive, to which the same check was added.",
	"13: the goroutine reads both channels, which is enough as long as it calls nothing of fsnotify.",
	"14: no scan runs by itself on a local file system that reports events: what was written through a hard link outside of the tree, and where inotify is used through mmap, arrives after the next start, overflow or rescan.",
}
