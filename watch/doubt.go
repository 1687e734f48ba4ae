package watch

import (
	"time"

	"gorsyncd/journal"
)

// doubt is about names that were made and removed or replaced again before they
// were looked at. As a rule they were files of their own, and nothing is left of
// them. But one may have been a hard link, and what was written through it has
// changed a file whose own name no event told of; events name paths, not files.
// So a scan of the whole tree follows, as often as its cost allows.
type doubt struct {
	raised bool
	next   time.Duration // when a scan may answer it
	took   time.Duration // by the last scan of the whole tree
}

// A scan that answers a doubt starts at the earliest doubtShare times as long
// after the last one as that took, and doubtPause after it. A fence waits for
// one that takes less than doubtQuick.
const (
	doubtShare = 50
	doubtPause = time.Second
	doubtQuick = time.Second
	doubtYoung = 2 * time.Second // since a directory was last observed
)

// mayHaveBeenLink tells of names that were made and removed, in some order, or
// made, written to and replaced.
func (h hint) mayHaveBeenLink() bool { return h.has(hintMade|hintGone) || h.has(hintOver) }

// hides tells of names through which another file may have been written that
// the name does not show any more.
func (h hint) hides() bool { return h.has(hintMade|hintGone|hintWrite) || h.has(hintOver) }

// doubtGone is called with a path that is not there. Besides a name that came
// and went, one that nobody saw come, and a directory that was there too short
// for its scan to be relied on, may have been more than is known.
func (t *Tree) doubtGone(l *look) {
	if t.doubt.raised || l.hints&hintGone == 0 {
		return
	}
	if l.hints.mayHaveBeenLink() {
		t.doubt.raised = true
		return
	}
	r, known, err := t.o.Index.Lookup(l.path) // an error comes back from Record
	young := known && r.Type == journal.Dir && time.Now().UnixNano()-r.ObservedAt < int64(doubtYoung)
	t.doubt.raised = err == nil && (!known || young)
}

func (d *doubt) scanned(now, took time.Duration) {
	d.took = took
	d.next = now + max(doubtPause, doubtShare*took)
}

// answerDoubt starts a scan when one is due.
func (t *Tree) answerDoubt() {
	if t.doubt.raised && t.scans.full == nil && t.now() >= t.doubt.next {
		t.doubtScan()
	}
}

func (t *Tree) doubtScan() {
	first := t.scans.full == nil
	t.fullScan(suspects{})
	t.doubt.raised = false
	if first {
		t.scans.full.quiet = true
	}
}
