package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// serveFake is the program `api SOCKET COMMAND ARGS…`: it answers on SOCKET
// while a gorsyncd command runs, and ends with that command's exit status.
func serveFake() {
	s, err := control.Listen(config.Socket{Path: os.Args[1], Mode: 0o600}, fakeAPI{}, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	code := newApp(os.Stdout, os.Stderr).run(append([]string{"--socket", os.Args[1]}, os.Args[2:]...))
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := <-served; err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// fakeAPI is a daemon with one source and two remotes, one of which is stuck.
type fakeAPI struct{}

var _ control.API = fakeAPI{}

var remotes = []string{"www/web1", "www/nas"}

func (fakeAPI) Status(context.Context) (status.Status, error) {
	s := status.New(time.Now(), status.FromDaemon)
	s.Daemon = &status.Daemon{Version: "1.0.0", UptimeSeconds: 7200}
	s.Sources = []status.Source{{Name: "www", Status: watch.Status{State: watch.StateWatching, Dirs: 3, Watches: 3, WatchLimit: 100}}}
	next := time.Now().Add(4*time.Minute + 10*time.Second + 900*time.Millisecond)
	s.Remotes = []replicate.Status{
		{Name: "www/web1", Source: "www", State: replicate.StateInSync},
		{Name: "www/nas", Source: "www", State: replicate.StateFailing, LagEntries: 88310, LagSeconds: 7980,
			Error: &replicate.StatusError{ID: "E-AUTH", Class: replicate.ClassConfig, Message: "auth failed on module www", Attempts: 19, NextRetry: &next}},
	}
	return s, nil
}

func (fakeAPI) Names(context.Context) ([]string, error) { return remotes, nil }

func (fakeAPI) Lag(context.Context) (control.LagSeries, error) {
	a := 1.5
	return control.LagSeries{Every: 10, Now: time.Now().UTC(), Remotes: map[string][]*float64{"www/web1": {nil, &a}, "www/nas": {&a}}}, nil
}

func (fakeAPI) Entries(_ context.Context, q control.EntriesQuery) (control.EntriesPage, error) {
	n := uint64(2)
	page := control.EntriesPage{Next: "more", Total: &n}
	if q.State == journal.StateQueued {
		page.Total = nil
		page.Entries = append(page.Entries, control.NewQueued("www/nas", "www", journal.Entry{Seq: 9, Op: journal.OpRemove, Path: "x\xff", Time: time.Now()}))
		return page, nil
	}
	page.Entries = append(page.Entries, control.NewFailing("www/nas", "www",
		journal.Retry{Path: "a\x1b\xff", Seq: 7, Op: journal.OpChange, Attempts: 6, First: time.Now(), Next: time.Now(), ErrorID: "E-DEST-PERM", Error: "Permission denied (13)"}))
	return page, nil
}

func (fakeAPI) Held(_ context.Context, name string, limit int) (control.Held, error) {
	if name != "www/nas" {
		return control.Held{}, nil
	}
	n := uint64(2000)
	return control.Held{Reason: "G-MAXDELETE would delete 2000 paths within a minute (limit 1000)", Count: &n, First: names.NewPaths([]string{"a", "b\xff"})[:min(2, limit)]}, nil
}

func (fakeAPI) StartVerify(_ context.Context, r control.VerifyRequest) ([]string, error) {
	return control.Select(r.Names, remotes)
}

func (fakeAPI) Explain(_ context.Context, path string) (control.Explanation, error) {
	e := control.Explanation{Path: names.NewPath(path), Source: "www", Watched: true, Remotes: []control.RemotePath{}}
	switch path {
	case "/www/cache/x":
		e.Filter = watch.Verdict{Excluded: true, Rule: "- /cache/", Origin: "g.yaml:6", By: "cache"}
	case "/www/delivered":
		e.Exists, e.Type, e.SizeBytes = true, "file", 49357
		modified := time.Now().Add(-3 * time.Minute)
		e.Modified = &modified
		e.Entry = &control.EntryInfo{Seq: 184201, Op: "change", Time: modified}
		e.Remotes = []control.RemotePath{{Remote: "www/web1", State: "acked"}}
	case "/www/queued":
		e.Remotes = []control.RemotePath{{Remote: "www/web1", State: "acked"}, {Remote: "www/nas", State: "queued", Position: 412, Note: "remote unreachable", ErrorID: "E-CONNECT"}}
	case "/www/failing":
		e.Remotes = []control.RemotePath{{Remote: "www/nas", State: "failing", ErrorID: "E-DEST-PERM", Message: "Permission denied (13)", Attempts: 6}}
	default:
		return e, &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("%s is in no source", path)}
	}
	return e, nil
}

func (fakeAPI) ConfigShow(context.Context) (string, error) { return "running: yes\n", nil }

func (fakeAPI) Flush(_ context.Context, r control.FlushRequest, progress func(control.FlushProgress)) error {
	chosen, err := control.Select(r.Remotes, remotes)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		progress(control.FlushProgress{Remote: name, Seq: 9, Left: 12})
		if name == "www/nas" {
			return &control.Error{Code: control.CodeNotInSync, Message: fmt.Sprintf("not in sync after %s: www/nas 12 entries behind", r.Timeout)}
		}
		progress(control.FlushProgress{Remote: name, Seq: 9, Done: true})
	}
	return nil
}

