package offline

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var now = time.Now()

// written is a journal with six entries, the root's among them, and one remote per situation.
func written(t *testing.T, dir string) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: dir, Retain: time.Hour})
	check(t, err)
	src, err := j.Source("src")
	check(t, err)
	ctx := context.Background()
	remote := func(name string, u journal.Update) {
		r, err := src.Remote(name)
		check(t, err)
		u.EndFullSync = u.FullSync == nil
		check(t, r.Commit(ctx, u))
	}
	for _, name := range []string{"done", "behind", "failing", "retrying", "held", "paused", "apart"} {
		remote(name, journal.Update{})
	}
	obs := []journal.Observation{{At: now.UnixNano(), State: journal.State{Type: journal.Dir, Mode: 0o755, Mtime: 1, Ctime: 1, Ino: 2}}}
	for i, p := range []string{"a", "b", "c", "d", "e"} {
		obs = append(obs, journal.Observation{Path: p, At: now.UnixNano(),
			State: journal.State{Type: journal.File, Mode: 0o644, Size: 1, Mtime: 1, Ctime: 1, Ino: uint64(i + 10), Nlink: 1}})
	}
	_, err = src.Record(ctx, obs)
	check(t, err)
	all := &journal.Cursor{Low: src.Head()}
	failed := func(attempts int) []journal.Retry {
		return []journal.Retry{
			{Path: "b", Seq: 2, Op: journal.OpChange, Attempts: attempts, First: now, Next: now.Add(time.Minute), ErrorID: "E-DEST-PERM", Error: "no"},
			{Path: "c", Seq: 3, Op: journal.OpChange},
		}
	}
	remote("done", journal.Update{Cursor: all, State: &journal.RemoteState{LastSuccess: now}})
	remote("behind", journal.Update{Cursor: &journal.Cursor{Low: 1, Done: []journal.Range{{From: 3, To: 4}}}})
	remote("failing", journal.Update{Cursor: all, PutRetry: failed(5)})
	remote("retrying", journal.Update{Cursor: all, PutRetry: failed(1)})
	remote("held", journal.Update{State: &journal.RemoteState{Held: "G-MAXDELETE", HeldSince: now}})
	remote("paused", journal.Update{State: &journal.RemoteState{Paused: true, PauseReason: "disk"}})
	remote("apart", journal.Update{Cursor: all, State: &journal.RemoteState{Verify: journal.VerifyState{Diverged: 3, DivergedAt: now}}})
	remote("full", journal.Update{FullSync: &journal.FullSync{Reason: "new remote", Total: 9}})
	check(t, j.Close())
}

const conf = `sources:
  - path: /src
    remotes:
      - {name: done, target: "h::done"}
      - {name: behind, target: "h::behind"}
      - {name: failing, target: "h::failing"}
      - {name: retrying, target: "h::retrying"}
      - {name: held, target: "h::held"}
      - {name: paused, target: "h::paused"}
      - {name: apart, target: "h::apart"}
      - {name: full, target: "h::full"}
      - {name: fresh, target: "h::fresh"}
  - path: /other
    remotes: ["h::other"]
`

func TestStatusFromTheJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	written(t, dir)
	c, err := config.Parse("c.yaml", []byte(conf), config.Options{})
	check(t, err)
	v, err := Open(dir)
	check(t, err)
	s, err := v.Status(c, now)
	check(t, err)
	if s.From != status.FromJournal || s.Daemon != nil || s.Note == "" || v.How() != "read-only, the daemon is not running" {
		t.Errorf("%+v, how %q", s, v.How())
	}
	if s.Journal.HeadSeq != 6 || s.Journal.Entries != 6 || len(s.Sources) != 2 {
		t.Errorf("journal %+v, sources %+v", s.Journal, s.Sources)
	}
	want := []struct {
		name  string
		state replicate.State
		lag   uint64
	}{
		{"src/done", replicate.StateInSync, 0},
		{"src/behind", replicate.StateStarting, 3},
		{"src/failing", replicate.StateFailing, 2},
		{"src/retrying", replicate.StateRetrying, 2},
		{"src/held", replicate.StateHeld, 6},
		{"src/paused", replicate.StatePaused, 6},
		{"src/apart", replicate.StateFailing, 0},
		{"src/full", replicate.StateFullSync, 0},
		{"src/fresh", replicate.StateStarting, 0},
		{"other/h", replicate.StateStarting, 0},
	}
	if len(s.Remotes) != len(want) {
		t.Fatalf("%d remotes, want %d", len(s.Remotes), len(want))
	}
	for i, w := range want {
		r := s.Remotes[i]
		if r.Name != w.name || r.State != w.state || r.LagEntries != w.lag {
			t.Errorf("%s is %s, %d behind; want %+v", r.Name, r.State, r.LagEntries, w)
		}
	}
	if e := s.Remotes[2].Error; e == nil || e.ID != "E-DEST-PERM" || e.Path != "b" || e.Attempts != 5 || s.Remotes[2].Failing != 1 {
		t.Errorf("failing: %+v", s.Remotes[2])
	}
	if p := s.Remotes[5].Paused; p == nil || p.Reason != "disk" || p.Until != nil {
		t.Errorf("paused: %+v", p)
	}
	rows := 0
	check(t, v.Dump(t.Context(), journal.Query{State: journal.StateFailing}, func(journal.Row) error { rows++; return nil }))
	if rows == 0 {
		t.Error("no failing rows")
	}
	rep, err := v.Check(t.Context())
	check(t, err)
	if len(rep.Problems) > 0 || rep.Entries != 6 {
		t.Errorf("check: %+v", rep)
	}
	check(t, v.Close())
}

func TestNoJournalYet(t *testing.T) {
	v, err := Open(filepath.Join(t.TempDir(), "none"))
	check(t, err)
	c, err := config.Parse("c.yaml", []byte(conf), config.Options{})
	check(t, err)
	s, err := v.Status(c, now)
	check(t, err)
	if len(s.Remotes) != 10 || s.Remotes[0].State != replicate.StateStarting || s.ExitCode() != status.ExitBehind {
		t.Errorf("%+v", s.Remotes)
	}
	check(t, v.Dump(t.Context(), journal.Query{}, func(journal.Row) error { return errors.New("a row of nothing") }))
	if st := v.Stats(); st.DiskBytes != 0 {
		t.Errorf("%+v", st)
	}
	_, err = v.Check(t.Context())
	check(t, err)
	check(t, v.Close())
}

func TestJournalInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(journal.Options{Dir: dir})
	check(t, err)
	_, err = Open(dir)
	if e := control.Classify(err); e == nil || e.Exit() != control.ExitUnreachable || !errors.Is(err, journal.ErrLocked) {
		t.Errorf("got %v", err)
	}
	check(t, j.Close())
}
