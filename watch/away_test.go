package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"gorsyncd/journal"
)

// swapped asserts that what is in the directory was journaled after the call of
// change, although none of it looks changed.
func swapped(t *testing.T, r *rig, change func(), paths ...string) {
	t.Helper()
	before := map[string]uint64{}
	for p, rec := range r.idx.live() {
		before[p] = rec.LastSeq
	}
	change()
	r.settled()
	after := r.idx.live()
	for _, p := range paths {
		if after[p].LastSeq == before[p] {
			t.Errorf("%s was not journaled anew", p)
		}
	}
}

func twoDirs(r *rig) { r.sh(`mkdir -p a/sub b/sub; echo 1 > a/sub/f; echo 22 > b/sub/f`) }

const thereAndBack = `mv a tmp; mv b a; mv a b; mv tmp a`

// TestAwayWhileScanned: a directory goes and comes back, and is watched anew by
// a scan that only compares, or its node is dropped, before the event is seen.
func TestAwayWhileScanned(t *testing.T) { onBoth(t, testAwayWhileScanned) }

func testAwayWhileScanned(t *testing.T) {
	r := startTree(t, twoDirs)
	r.settled()
	r.stop()
	tr := r.tree
	for _, c := range []struct {
		name    string
		between func()
	}{
		{"compared", func() { tr.w.find("a").added = int64(tr.now()) }},
		{"dropped", func() { tr.w.forget("a") }},
	} {
		mono := tr.now()
		c.between()
		tr.ingest(&event{name: r.path("a"), hints: hintOf(fsnotify.Create), mono: mono, wall: time.Now().UnixNano()})
		if !tr.away.take("a") {
			t.Errorf("%s: forgotten", c.name)
		}
	}
	n := tr.w.find("b")
	mono := tr.now()
	n.told = int64(mono)
	if tr.ingest(&event{name: r.path("b"), hints: hintOf(fsnotify.Create), mono: mono, wall: time.Now().UnixNano()}); tr.away.has("b") {
		t.Error("all of b was observed anew since that event")
	}
}

// TestAwayWithoutEvents: nobody was there to receive events.
func TestAwayWithoutEvents(t *testing.T) { onBoth(t, testAwayWithoutEvents) }

func testAwayWithoutEvents(t *testing.T) {
	r := startTree(t, twoDirs)
	r.settled()
	r.stop()
	swapped(t, r, func() {
		r.sh(thereAndBack)
		r.start()
		r.waitReady()
	}, "a/sub/f", "b/sub/f")
}

// TestAwayLive: and with events.
func TestAwayLive(t *testing.T) { onBoth(t, testAwayLive) }

func testAwayLive(t *testing.T) {
	r := startTree(t, twoDirs)
	for range 20 {
		r.settled()
		swapped(t, r, func() { r.sh(thereAndBack) }, "a/sub/f", "b/sub/f")
	}
}

// TestNewIsToldOnce: the event of a directory that a scan has found already
// says nothing new.
func TestNewIsToldOnce(t *testing.T) { onBoth(t, testNewIsToldOnce) }

func testNewIsToldOnce(t *testing.T) {
	r := startTree(t, twoDirs)
	r.settled()
	for range 30 {
		r.sh(`mkdir -p n/m/o; echo 1 > n/m/o/f; sleep 0.03; rm -r n`)
	}
	r.settled()
	r.sh(`mkdir -p n/m/o; echo 1 > n/m/o/f`)
	r.settled()
	seq := r.idx.live()["n/m/o/f"].LastSeq
	r.sh(`echo 1 > n/g`)
	r.settled()
	if now := r.idx.live()["n/m/o/f"].LastSeq; now != seq {
		t.Errorf("seq %d became %d", seq, now)
	}
}

func TestAwayIsBounded(t *testing.T) {
	var a away
	for i := range maxAway + 10 {
		a.note(fmt.Sprint(i), time.Duration(i))
	}
	if !a.has("anything") || len(a.paths) > maxAway {
		t.Error("too many are not all")
	}
	a.idle(nil)
	if a.has("anything") {
		t.Error("idle remembers")
	}
	a.note("p", 5)
	a.note("q", 5)
	a.told("p", 4)
	if !a.has("p") {
		t.Error("told of what came later")
	}
	a.told("p", 5)
	if a.has("p") || !a.take("q") || a.take("q") {
		t.Error("not taken once")
	}
	a.note("r", 1)
	a.note("s", 1)
	a.idle(map[string]struct{}{"r": {}})
	if !a.has("r") || a.has("s") {
		t.Error("what is tried again is not kept")
	}
}

func TestMovedUnseen(t *testing.T) {
	dir := journal.State{Type: journal.Dir, Mode: 0o755, Mtime: 5, Ctime: 9}
	for _, c := range []struct {
		change func(*journal.State)
		want   bool
	}{
		{func(s *journal.State) {}, false},
		{func(s *journal.State) { s.Ctime = 10 }, true},
		{func(s *journal.State) { s.Ctime, s.Mtime = 10, 10 }, false},
		{func(s *journal.State) { s.Ctime, s.Mode = 10, 0o700 }, false},
		{func(s *journal.State) { s.Ctime, s.UID = 10, 1 }, false},
		{func(s *journal.State) { s.Ctime, s.Type = 10, journal.File }, false},
	} {
		s := dir
		c.change(&s)
		if got := movedUnseen(journal.Record{State: dir}, s); got != c.want {
			t.Errorf("%+v: %v", s, got)
		}
	}
}