func (fakeAPI) Sync(_ context.Context, r control.SyncRequest, line func(control.SyncProgress)) error {
	chosen, err := control.Select(r.Names, remotes)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		if r.DryRun {
			line(control.SyncProgress{Remote: name, Line: "<f.st...... " + r.Sub.Text + "/x"})
			continue
		}
		line(control.SyncProgress{Remote: name})
	}
	return nil
}

// Verify: web1 is equal, with --checksum one path of it differs; nas is away.
func (fakeAPI) Verify(_ context.Context, r control.VerifyRequest, line func(control.VerifyLine)) error {
	chosen, err := control.Select(r.Names, remotes)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		res := &control.VerifyResult{Compared: true, VerifyResult: replicate.VerifyResult{Complete: true, Dirs: 12, Paths: 12345, Strangers: 1, Pending: 2,
			Checksum: r.Checksum, Kinds: map[replicate.DiffKind]uint64{}}}
		switch {
		case name == "www/nas":
			res = &control.VerifyResult{Code: control.CodeNotInSync, ErrorID: "E-CONNECT",
				VerifyResult: replicate.VerifyResult{Message: "www/nas could not be compared: E-CONNECT refused"}}
		case r.Checksum:
			p := names.NewPath("img/\x1b\xff.png")
			l := control.VerifyLine{Remote: name, Event: control.EventDifference, Path: &p, Kinds: []replicate.DiffKind{replicate.DiffContent}}
			res.Differences, res.Kinds[replicate.DiffContent] = 1, 1
			if r.Repair {
				l.Repair, res.Repaired = replicate.RepairQueued, 1
			}
			line(l)
		default:
			p := names.NewPath("new")
			line(control.VerifyLine{Remote: name, Event: control.EventAllowed, Path: &p, Kinds: []replicate.DiffKind{replicate.DiffStranger}, Below: 3})
		}
		line(control.VerifyLine{Remote: name, Event: control.EventProgress, Progress: &replicate.VerifyProgress{Dirs: 12, TotalDirs: 12}})
		line(control.VerifyLine{Remote: name, Event: control.EventResult, Result: res})
	}
	return nil
}

func (fakeAPI) Retry(_ context.Context, r control.RetryRequest) ([]string, error) {
	if len(r.Paths) > 0 {
		return []string{"www/nas"}, nil
	}
	return control.Select(r.Names, remotes)
}

func (fakeAPI) Pause(_ context.Context, r control.PauseRequest) ([]string, error) {
	return control.Select(r.Names, remotes)
}

func (fakeAPI) Resume(_ context.Context, n []string) ([]string, error) {
	return control.Select(n, remotes)
}

func (fakeAPI) Approve(_ context.Context, n []string) ([]string, error) {
	_, err := control.Select(n, remotes)
	return nil, err
}

