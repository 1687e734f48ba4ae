package replicate

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// wholeMin is from how many changes on a directory may travel as a whole. rsync
// reads its list byte by byte, with two system calls for each (3.5.0, io.c,
// safe_read): 10,000 names took twice the time of the same files found by itself.
const wholeMin = 32

// wholeDirs is what the planner has to know to send directories as a whole: all
// that is in one is compared then, and nothing of it is listed.
type wholeDirs interface {
	// waiting is how many items wait directly in a directory.
	waiting(dir string) int
	// item is the one that waits for a path, or nil.
	item(path string) *Item
	// names are those in a directory, at most limit. It is false when there are
	// more, or when the directory is not as the index has it, or should not be
	// read for other reasons.
	names(dir string, limit int) ([]string, bool)
}

// whole is a directory most of whose entries are to be sent.
type whole struct {
	dir   string
	items []*Item // of what is in it, and own
	bytes int64
}

// withDirectory deals with an item that travels as part of its directory, and
// with all others once the batch is one of directories.
func (r *round) withDirectory(it *Item) bool {
	if r.dirs == nil || it.Path == "" {
		return false
	}
	reconcile := r.batch != nil && r.batch.Lane == LaneReconcile
	dir := it.Path
	if !r.mayBeWhole(dir) {
		dir, _ = parentOf(it.Path)
		if !r.mayBeWhole(dir) {
			return reconcile
		}
	}
	if own := r.dirs.item(dir); own == it || own != nil && own.Seq < it.Seq {
		// The directory may be new, and the one above it be stamped by the run
		// that makes it: it goes first, alone.
		return reconcile || own != it
	}
	switch {
	case r.batch != nil && !reconcile:
		return true
	case reconcile && len(r.batch.Items)+r.dirs.waiting(dir) > r.limits.files:
		r.full = true
		return true
	}
	w, known := r.wholes[dir]
	if !known {
		w = r.fetch(dir)
		r.wholes[dir] = w
	}
	return w != nil || reconcile
}

// fetch makes a directory part of the batch or has it wait, unless it does not
// travel as a whole.
func (r *round) fetch(dir string) *whole {
	parent, _ := parentOf(dir)
	// Should the directory above be on its way, it has to be there first.
	locks := []Lock{{ScopeLevel, dir}, {ScopeDir, parent}}
	if r.held.ConflictsAny(locks) || r.reserved.ConflictsAny(locks) {
		r.reserved.AddAll(locks)
		return &whole{dir: dir}
	}
	w := r.gather(dir)
	if w != nil {
		r.addWhole(w)
	}
	return w
}

// mayBeWhole tells what can be told of a directory without a look at it.
func (r *round) mayBeWhole(dir string) bool {
	if dir == "" || r.dirs.waiting(dir) < r.limits.whole {
		return false // naming the root needs other arguments
	}
	w, known := r.wholes[dir]
	return w != nil || !known
}

// gather returns a directory with the items that sending it acknowledges, nil
// when they are less than half of what is in it, or when something in it is not
// for this kind of run: a big file, whose batch would keep all others waiting, or
// one with other names.
func (r *round) gather(dir string) *whole {
	n := r.dirs.waiting(dir)
	names, ok := r.dirs.names(dir, 2*n)
	if !ok || len(names) < r.limits.whole {
		return nil
	}
	if r.above != nil {
		for range r.above(dir) {
			return nil
		}
	}
	own := r.dirs.item(dir)
	if own != nil && !own.plain() {
		return nil
	}
	w := &whole{dir: dir}
	for _, name := range names {
		path := join(dir, name)
		it := r.dirs.item(path)
		if it != nil && !it.plain() {
			it = nil // it goes its own way
		}
		seen := r.look(path)
		if r.excluded != nil && r.excluded(path, seen.Presence == IsDir) {
			continue
		}
		if seen.Size > r.limits.big || it != nil && seen.Nlink > 1 || seen.Presence == Unknown {
			return nil
		}
		if it == nil || seen.Presence < IsDir {
			continue
		}
		it.Size = seen.Size
		w.bytes += seen.Size
		w.items = append(w.items, it)
	}
	if len(w.items) < r.limits.whole || w.bytes > r.limits.bytes {
		return nil
	}
	if own != nil {
		w.items = append(w.items, own)
	}
	return w
}

// plain tells whether an item asks for nothing but a comparison by size and times.
func (it *Item) plain() bool { return it.Op == journal.OpChange && it.Flags == 0 && !it.alone }

// addWhole makes a directory part of the batch, or leaves it for the next.
func (r *round) addWhole(w *whole) {
	b := r.batch
	if b != nil && (len(b.Items)+len(w.items) > r.limits.files || b.Bytes+w.bytes > r.limits.bytes) {
		r.full = true
		return
	}
	if b == nil {
		b = &Batch{Lane: LaneReconcile, whole: true}
		r.batch = b
	}
	b.Items = append(b.Items, w.items...)
	b.Paths = append(b.Paths, w.dir)
	b.Locks = append(b.Locks, Lock{ScopeLevel, w.dir})
	b.Bytes += w.bytes
	r.full = len(b.Items) >= r.limits.files
}

// stampAbove has the directory above one stamped that a run has made, which as a
// rule was there before.
func (d *Dispatcher) stampAbove(b *Batch, made map[string]bool, now time.Time) {
	for _, dir := range b.Paths {
		if made[dir] {
			parent, _ := parentOf(dir)
			d.restamp(parent, now)
		}
	}
}

// dirSource is the wholeDirs of a dispatcher, for one planning round.
type dirSource struct {
	d       *Dispatcher
	look    *look
	failing map[string]bool // directories with something of the retry set in them
}

// manyRetries is from how many paths in the retry set on no directory travels as
// a whole: their failures would be met in each of its runs.
const manyRetries = 1000

// wholeDirs returns nil when no directory may travel as a whole now.
func (d *Dispatcher) wholeDirs(l *look) wholeDirs {
	if d.retries.len() > manyRetries || d.maxFiles < d.o.BatchFiles {
		return nil // or batches have to be small, to find what there is no space for
	}
	s := dirSource{d: d, look: l, failing: map[string]bool{}}
	for path := range d.retries.byPath {
		if parent, ok := parentOf(path); ok {
			s.failing[parent] = true
		}
	}
	return &s
}

func (s *dirSource) waiting(dir string) int { return s.d.queue.inDir[dir] }

func (s *dirSource) item(path string) *Item { return s.d.queue.get(path) }

func (s *dirSource) names(dir string, limit int) ([]string, bool) {
	if s.failing[dir] || s.d.retries.get(dir) != nil {
		return nil, false
	}
	// An error of the index shows up when the run is judged.
	if fate, _, err := s.d.view(s.look).judge(dir); err != nil || fate != fateReady || s.look.at(dir).Presence != IsDir {
		return nil, false
	}
	// What it leads to only decides how paths are sent.
	f, err := os.OpenFile(s.look.root+"/"+dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	names, err := f.Readdirnames(limit + 1)
	if err != nil && err != io.EOF {
		return nil, false
	}
	return names, len(names) <= limit
}
