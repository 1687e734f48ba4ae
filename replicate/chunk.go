package replicate

import (
	"iter"
	"time"

	"gorsyncd/journal"
)

// chunk is a run of directories that one rsync reconciles.
type chunk struct {
	of      *fullSync
	dirs    []string       // those the index lists and the filter lets in
	last    string         // the last directory it stands for
	count   uint64         // how many it stands for
	weight  journal.Weight // about what is in them
	running bool
	done    bool
	noSpace bool // it has found no space once

	// A single directory that failed waits by itself.
	attempts int
	out      Outcome   // why it failed
	next     time.Time // when it is tried again
}

// startable tells whether a chunk's time has come.
func (c *chunk) startable(now time.Time) bool {
	return !c.running && !c.done && !c.next.After(now)
}

// onlyRoot tells whether a chunk is that of a root with little directly in it.
func (c *chunk) onlyRoot() bool {
	return len(c.dirs) == 1 && c.dirs[0] == "" && c.weight.Files <= smallestChunk.Files
}

// failed tells whether a chunk has failed rather than waited for the index.
func (c *chunk) failed() bool {
	return c.attempts > 0 && !c.done && (c.out.ID != idChanged || c.attempts > changedPatience)
}

// fail backs a chunk off.
func (c *chunk) fail(out Outcome, r RetryOptions, now time.Time) {
	c.attempts++
	c.out = out
	c.next = now.Add(r.wait(journal.Retry{ErrorID: out.ID, Attempts: c.attempts}))
}

// view is what a full sync is planned by.
type view struct {
	look  func(path string) Seen
	above func(path string) iter.Seq2[string, Outcome] // see planner; nil for other goroutines than Run's
	index indexed                                      // nil: what is not there is gone
	retry RetryOptions
}

// led tells whether a directory waits for one above it, see turning.
func (v view) led(dir string) bool {
	if v.above != nil {
		for _, why := range v.above(dir) {
			if why.ID == "" {
				return true
			}
		}
	}
	return false
}

// fate is what becomes of a directory of the index.
type fate uint8

const (
	fateReady fate = iota // reconcile it
	fateGone              // nothing to reconcile: the journal knows that it is gone
	fateLate              // tree and index do not agree: look again later
)

// judge looks at a directory of the index. One may be passed over only when
// tree and index agree that it is gone, for then there is an entry that
// removes it. When the tree alone says so (it was moved away, it is not
// mounted, something else stands in its place, it cannot be looked at) it may
// turn back before anybody notices, and nothing but the full sync would tell
// the remote what is in it.
func (v view) judge(dir string) (fate, Outcome, error) {
	seen := v.look(dir)
	if seen.Presence == Unknown {
		return fateLate, sourceOutcome(seen.Err), nil
	}
	if v.above != nil {
		for _, why := range v.above(dir) {
			if why.ID != "" {
				return fateLate, why, nil
			}
		}
	}
	live := false
	var rec journal.Record
	if v.index != nil && dir != "" {
		var err error
		if rec, live, err = v.index.Lookup(dir); err != nil {
			return fateLate, Outcome{}, err
		}
		live = live && rec.Type == journal.Dir
	}
	switch {
	case seen.Presence == IsDir && (!live || rec.Ino == seen.Ino && rec.Dev == seen.Dev):
		return fateReady, Outcome{}, nil
	case !live && dir != "":
		return fateGone, Outcome{}, nil
	}
	return fateLate, Outcome{ID: idChanged, Class: ClassEntry, Message: "the directory is not the one that was indexed"}, nil
}

// judged is what a look at a chunk's directories came to.
type judged struct {
	ready []string
	late  map[string]bool
	out   Outcome // of the last late one
}

func (v view) judgeAll(dirs []string) (judged, error) {
	j := judged{late: map[string]bool{}}
	for _, dir := range dirs {
		fate, out, err := v.judge(dir)
		switch {
		case err != nil:
			return j, err
		case fate == fateReady:
			j.ready = append(j.ready, dir)
		case fate == fateLate:
			j.late[dir], j.out = true, out
		}
	}
	return j, nil
}

// split puts several chunks in the place of one. ends tells whether a piece
// ends between two neighbours.
func (f *fullSync) split(c *chunk, ends func(i int, dir, next string) bool) {
	var pieces []*chunk
	from := 0
	for i, dir := range c.dirs {
		if i+1 < len(c.dirs) && !ends(i, dir, c.dirs[i+1]) {
			continue
		}
		dirs := c.dirs[from : i+1 : i+1]
		pieces = append(pieces, &chunk{of: f, dirs: dirs, last: dir, count: uint64(len(dirs)), noSpace: c.noSpace})
		from = i + 1
	}
	// The last piece also stands for what the filter leaves out.
	last := pieces[len(pieces)-1]
	last.last = c.last
	last.count += c.count - uint64(len(c.dirs))
	last.weight = c.weight
	var chunks []*chunk
	for _, o := range f.chunks {
		if o == c {
			chunks = append(chunks, pieces...)
		} else {
			chunks = append(chunks, o)
		}
	}
	f.chunks = chunks
}

// isolate makes late directories chunks of their own.
func (f *fullSync) isolate(c *chunk, late map[string]bool) {
	f.split(c, func(_ int, dir, next string) bool { return late[dir] || late[next] })
}

// halve makes two chunks of one: what fails is found without trying each.
func (f *fullSync) halve(c *chunk) {
	f.split(c, func(i int, _, _ string) bool { return i+1 == len(c.dirs)/2 })
}