func (fakeAPI) Reload(_ context.Context, r control.ReloadRequest) (control.ReloadResult, error) {
	res := control.ReloadResult{DryRun: r.DryRun, Changes: []control.Change{{Name: "www/web1", Change: control.Unchanged, Text: "unchanged"}}}
	for _, n := range r.Forget {
		if !strings.HasPrefix(n, "www/") {
			return res, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("nothing is kept for %q", n)}
		}
		res.Changes = append(res.Changes, control.Change{Name: n, Change: control.Forgotten, Text: "forgotten\x1b[31m"})
	}
	if _, err := os.Stat("g.yaml"); err != nil {
		return res, nil
	}
	c, err := config.Load("g.yaml", config.Options{})
	for i := range 30 { // more than are worth a line
		if err == nil && len(c.Sources) > 1 {
			res.Changes = append(res.Changes, control.Change{Name: fmt.Sprint("www/", i), Change: control.Unchanged, Text: "unchanged"})
		}
	}
	res.Changes = append(res.Changes, control.Change{Name: "www/nas", Change: control.Restarted, Text: "target changed; full sync starts"})
	return res, err
}

func (fakeAPI) Inspect(_ context.Context, q journal.Query, row func(journal.Row) error) error {
	if q.State == journal.StateQueued || q.Source != "" && q.Source != "www" || q.Remote != "" && !slices.Contains(remotes, "www/"+q.Remote) {
		return nil
	}
	return row(journal.Row{Source: "www", Entry: journal.Entry{Seq: 183990, Op: journal.OpChange, Path: "upload/报表\x1b\xff.xlsx", Time: time.Date(2026, 11, 21, 7, 51, 2, 0, time.UTC)},
		Remotes: []journal.RowRemote{{Name: "web1", State: journal.StateAcked},
			{Name: "nas", State: journal.StateFailing, Retry: &journal.Retry{Attempts: 6, ErrorID: "E-DEST-PERM", Error: "mkstemp: Permission denied (13)"}}}})
}

// Events: what was asked for with --from 1 is truncated; with --follow the daemon
// breaks off once.
func (fakeAPI) Events(_ context.Context, q events.Request, line func(events.Line) error) error {
	p, at := names.NewPath("upload/报表\x1b\xff.xlsx"), time.Date(2026, 11, 21, 7, 51, 2, 0, time.UTC)
	if q.Source != "" && q.Source != "www" {
		return &events.RequestError{Flag: "source", Err: fmt.Errorf("the journal has no source %q", q.Source), Hint: `did you mean "www"?`}
	}
	lines := []events.Line{{Event: events.KindPosition, Position: "00aa@www:9"}}
	switch q.From {
	case "1":
		lines = append(lines, events.Line{Event: events.KindGap, Source: "www", From: 1, To: 8, Reason: events.GapTruncated})
	case "?":
		return &events.RequestError{Flag: "from", Err: errors.New("no position"), Hint: "see --help"}
	case "00aa@www:10": // where the stream below broke off
		return &control.Error{Code: control.CodeProblem, Message: "resumed"}
	}
	lines = append(lines, events.Line{Event: events.KindEntry, Source: "www", Seq: 9, Op: "remove", Path: &p, Time: &at, Count: 12})
	if !q.Follow {
		lines = append(lines, events.Line{Event: events.KindPosition, Position: "00aa@www:10"})
	}
	for _, l := range lines {
		if err := line(l); err != nil {
			return err
		}
	}
	if q.Follow {
		return &control.Error{Code: control.CodeInterrupted, Message: "interrupted"}
	}
	return nil
}

