package daemon

import (
	"fmt"
	"testing"
	"time"

	"gorsyncd/journal"
)

// TestStrangerGivesUp: one that pins too much loses its place, one that pins
// little and one that a reload may be about to start do not.
func TestStrangerGivesUp(t *testing.T) {
	conf := parseConfig(t, "sources: [{path: /www, remotes: [{name: a, target: 'a::m'}]}]")
	j := knownJournal(t, parseConfig(t, planBase))
	d := &Daemon{cfg: conf, log: quiet, journal: j, patience: patience{log: quiet}, reloading: newLock()}
	src, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := src.Remote("b")
	if err != nil {
		t.Fatal(err)
	}
	fill := func(from, to int) {
		var obs []journal.Observation
		for i := from; i < to; i++ {
			obs = append(obs, journal.Observation{Path: fmt.Sprintf("f%06d", i), State: journal.State{Type: journal.File, Ino: uint64(i + 1)}, At: 1})
		}
		if _, err := src.Record(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
	}
	giveUp := func() bool { return d.giveUp(t.Context(), "www", "b", j.Stats(), 1) }

	fill(0, 100)
	if low := stranger.Cursor().Low; !giveUp() || stranger.Cursor().Low != low || stranger.FullSync() != nil {
		t.Error("one that pins next to nothing gave up")
	}
	fill(100, minPinned)
	if err := d.reloading.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if giveUp() || stranger.FullSync() != nil {
		t.Error("one gave up during a reload")
	}
	d.reloading.release()
	if d.giveUp(t.Context(), "www", "a", j.Stats(), 1) {
		t.Error("one that is configured is taken for a stranger")
	}
	if !giveUp() || stranger.Cursor().Low != src.Head() || stranger.FullSync() == nil || stranger.FullSync().Reason != reasonSize {
		t.Errorf("cursor %+v of %d, full sync %+v", stranger.Cursor(), src.Head(), stranger.FullSync())
	}
	kept, err := d.kept.Kept(j, conf, time.Now())
	if err != nil || len(kept) != 3 || kept[1].Name != "www/b" || !kept[1].FullSync || kept[1].LagEntries != 0 || kept[2].LagEntries < minPinned {
		t.Errorf("%+v, %v", kept, err)
	}
}

// TestForget drops what is named and nothing else.
func TestForget(t *testing.T) {
	conf := parseConfig(t, "sources: [{path: /www, remotes: [{name: a, target: 'a::m'}]}]")
	j := knownJournal(t, parseConfig(t, planBase))
	d := &Daemon{cfg: conf, log: quiet, journal: j, patience: patience{log: quiet}, reloading: newLock(), soft: t.Context()}
	if err := d.forget([]string{"www/c", "bbs/a", "www/a"}); err != nil { // www/a is configured
		t.Fatal(err)
	}
	src, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(src.Remotes()); got != "[a b]" {
		t.Errorf("left are %s", got)
	}
	if got := fmt.Sprint(j.Sources()); got != "[www]" {
		t.Errorf("sources left are %s", got)
	}
	kept, err := d.kept.Kept(j, conf, time.Now())
	if err != nil || len(kept) != 1 || kept[0].Name != "www/b" {
		t.Errorf("%+v, %v", kept, err)
	}
}
