package watch

import (
	"maps"
	"time"

	"gorsyncd/journal"
)

// A write whose mtime is put back leaves another ctime and nothing else that a
// remote would see. So does a chmod, a chown, or a link to the file; and where
// both happened, only the events tell. A path that had none of a write since
// it was recorded need not be compared by content because its mode or its link
// count are others: a chmod -R or a tree of links to a whole backup must not
// cause that all of it is read, here and there. Where events were not received,
// or not for this name, it is.

// mayTellOfWrite are the hints with which a path may have other content.
const mayTellOfWrite = hintWrite | hintName

// hidFor is how long after a name that may have hidden a write there are no
// promises: looks and scans that were due together are over by then.
const hidFor = time.Second

// written holds inodes that were written through a name while others of their
// names were not known: what finds these had no event for them. They are kept
// until a scan of the whole tree has passed.
type written struct {
	now, before map[fileKey]struct{} // before: a scan of the whole tree is under way since
	more        bool                 // there were too many
}

func (w *written) has(s journal.State) bool {
	key := fileKey{s.Dev, s.Ino}
	_, now := w.now[key]
	_, before := w.before[key]
	return now || before || w.more
}

func (w *written) add(key fileKey) {
	if w.more = w.more || len(w.now) >= maxLinks; w.more {
		return
	}
	if w.now == nil {
		w.now = map[fileKey]struct{}{}
	}
	w.now[key] = struct{}{}
}

// scanning begins a scan of the whole tree, scanned ends it.
func (w *written) scanning() {
	if w.before == nil {
		w.before = map[fileKey]struct{}{}
	}
	maps.Copy(w.before, w.now)
	w.now = nil
}

func (w *written) scanned() {
	w.before, w.more = nil, w.more && len(w.now) >= maxLinks
}

// promise says of a state that was just read what is known of writes. heard is
// what may have been said of the path since it was recorded.
//
// A look takes place some time after the last events were taken, and one that
// is in the queue by then is not known. Where that matters the state counts as
// read when they were taken, so that the event finds a record older than itself.
func (t *Tree) promise(o *journal.Observation, heard hint) {
	if o.State.Type != journal.File {
		return
	}
	if !t.written.has(o.State) {
		o.Unwritten = heard&mayTellOfWrite == 0 && t.co.hiding == 0 && t.now()-t.hidAt >= hidFor
	}
	if o.Unwritten || isLinked(o.State) {
		o.At = min(o.At, t.takenAt)
	}
}

// unheard is what a path may have had of events that did not arrive: none where
// a watch has reported on it ever since it was recorded.
func (t *Tree) unheard(path string) hint {
	if t.scans.lost || t.scans.within && t.scans.in == dirOf(path) || !t.live(path) {
		return hintWrite
	}
	return 0
}

// heard is what events said of a path that is not looked at yet, or is one of
// those being looked at.
func (t *Tree) heard(path string) hint {
	return t.looking[path] | t.co.waiting(path)
}

// said is what events said of a name in a scanned directory.
func (l *lister) said(name string) hint {
	return l.sc.names[nameHash(name)] | l.t.heard(join(l.sc.rel, name))
}

// unheard is what any name in a scanned directory may have had of events that
// did not arrive, or of which only the directory is remembered.
func (l *lister) unheard() hint {
	if !l.sc.followed || l.sc.fresh || l.sc.until > 0 || l.t.scans.lost || l.t.scans.heaped[l.sc.rel] > 0 {
		return hintWrite
	}
	return 0
}