// Replay: web1 has to remove too much, nas has a directory that was made again.
func (fakeAPI) Replay(_ context.Context, r control.ReplayRequest, line func(control.ReplayLine) error) error {
	chosen, err := control.Select(r.Names, remotes)
	if err != nil {
		return err
	}
	if r.From == "1" {
		return &control.Error{Code: control.CodeGap, Message: "www/nas: the journal does not reach back that far", Hint: "gorsyncd sync www/nas --checksum"}
	}
	p, at := names.NewPath("a\xff"), time.Date(2026, 11, 21, 7, 51, 2, 0, time.UTC)
	for _, name := range chosen {
		var lines []control.ReplayLine
		if r.DryRun {
			lines = append(lines, control.ReplayLine{Remote: name, Event: control.EventReplay, Seq: 5, Op: "change", Path: &p, Time: &at})
		}
		res := control.ReplayResult{From: 5, To: 9, Changes: 1, Removals: 2, Pending: 3, DryRun: r.DryRun}
		switch {
		case r.Sub.Text == "quiet":
		case r.Sub.Text == "remade":
			res.Remnants, res.FullSync = 2, true
		case name == "www/web1":
			res.Held = "G-MAXDELETE the replay would delete 2000 paths (limit 1000)"
		default:
			res.Remnants = 1
			lines = append(lines, control.ReplayLine{Remote: name, Event: control.EventRemnant, Path: &p})
		}
		for _, l := range append(lines, control.ReplayLine{Remote: name, Event: control.EventResult, Result: &res}) {
			if err := line(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (fakeAPI) Report(_ context.Context, r control.ReportRequest) (control.Report, error) {
	chosen, err := control.Select(r.Names, remotes)
	out := control.Report{Source: "daemon", Since: r.Since, Until: time.Now(), Remotes: []control.RemoteReport{}}
	at := func(min int) time.Time { return time.Date(2026, 11, 21, 7, min, 0, 0, time.UTC) }
	for _, name := range chosen {
		rep := control.RemoteReport{Remote: name, Sum: history.Sum{Spans: []history.Span{}, Outages: []history.Outage{}, Full: []history.Run{}, Verify: []history.Run{}}}
		rep.SetFailing(nil)
		if name == "www/nas" {
			begin := at(0)
			rep.Sum = history.Sum{Begin: &begin, Known: &begin, Spans: []history.Span{}, Delivered: 1234, Bytes: 5 << 20, Behind: 7200, Down: 600,
				Latency: &history.Latency{P50: 0.0126, P95: 0.5, P99: 3.98, Max: 7200},
				Outages: []history.Outage{{Begin: at(10), End: at(20), ErrorID: "E-CONNECT"}, {Begin: at(30), End: at(31), ErrorID: history.Stopped}},
				Full:    []history.Run{{Kind: history.KindFull, Begin: at(1), End: at(2), Reason: "new remote", Complete: true, Dirs: 1}},
				Verify: []history.Run{{Kind: history.KindVerify, Begin: at(3), End: at(4), Complete: true, Paths: 500},
					{Kind: history.KindVerify, Begin: at(5), End: at(6), Path: "img", Complete: true, Paths: 500, Differences: 2, Repaired: 1},
					{Kind: history.KindVerify, Begin: at(7), End: at(8), Message: "paused\x1b"}}}
			if r.Spans {
				rep.Spans = []history.Span{{Begin: begin, End: begin.Add(time.Hour), Delivered: 1234, Bytes: 5 << 20, Behind: 7200,
					Latency: &history.Latency{P50: 0.0126, P95: 0.5, P99: 3.98, Max: 7200}}}
			}
			rep.SetFailing([]journal.Retry{{Path: "x\xff", Attempts: 6, ErrorID: "E-DEST-PERM"}})
		}
		out.Remotes = append(out.Remotes, rep)
	}
	return out, err
}

func (fakeAPI) JournalCompact(context.Context) (control.JournalCompacted, error) {
	return control.NewJournalCompacted(journal.Compacted{Before: 3 << 20, After: 1 << 20, Truncated: 1}, 250*time.Millisecond), nil
}

func (fakeAPI) JournalStats(context.Context) (journal.Stats, error) {
	return journal.Stats{DiskBytes: 1 << 20, Sources: []journal.SourceStats{{Name: "www", Head: 184223, Entries: 90214, Index: 5, PinnedBy: "nas", Pinned: 88310}}}, nil
}

func (fakeAPI) JournalCheck(context.Context) (journal.Report, error) {
	return journal.Report{Entries: 3, Problems: []string{"entry 7 has no index record"}}, nil
}
