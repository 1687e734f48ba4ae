package replicate

import (
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// maxChunks is how many chunks may be known at once. They are many only when
// many directories fail or wait for the index.
const maxChunks = 4096

// fullSync walks the index and hands out chunks of directories. Progress is
// the last directory of the unbroken run of finished chunks from the start, so
// that a cut one resumes there and repeats at most what was ahead of it.
type fullSync struct {
	rec     journal.FullSync
	chunks  []*chunk // in index order
	to      string   // last directory fetched from the index
	begun   bool     // to is meaningful
	eof     bool     // the index has no more
	total   bool     // rec.Total is counted
	links   int      // hard-link groups on their way
	linked  bool     // they have been queued
	queued  bool     // and a round of planning has seen them
	allowed bool     // a person has approved its deletions
	deleted uint64   // paths on the remote, up to now

	pace  pace
	todo  journal.Weight // what was not done when this process began with it
	done  journal.Weight // what has been since, but for chunks that are known
	since time.Time      // when it began
}

func newFullSync(rec journal.FullSync) *fullSync {
	return &fullSync{rec: rec, to: rec.After, begun: rec.Begun, eof: rec.Links, pace: newPace(1, journal.Weight{}, 0)}
}

// weigh learns how much there is to do for how many workers, a run of which takes at
// least so long.
func (f *fullSync) weigh(t Tree, workers int, quickest time.Duration, now time.Time) (err error) {
	if f.todo, err = t.Weigh(f.rec.Sub, f.rec.After, f.rec.Begun); err != nil {
		return err
	}
	f.since, f.pace = now, newPace(workers, f.todo, quickest)
	return nil
}

// step returns the next chunk that may start, as a batch, or nil.
func (f *fullSync) step(t Tree, v view, excluded func(string, bool) bool, held *Locks, now time.Time) (*Batch, error) {
	for {
		if err := f.fetch(t, excluded, now); err != nil {
			return nil, err
		}
		b, err := f.next(v, held, now)
		if b != nil || err != nil {
			return b, err
		}
		f.merge()
		if f.eof || f.waiting(now) || len(f.chunks) >= maxChunks {
			return nil, nil
		}
	}
}

// fetch reads directories ahead until there is a chunk to hand out.
func (f *fullSync) fetch(t Tree, excluded func(string, bool) bool, now time.Time) error {
	for !f.eof && len(f.chunks) < maxChunks && !f.waiting(now) {
		dirs, weight, err := f.read(t)
		if err != nil {
			return err
		}
		if len(dirs) == 0 {
			f.eof = true
			return nil
		}
		c := &chunk{of: f, last: dirs[len(dirs)-1], count: uint64(len(dirs)), weight: weight}
		for _, dir := range dirs {
			if dir == "" || excluded == nil || !excluded(dir, true) {
				c.dirs = append(c.dirs, dir)
			}
		}
		c.done = len(c.dirs) == 0
		f.pace.taken(weight)
		f.to, f.begun = c.last, true
		f.chunks = append(f.chunks, c)
		f.merge()
	}
	return nil
}

// waiting tells whether a chunk's time has come.
func (f *fullSync) waiting(now time.Time) bool {
	return slices.ContainsFunc(f.chunks, func(c *chunk) bool { return c.startable(now) })
}

// read returns the directories of the next chunk. The root and the top of a
// subtree are chunks of their own: the root, because naming it needs other
// arguments; the top of a subtree, because the index lists only what follows.
func (f *fullSync) read(t Tree) ([]string, journal.Weight, error) {
	if !f.begun {
		// Only to learn what is directly in it.
		_, weight, err := t.Dirs(f.rec.Sub, false, journal.Weight{Dirs: 1})
		return []string{f.rec.Sub}, weight, err
	}
	dirs, weight, err := t.Dirs(f.to, true, f.pace.limit)
	if err != nil {
		return nil, weight, err
	}
	for i, dir := range dirs {
		if f.rec.Sub != "" && !isBelow(dir, f.rec.Sub) {
			return dirs[:i], weight, nil
		}
	}
	return dirs, weight, nil
}

// next returns a chunk whose locks are free, as a batch, or nil. Directories
// that tree and index do not agree about are set aside on the way.
func (f *fullSync) next(v view, held *Locks, now time.Time) (*Batch, error) {
	for i := 0; i < len(f.chunks); i++ {
		c := f.chunks[i]
		if !c.startable(now) {
			continue
		}
		locks := make([]Lock, len(c.dirs))
		for i, dir := range c.dirs {
			locks[i] = Lock{ScopeLevel, dir}
		}
		if held.ConflictsAny(locks) || slices.ContainsFunc(c.dirs, v.led) {
			continue
		}
		j, err := v.judgeAll(c.dirs)
		switch {
		case err != nil:
			return nil, err
		case len(j.late) > 0 && len(c.dirs) > 1:
			f.isolate(c, j.late)
			i--
			continue
		case len(j.late) > 0:
			c.fail(j.out, v.retry, now)
			continue
		case len(j.ready) == 0:
			c.done = true
			continue
		}
		c.running = true
		return &Batch{Lane: LaneReconcile, Content: f.rec.Checksum, Paths: j.ready, Locks: locks, chunk: c}, nil
	}
	return nil, nil
}

// advance moves the progress over finished chunks and tells whether it moved.
func (f *fullSync) advance() bool {
	moved := false
	for len(f.chunks) > 0 && f.chunks[0].done {
		c := f.chunks[0]
		f.chunks = f.chunks[1:]
		f.rec.After, f.rec.Begun = c.last, true
		f.rec.Done += c.count
		f.done = f.done.Add(c.weight)
		f.rec.Total = max(f.rec.Total, f.rec.Done)
		moved = true
	}
	f.merge()
	return moved
}

// merge makes one chunk of finished neighbours that wait for one before them.
func (f *fullSync) merge() {
	out := f.chunks[:0]
	for _, c := range f.chunks {
		if n := len(out); n > 0 && c.done && out[n-1].done {
			out[n-1].last = c.last
			out[n-1].count += c.count
			out[n-1].weight = out[n-1].weight.Add(c.weight)
			continue
		}
		out = append(out, c)
	}
	clear(f.chunks[len(out):])
	f.chunks = out
}

// progress is how many directories are reconciled, those ahead of one that
// waits included.
func (f *fullSync) progress() uint64 {
	n := f.rec.Done
	for _, c := range f.chunks {
		if c.done {
			n += c.count
		}
	}
	return n
}

// finished is what this process has done, those ahead of one that waits included.
func (f *fullSync) finished() journal.Weight {
	w := f.done
	for _, c := range f.chunks {
		if c.done {
			w = w.Add(c.weight)
		}
	}
	return w
}

// stuck counts the directories that fail and returns the one that failed most,
// nil when none does.
func (f *fullSync) stuck() (n int, worst *chunk) {
	for _, c := range f.chunks {
		if c.failed() {
			n++
			if worst == nil || c.attempts > worst.attempts {
				worst = c
			}
		}
	}
	return n, worst
}

// onlyStuck tells whether nothing is left but directories that fail.
func (f *fullSync) onlyStuck() bool {
	return f.eof && len(f.chunks) > 0 &&
		!slices.ContainsFunc(f.chunks, func(c *chunk) bool { return !c.done && !c.failed() })
}

// hurry ends the back-off of the given directories and of what is below them;
// no paths means all.
func (f *fullSync) hurry(paths []string, now time.Time) {
	for _, c := range f.chunks {
		if c.attempts > 0 && (len(paths) == 0 || slices.ContainsFunc(c.dirs, func(dir string) bool { return within(dir, paths) })) {
			c.next = now
		}
	}
}

// dirsDone tells whether every directory is reconciled.
func (f *fullSync) dirsDone() bool { return f.eof && len(f.chunks) == 0 }

// linkTargets returns one name of each hard-linked inode whose names stand in
// several directories: within one, the reconcile has joined them already. The
// other names follow from the index when the batch is formed.
func (f *fullSync) linkTargets(t Tree) ([]string, error) {
	var out []string
	err := t.LinkGroups(func(paths []string) error {
		first, _ := parentOf(paths[0])
		spread, inside := false, false
		for _, p := range paths {
			parent, _ := parentOf(p)
			spread = spread || parent != first
			inside = inside || f.covers(p)
		}
		if spread && inside {
			out = append(out, strings.Clone(paths[0]))
		}
		return nil
	})
	return out, err
}

// covers tells whether the full sync is about a path.
func (f *fullSync) covers(path string) bool {
	return f.rec.Sub == "" || path == f.rec.Sub || isBelow(path, f.rec.Sub)
}
