package replicate

import (
	"strings"

	"gorsyncd/journal"
)

// lookAhead is how many chunks may be known at once: enough to keep the
// workers busy beside one that takes long.
const lookAhead = 64

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
}

// chunk is a run of directories that one rsync reconciles.
type chunk struct {
	of       *fullSync
	dirs     []string // those to reconcile; others are gone or excluded
	last     string   // the last directory it stands for
	count    uint64   // how many it stands for
	running  bool
	done     bool
	attempts int // that found no space
}

func newFullSync(rec journal.FullSync) *fullSync {
	return &fullSync{rec: rec, to: rec.After, begun: rec.Begun, eof: rec.Links}
}

// fetch reads directories ahead until there is a chunk to hand out.
func (f *fullSync) fetch(t Tree, look func(string) Seen, excluded func(string, bool) bool) error {
	for !f.eof && len(f.chunks) < lookAhead && !f.waiting() {
		dirs, err := f.read(t)
		if err != nil {
			return err
		}
		if len(dirs) == 0 {
			f.eof = true
			return nil
		}
		c := &chunk{of: f, last: dirs[len(dirs)-1], count: uint64(len(dirs))}
		for _, dir := range dirs {
			if look(dir).Presence == IsDir && (dir == "" || excluded == nil || !excluded(dir, true)) {
				c.dirs = append(c.dirs, dir)
			}
		}
		c.done = len(c.dirs) == 0
		f.to, f.begun = c.last, true
		f.chunks = append(f.chunks, c)
	}
	return nil
}

// waiting tells whether a chunk could start already.
func (f *fullSync) waiting() bool {
	for _, c := range f.chunks {
		if !c.running && !c.done {
			return true
		}
	}
	return false
}

// read returns the directories of the next chunk. The root and the top of a
// subtree are chunks of their own: the root, because naming it needs other
// arguments; the top of a subtree, because the index lists only what follows.
func (f *fullSync) read(t Tree) ([]string, error) {
	if !f.begun {
		return []string{f.rec.Sub}, nil
	}
	dirs, err := t.Dirs(f.to, true, chunkDirs)
	if err != nil {
		return nil, err
	}
	for i, dir := range dirs {
		if f.rec.Sub != "" && !isBelow(dir, f.rec.Sub) {
			return dirs[:i], nil
		}
	}
	return dirs, nil
}

// next returns a chunk whose locks are free, as a batch, or nil.
func (f *fullSync) next(held *Locks) *Batch {
	for _, c := range f.chunks {
		if c.running || c.done {
			continue
		}
		locks := make([]Lock, len(c.dirs))
		for i, dir := range c.dirs {
			locks[i] = Lock{ScopeLevel, dir}
		}
		if held.ConflictsAny(locks) {
			continue
		}
		c.running = true
		return &Batch{Lane: LaneReconcile, Content: f.rec.Checksum, Paths: c.dirs, Locks: locks, chunk: c}
	}
	return nil
}

// advance moves the progress over finished chunks and tells whether it moved.
func (f *fullSync) advance() bool {
	moved := false
	for len(f.chunks) > 0 && f.chunks[0].done {
		c := f.chunks[0]
		f.chunks = f.chunks[1:]
		f.rec.After, f.rec.Begun = c.last, true
		f.rec.Done += c.count
		f.rec.Total = max(f.rec.Total, f.rec.Done)
		moved = true
	}
	return moved
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
