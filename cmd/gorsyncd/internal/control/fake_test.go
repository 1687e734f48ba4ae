package control

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// fake answers with what it was given; a nil func answers with nothing. The
// last request of each kind is kept.
type fake struct {
	err     error // of everything but what has its own func
	flush   func(context.Context, FlushRequest, func(FlushProgress)) error
	verify  func(context.Context, VerifyRequest, func(VerifyLine)) error
	inspect func(context.Context, func(journal.Row) error) error
	events  func(context.Context, func(events.Line) error) error
	slow    chan struct{} // Status waits for it, if set
	entered chan struct{} // closed when Status waits

	eventsRequest events.Request
	replay        ReplayRequest
	report        ReportRequest

	entries EntriesQuery
	started VerifyRequest
	path    string
	query   journal.Query
	sync    SyncRequest
	retry   RetryRequest
	pause   PauseRequest
	names   []string
	changes []Change
	reload  ReloadRequest
}

var _ API = (*fake)(nil)

func (f *fake) Status(ctx context.Context) (status.Status, error) {
	if f.slow != nil {
		close(f.entered)
		select {
		case <-f.slow:
		case <-ctx.Done():
			return status.Status{}, ctx.Err()
		}
	}
	s := status.New(time.Unix(1_800_000_000, 0), status.FromDaemon)
	s.Remotes = append(s.Remotes, replicate.Status{Name: "a/b", State: replicate.StateInSync})
	return s, f.err
}

func (f *fake) Names(context.Context) ([]string, error) { return []string{"a/b", "a/hook"}, nil }

func (f *fake) Lag(context.Context) (LagSeries, error) {
	one := 1.5
	return LagSeries{Every: 10, Now: time.Unix(1_800_000_000, 0).UTC(), Remotes: map[string][]*float64{"a/b": {nil, &one}}}, f.err
}

func (f *fake) Entries(_ context.Context, q EntriesQuery) (EntriesPage, error) {
	f.entries = q
	n := uint64(7)
	return EntriesPage{Entries: []EntryOf{NewFailing("a/b", "a", journal.Retry{Path: "p\xff", Attempts: 2, Error: "no\x1b"})}, Next: "more", Total: &n}, f.err
}

func (f *fake) Held(_ context.Context, name string, limit int) (Held, error) {
	n := uint64(limit)
	return Held{Reason: name, Count: &n, First: names.NewPaths([]string{"x", "y\xff"})}, f.err
}

func (f *fake) StartVerify(_ context.Context, r VerifyRequest) ([]string, error) {
	f.started = r
	return r.Names, f.err
}

func (f *fake) Explain(_ context.Context, path string) (Explanation, error) {
	f.path = path
	return Explanation{Source: "a", Remotes: []RemotePath{}}, f.err
}

func (f *fake) ConfigShow(context.Context) (string, error) { return "text", f.err }

func (f *fake) Flush(ctx context.Context, r FlushRequest, progress func(FlushProgress)) error {
	if f.flush != nil {
		return f.flush(ctx, r, progress)
	}
	return f.err
}

func (f *fake) Sync(_ context.Context, r SyncRequest, line func(SyncProgress)) error {
	f.sync = r
	line(SyncProgress{Remote: "a/b", Line: ">f+++ x\x1b[31m"})
	return f.err
}

func (f *fake) Verify(ctx context.Context, r VerifyRequest, line func(VerifyLine)) error {
	if f.verify != nil {
		return f.verify(ctx, r, line)
	}
	return f.err
}

func (f *fake) Retry(_ context.Context, r RetryRequest) ([]string, error) {
	f.retry = r
	return []string{"a/b"}, f.err
}

func (f *fake) Pause(_ context.Context, r PauseRequest) ([]string, error) {
	f.pause = r
	return r.Names, f.err
}

func (f *fake) Resume(_ context.Context, names []string) ([]string, error) {
	f.names = names
	return names, f.err
}

func (f *fake) Approve(_ context.Context, names []string) ([]string, error) {
	f.names = names
	return nil, f.err
}

func (f *fake) Reload(_ context.Context, r ReloadRequest) (ReloadResult, error) {
	f.reload = r
	return ReloadResult{DryRun: r.DryRun, Changes: f.changes}, f.err
}

func (f *fake) Inspect(ctx context.Context, q journal.Query, row func(journal.Row) error) error {
	f.query = q
	if f.inspect != nil {
		return f.inspect(ctx, row)
	}
	for i := range 3 {
		r := journal.Row{Source: "a", Entry: journal.Entry{Seq: uint64(i + 1), Op: journal.OpRemove, Path: fmt.Sprintf("p%d\xff", i), Count: 2},
			Remotes: []journal.RowRemote{{Name: "b", State: journal.StateFailing, Retry: &journal.Retry{Attempts: 4, ErrorID: "E-X", Error: "bad"}}}}
		if err := row(r); err != nil {
			return err
		}
	}
	return f.err
}

func (f *fake) JournalStats(context.Context) (journal.Stats, error) {
	return journal.Stats{DiskBytes: 5, Sources: []journal.SourceStats{
		{Name: "a", Head: 9, PinnedBy: "b", Pinned: 4}, {Name: "c", PinnedBy: "d"},
	}}, f.err
}

func (f *fake) JournalCheck(context.Context) (journal.Report, error) {
	return journal.Report{Entries: 3, Problems: []string{"odd\n"}}, f.err
}

func (f *fake) Events(ctx context.Context, q events.Request, line func(events.Line) error) error {
	f.eventsRequest = q
	if f.events != nil {
		return f.events(ctx, line)
	}
	return f.err
}

func (f *fake) Replay(_ context.Context, r ReplayRequest, line func(ReplayLine) error) error {
	f.replay = r
	p := names.NewPath("p\xff")
	if err := line(ReplayLine{Remote: "a/b", Event: EventReplay, Seq: 7, Op: "remove", Path: &p}); err != nil {
		return err
	}
	if err := line(ReplayLine{Remote: "a/b", Event: EventResult, Result: &ReplayResult{Removals: 1}}); err != nil {
		return err
	}
	return f.err
}

func (f *fake) Report(_ context.Context, r ReportRequest) (Report, error) {
	f.report = r
	rep := RemoteReport{Remote: "a/b", Sum: history.Sum{Delivered: 5}}
	rep.SetFailing([]journal.Retry{{Path: "ok"}, {Path: "x", Attempts: 1}, {Path: "y\xff", Attempts: 3, ErrorID: "E-X", Error: "no\x1b"}})
	return Report{Source: "daemon", Remotes: []RemoteReport{rep}}, f.err
}

func (f *fake) JournalCompact(context.Context) (JournalCompacted, error) {
	return NewJournalCompacted(journal.Compacted{Before: 9, After: 5, Truncated: 2}, 1500*time.Millisecond), f.err
}

// serve runs a server for the fake until the test ends.
func serve(t *testing.T, f *fake) (*Server, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(config.Socket{Path: path, Mode: 0o600}, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, New(path)
}
