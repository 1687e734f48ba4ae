package watch

import (
	"maps"
	"time"

	"gorsyncd/journal"
)

// maxAway bounds the paths that away remembers.
const maxAway = 1 << 16

// away remembers paths that an event said had appeared or gone away, until they
// are observed. A directory that stands there, and stood there before, may have
// been elsewhere in between, with another one in its place, and remotes may
// have read that one: what is in it has to be journaled anew although none of
// it looks changed.
//
// This cannot be a mark on the node of the watches: that one is dropped when
// the directory is seen to move, before the event of it has come, and a scan
// that only compares watches it again.
type away struct {
	paths map[string]time.Duration // when the last event was received
	all   bool                     // too many to remember: any may have been away
}

func (a *away) note(path string, mono time.Duration) {
	switch {
	case a.all:
	case len(a.paths) >= maxAway:
		a.paths, a.all = nil, true
	default:
		if a.paths == nil {
			a.paths = map[string]time.Duration{}
		}
		a.paths[path] = max(mono, a.paths[path])
	}
}

func (a *away) has(path string) bool {
	_, ok := a.paths[path]
	return ok || a.all
}

// take is called when the path is observed.
func (a *away) take(path string) bool {
	was := a.has(path)
	delete(a.paths, path)
	return was
}

// told forgets events of before all that is in the directory was observed anew.
func (a *away) told(path string, since time.Duration) {
	if mono, ok := a.paths[path]; ok && mono <= since {
		delete(a.paths, path)
	}
}

// idle is called when nothing is left to look at but what could not be, and is
// tried again: all else that was away has been observed, or is no part of the
// tree any more.
func (a *away) idle(again map[string]struct{}) {
	a.all = false
	maps.DeleteFunc(a.paths, func(path string, _ time.Duration) bool {
		_, ok := again[path]
		return !ok
	})
}

// movedUnseen says whether a directory looks as if it had been renamed, and
// back: rename(2) changes nothing of it but the ctime. Where events cannot
// tell, because they were lost or nobody was there to receive them, that has to
// do; it misses a directory in which a name was made or removed afterwards.
func movedUnseen(r journal.Record, s journal.State) bool {
	return r.Type == journal.Dir && s.Type == journal.Dir && r.Ctime != s.Ctime &&
		r.Mtime == s.Mtime && r.Mode == s.Mode && r.UID == s.UID && r.GID == s.GID
}

// unseen says whether the directory may have moved without an event: before a
// scan of the whole tree that follows lost events, or because its parent is not watched. The root has an
// identity of its own.
func (t *Tree) unseen(sc scan, path string) bool {
	return path != "" && (t.scans.lost && sc.group == t.scans.full || !t.live(path))
}

// movedSilently says whether a directory whose parent is not watched looks as
// if it had moved.
func (t *Tree) movedSilently(o journal.Observation) bool {
	if o.Path == "" || t.live(o.Path) {
		return false
	}
	r, ok, err := t.o.Index.Lookup(o.Path)
	return err == nil && ok && movedUnseen(r, o.State)
}
