package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// TestFailingPathsPinNothing: a remote at which many paths fail keeps its place when
// the journal is too large: giving it up would free nothing, and removals would be
// forgotten for it. One that really is far behind gives it up.
func TestFailingPathsPinNothing(t *testing.T) {
	conf := parseConfig(t, "sources: [{path: /www, remotes: [{name: a, target: 'a::m'}]}]")
	conf.Journal.MaxSize = 1
	j := knownJournal(t, conf)
	src, err := j.Source("www")
	if err != nil {
		t.Fatal(err)
	}
	store, err := src.Remote("a")
	if err != nil {
		t.Fatal(err)
	}
	record := func(from, n int) {
		var obs []journal.Observation
		for i := from; i < from+n; i++ {
			obs = append(obs, journal.Observation{Path: fmt.Sprintf("f%06d", i), State: journal.State{Type: journal.File, Ino: uint64(i + 1)}, At: 1})
		}
		if _, err := src.Record(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
	}
	record(0, minPinned)
	var failing []journal.Retry
	now := time.Now()
	for i := range minPinned {
		failing = append(failing, journal.Retry{Path: fmt.Sprintf("f%06d", i), Seq: uint64(i + 1), Op: journal.OpChange, Attempts: 1,
			First: now, Next: now, ErrorID: "E-DEST-PERM", Since: now})
	}
	if err := store.Commit(t.Context(), journal.Update{Cursor: &journal.Cursor{Low: src.Head()}, PutRetry: failing}); err != nil {
		t.Fatal(err)
	}
	record(minPinned, 1)

	target, err := replicate.ParseTarget("a::m")
	if err != nil {
		t.Fatal(err)
	}
	disp, err := replicate.New(replicate.Options{Source: "www", Name: "a", Root: "/www", Target: target, Feed: src, Tree: src, Store: store, Clock: j})
	if err != nil {
		t.Fatal(err)
	}
	if st := disp.Status(); st.LagEntries != minPinned+1 {
		t.Fatalf("%d behind", st.LagEntries)
	}
	var log bytes.Buffer
	d := &Daemon{cfg: conf, log: slog.New(slog.NewTextHandler(&log, nil)), journal: j, patience: patience{log: quiet}, reloading: newLock(),
		units: []*unit{{cfg: config.Source{Name: "www"}, src: src, remotes: []*remote{{name: "www/a", store: store, disp: disp}}}}}
	limit := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // nobody runs it
		defer cancel()
		d.limitJournal(ctx)
	}
	if limit(); log.Len() > 0 {
		t.Errorf("gives up for what fails: %s", &log)
	}
	record(minPinned+1, minPinned)
	if limit(); !strings.Contains(log.String(), "the remote furthest behind gets a full sync") {
		t.Errorf("does not give up: %q", &log)
	}
}
