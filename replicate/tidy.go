package replicate

import (
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// rsync writes a file under a temporary name, .NAME.XXXXXX, and renames it. A
// receiver that is killed in between leaves it for ever: nothing that comes
// later has that name. So where a run was cut off its directories are looked at
// once more when the remote works again, and what is left of exactly the files
// that were under way is removed. Which they are is kept in memory only; after
// a crash they are those that the cursor has not passed.

// Limits of what is remembered. What goes beyond stays until a verify shows it.
const (
	tidyNames  = 50_000
	tidyChunks = 64
	tidyPause  = 15 * time.Second // after a look that failed
)

// leftBehind is what may have been left behind.
type leftBehind struct {
	dirs   map[string]*leftIn
	names  int
	due    time.Time
	head   uint64 // entries up to here may have been under way when we were killed; 0 for none
	chunks int    // so many chunks of a full sync as well
	root   bool   // the root may have lost its mtime
}

// leftIn is what may have been left behind in one directory.
type leftIn struct {
	names map[string]bool // paths that were under way; they may be gone by now
	all   bool            // besides, any that the index has
}

func (t *leftBehind) add(path string) {
	dir, ok := parentOf(path)
	if !ok || t.names >= tidyNames {
		return
	}
	in := t.in(dir)
	if !in.names[path] {
		in.names[path] = true
		t.names++
	}
}

// addAll adds a directory with whatever is in it.
func (t *leftBehind) addAll(dir string) {
	if t.names >= tidyNames {
		return
	}
	if in := t.in(dir); !in.all {
		in.all = true
		t.names++
	}
}

func (t *leftBehind) in(dir string) *leftIn {
	if t.dirs == nil {
		t.dirs = map[string]*leftIn{}
	}
	if t.dirs[dir] == nil {
		t.dirs[dir] = &leftIn{names: map[string]bool{}}
	}
	return t.dirs[dir]
}

func (t *leftBehind) drop(dir string) {
	if in := t.dirs[dir]; in != nil {
		t.names -= len(in.names)
		if in.all {
			t.names--
		}
	}
	delete(t.dirs, dir)
}

// of tells whether a path is the temporary file of one that was under way.
func (t *leftBehind) of(path string, known, special func(string) bool) bool {
	dir, ok := parentOf(path)
	if _, asked := t.dirs[dir]; !ok || !asked {
		return false
	}
	m := tempName.FindStringSubmatch(path[strings.LastIndexByte(path, '/')+1:])
	if m == nil {
		return false
	}
	// A name that begins with a dot gets no second one.
	return t.ofFile(dir, m[1], m[2], known, special) || t.ofFile(dir, "."+m[1], m[2], known, special)
}

func (t *leftBehind) ofFile(dir, name, suffix string, known, special func(string) bool) bool {
	file := join(dir, name)
	if len(suffix) < 6 && !special(file) {
		return false
	}
	in := t.dirs[dir]
	if in.names[file] || in.all && known(file) {
		return true
	}
	// A long name is cut to make room for the suffix (receiver.c, get_tmpname).
	for other := range in.names {
		if len(name) > 200 && strings.HasPrefix(other, file) {
			return true
		}
	}
	return false
}

// uncleanStart takes everything that may have been under way when the process
// before this one was killed.
func (t *leftBehind) uncleanStart(head uint64, retries []journal.Retry) {
	t.head, t.chunks = head, tidyChunks
	for _, r := range retries {
		t.add(r.Path)
	}
}

// took follows an entry that was read.
func (t *leftBehind) took(e journal.Entry) {
	if t.head > 0 && e.First <= t.head {
		t.add(e.Path)
	}
}

// started follows a batch: a full sync that was cut goes on with what was under
// way then, and an entry takes along names that have none of their own.
func (t *leftBehind) started(b *Batch) {
	if b.chunk == nil && t.head > 0 && slices.ContainsFunc(b.Items, func(it *Item) bool { return min(it.First, it.Seq) <= t.head }) {
		t.addNames(b)
	}
	if b.chunk == nil || t.chunks == 0 {
		return
	}
	t.chunks--
	for _, dir := range b.Paths {
		t.addAll(dir)
	}
}

// cutOff notes a batch that may have been interrupted in the middle of a file.
func (d *Dispatcher) cutOff(b *Batch, r *Result) {
	switch exit := r.Exit; {
	case b.tidy:
		return
	case exit == 12, exit == 19, exit == 20, exit == 22, exit == 30, exit == 255, exit < -1:
	case exit == 10 && !strings.Contains(r.Stderr, "failed to connect"):
	default:
		return // it never got so far, or rsync put itself in order
	}
	d.tidy.root = true // it may have done its work, and not what comes last
	d.tidy.mayHold(b)
}

// mayHold notes where a batch may have left temporary files.
func (t *leftBehind) mayHold(b *Batch) {
	for _, it := range b.Items {
		if it.Op == journal.OpChange { // an empty file has a temporary one, too
			t.add(it.Path)
		}
	}
	t.addNames(b)
	if b.chunk != nil {
		for _, dir := range b.Paths {
			t.addAll(dir)
		}
	}
}

// addNames adds the other names of the inodes that a batch carries: rsync
// writes to the first of them.
func (t *leftBehind) addNames(b *Batch) {
	if b.Lane == LaneReconcile || len(b.Paths) <= len(b.Items) {
		return
	}
	own := make(map[string]bool, len(b.Items))
	for _, it := range b.Items {
		own[it.Path] = true
	}
	for _, path := range b.Paths {
		if !own[path] {
			t.add(path)
		}
	}
}

// nextTidy is a batch that only looks, when nothing else is to be done.
func (d *Dispatcher) nextTidy(l *look, now time.Time) *Batch {
	if len(d.tidy.dirs) == 0 || d.o.Delete == DeleteNone || d.tidy.due.After(now) {
		return nil
	}
	b := &Batch{Lane: LaneReconcile, tidy: true, extras: true}
	for dir := range d.tidy.dirs {
		locks := []Lock{{ScopeLevel, dir}}
		root := dir == "" // naming the root needs other arguments
		if d.locks.ConflictsAny(locks) || root && len(b.Paths) > 0 {
			continue
		}
		if l.at(dir).Presence != IsDir { // it is removed with what is in it
			d.tidy.drop(dir)
			continue
		}
		b.Paths, b.Locks = append(b.Paths, dir), append(b.Locks, locks...)
		if root || len(b.Paths) >= chunkDirs {
			break
		}
	}
	if len(b.Paths) == 0 {
		return nil
	}
	return b
}

// tidied files what such a batch has found. The removals are records of the
// retry set, and so as durable as any.
func (d *Dispatcher) tidied(rep report, now time.Time) {
	out := rep.res.Outcome
	switch {
	case out.Class == ClassOK || out.Class == ClassEntry && out.ID != idChanged:
	case out.Class == ClassConfig:
		d.log.Info("temporary files of interrupted runs cannot be looked for", "error_id", out.ID, "message", out.Message)
	default:
		d.tidy.due = now.Add(tidyPause)
		return
	}
	lookup := func(path string) (r journal.Record, live bool) {
		if t, ok := d.o.Tree.(indexed); ok {
			var err error
			r, live, err = t.Lookup(path)
			live = live && err == nil // an error shows up wherever the journal is used next
		}
		return r, live
	}
	known := func(path string) bool {
		_, live := lookup(path)
		return live
	}
	special := func(path string) bool {
		r, live := lookup(path)
		return live && (r.Type != journal.File || r.Nlink > 1)
	}
	for _, c := range rep.res.Changes {
		if !c.Delete || known(c.Path) || !d.tidy.of(c.Path, known, special) || d.queue.get(c.Path) != nil || d.retries.get(c.Path) != nil {
			continue
		}
		d.log.Info("an interrupted run has left a temporary file; it is removed", "path", c.Path)
		d.keepRetry(journal.Retry{Path: c.Path, Seq: d.ledger.read, Op: journal.OpRemove, First: now, Next: now})
	}
	for _, dir := range rep.batch.Paths {
		d.tidy.drop(dir)
	}
}
