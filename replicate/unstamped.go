package replicate

import (
	"slices"
	"time"

	"gorsyncd/journal"
)

// At the end of a run rsync sets the mtime of directories it has written into
// once more and does not look whether that worked (touch_up_dirs in its
// generator.c). It does not on a file system that has become read-only or
// fails, nor where space is accounted for each change of metadata, as on btrfs
// with quotas; and the run ends with 0. The same goes for removing temporary
// files. So around a run that met such a file system the directories of all
// others that ended well are stamped again.

const (
	// troublePause is how long after such a run others are not trusted.
	troublePause = 5 * time.Second
	// troubleBefore is how long before the last run that ended well others are
	// not either. That one may be long ago when the trouble shows.
	troubleBefore = 10 * time.Second
	maxUnstamped  = 10_000 // paths remembered, about
)

// unwritable tells of a remote's file system that takes nothing.
func (o Outcome) unwritable() bool {
	return o.ID == "E-NOSPACE" || o.ID == "E-DEST-ROFS" || o.ID == "E-DEST-IO"
}

// unstamped remembers the last runs that ended well.
type unstamped struct {
	ended []ended
	paths int
	until time.Time // the end of the pause
}

// ended is a run that ended well.
type ended struct {
	at   time.Time
	dirs [2][]string // of which some may be directories
}

func (e *ended) len() int { return len(e.dirs[0]) + len(e.dirs[1]) }

// well notes a run that ended well.
func (u *unstamped) well(b *Batch, now time.Time) {
	e := ended{now, [2][]string{b.Paths, b.Parents}}
	u.ended, u.paths = append(u.ended, e), u.paths+e.len()
	for len(u.ended) > 1 && (u.paths > maxUnstamped || now.Sub(u.ended[0].at) > troubleBefore) {
		u.paths -= u.ended[0].len()
		u.ended = u.ended[1:]
	}
}

// trouble notes a run that met it and returns what may have to be stamped
// again of those before.
func (u *unstamped) trouble(now time.Time) (dirs []string) {
	u.until = now.Add(troublePause)
	for _, e := range u.ended {
		dirs = slices.Concat(dirs, e.dirs[0], e.dirs[1])
	}
	u.ended, u.paths = nil, 0
	return dirs
}

// doubtful says whether a run that ended well may have been unable to write.
func (u *unstamped) doubtful(b *Batch) bool { return b.Started.Before(u.until) }

// stampAgain is called with each run that was settled.
func (d *Dispatcher) stampAgain(rep report, now time.Time) {
	b := rep.batch
	var dirs []string
	switch {
	case rep.res.Outcome.unwritable() || rep.verify != nil && rep.verify.Outcome.unwritable():
		dirs = d.unstamped.trouble(now)
		d.tidy.mayHold(b)
	case rep.verify != nil || rep.res.Outcome.Class != ClassOK:
		return // what is different on the remote was looked at
	case d.unstamped.doubtful(b):
		dirs = slices.Concat(b.Paths, b.Parents)
	default:
		d.unstamped.well(b, now)
		return
	}
	t, _ := d.o.Tree.(indexed)
	if t == nil {
		return
	}
	for _, dir := range dirs {
		if r, known, err := t.Lookup(dir); err == nil && known && r.Type == journal.Dir {
			d.restampAt(dir, d.unstamped.until, now)
		}
	}
}
