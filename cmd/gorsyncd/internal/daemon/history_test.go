package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/replicate"
)

// TestHistoriesSurviveStops: what was noted is there after a start, and so is the
// time in between, in which nobody noted anything.
func TestHistoriesSurviveStops(t *testing.T) {
	state, now := t.TempDir(), time.Now()
	open := func(at time.Time, configured ...string) *histories {
		return openHistories(state, configured, at, slog.New(slog.DiscardHandler))
	}
	h := open(now, "www/nas")
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.touch(now)
	first := h.of("www/nas")
	first.Delivered(now, now.Add(-time.Second))
	if h.of("www/nas") != first {
		t.Error("two histories of one remote")
	}
	h.save()

	sum := func(h *histories, at time.Time) history.Sum { return h.of("www/nas").Sum(now.Add(-time.Hour), at) }
	soon := now.Add(sampleEvery)
	if s := sum(open(soon, "www/nas"), soon); s.Delivered != 1 || len(s.Outages) != 0 {
		t.Errorf("after a restart: %+v", s)
	}
	late := now.Add(time.Hour)
	h = open(late, "www/nas")
	if s := sum(h, late); s.Delivered != 1 || len(s.Outages) != 1 || s.Outages[0].ErrorID != history.Stopped || s.Down < 3590 {
		t.Errorf("after an hour: %+v", s)
	}
	if s := h.of("www/new").Sum(now, late); len(s.Outages) != 0 {
		t.Errorf("a new remote was away: %+v", s)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "www", "nas"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := sum(open(late, "www/nas"), late); s.Delivered != 0 {
		t.Errorf("a damaged file: %+v", s)
	}
}

func TestHistoriesOfStrangersAreForgotten(t *testing.T) {
	state, now := t.TempDir(), time.Now()
	dir := history.Dir(state)
	for name, days := range map[string]int{"www/nas": 100, "www/old": 100, "www/young": 10, "gone/nas": 36} {
		f := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := now.Add(-time.Duration(days) * 24 * time.Hour)
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
	}
	openHistories(state, []string{"www/nas"}, now, slog.New(slog.DiscardHandler))
	for name, want := range map[string]bool{"www/nas": true, "www/old": false, "www/young": true, "gone/nas": false} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSampleNoticesQuietRecovery: a remote that is in sync again without having
// been sent anything is no longer down; one that waits still is.
func TestSampleNoticesQuietRecovery(t *testing.T) {
	now := time.Now()
	for state, want := range map[replicate.State]bool{replicate.StateInSync: true, replicate.StateRetrying: false, replicate.StateSyncing: false} {
		l := &history.Log{}
		l.Health(now, "E-CONNECT")
		sample(l, replicate.Status{State: state, LagSeconds: 90}, now.Add(time.Minute))
		s := l.Sum(now.Add(-time.Hour), now.Add(2*time.Minute))
		if ended := !s.Outages[0].End.IsZero(); ended != want || s.Behind != 90 {
			t.Errorf("%s: %+v", state, s)
		}
	}
}

func TestObserverTellsRuns(t *testing.T) {
	l, now := &history.Log{}, time.Now()
	o := observer{l}
	o.Ended(replicate.Ending{Began: now, Ended: now, Reason: "r\x1b", Complete: true, Dirs: 3})
	o.Ended(replicate.Ending{Verify: true, Began: now, Ended: now, Path: "p\xff", Differences: 2})
	s := l.Sum(now.Add(-time.Hour), now)
	if len(s.Full) != 1 || s.Full[0].Reason != `r\x1b` || s.Full[0].Dirs != 3 || len(s.Verify) != 1 || s.Verify[0].Path != `p\xff` || s.Verify[0].Differences != 2 {
		t.Errorf("%+v", s)
	}
}

// TestOneReportAtATime: each reads all that fails, and anybody who may look can ask.
func TestOneReportAtATime(t *testing.T) {
	d := &Daemon{reporting: newLock()}
	if err := d.reporting.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Report(ctx, control.ReportRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("while another is made: %v", err)
	}
}
