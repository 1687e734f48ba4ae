package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

func TestEveryRequestArrives(t *testing.T) {
	f := &fake{changes: []Change{{Name: "x", Change: Added, Text: "added"}}}
	_, c := serve(t, f)
	ctx := t.Context()

	s, err := c.Status(ctx)
	check(t, err)
	if s.V != 1 || len(s.Remotes) != 1 || s.Remotes[0].Name != "a/b" || s.Sources == nil {
		t.Errorf("status %+v", s)
	}
	hostile := "/p\xff\n&path=x"
	_, err = c.Explain(ctx, hostile)
	check(t, err)
	equal(t, "explained path", f.path, hostile)
	text, err := c.ConfigShow(ctx)
	check(t, err)
	equal(t, "config", text, "text")

	retry := RetryRequest{Names: []string{"a/*"}, Paths: names.NewPaths([]string{"/x\xfe"})}
	got, err := c.Retry(ctx, retry)
	check(t, err)
	equal(t, "retried", got, []string{"a/b"})
	equal(t, "retry request", f.retry, retry)
	pause := PauseRequest{Names: []string{"a/b"}, For: time.Hour, Reason: "disk"}
	_, err = c.Pause(ctx, pause)
	check(t, err)
	equal(t, "pause request", f.pause, pause)
	_, err = c.Resume(ctx, []string{"r"})
	check(t, err)
	equal(t, "resumed", f.names, []string{"r"})
	approved, err := c.Approve(ctx, []string{"h"})
	check(t, err)
	equal(t, "approved, none of them held", approved, []string{})
	reload := ReloadRequest{DryRun: true, Forget: []string{"a/old"}}
	res, err := c.Reload(ctx, reload)
	check(t, err)
	equal(t, "changes", res, ReloadResult{DryRun: true, Changes: f.changes})
	equal(t, "reload", f.reload, reload)

	st, err := c.JournalStats(ctx)
	check(t, err)
	equal(t, "stats", st, JournalStats{SizeBytes: 5, Sources: []SourceStats{
		{Source: "a", HeadSeq: 9, PinnedBy: "a/b", Pinned: 4}, {Source: "c"},
	}})
	rep, err := c.JournalCheck(ctx)
	check(t, err)
	equal(t, "report", rep, JournalReport{Entries: 3, Problems: []string{`odd\n`}})
}

func TestStreams(t *testing.T) {
	f := &fake{flush: func(_ context.Context, r FlushRequest, progress func(FlushProgress)) error {
		for i := range 3 {
			progress(FlushProgress{Remote: r.Remotes[0], Left: uint64(2 - i), Done: i == 2})
		}
		return nil
	}}
	_, c := serve(t, f)
	var left []uint64
	err := c.Flush(t.Context(), FlushRequest{Remotes: []string{"a/b"}}, func(p FlushProgress) error {
		left = append(left, p.Left)
		return nil
	})
	check(t, err)
	equal(t, "progress", left, []uint64{2, 1, 0})

	q := journal.Query{Source: "a", Remote: "b", Path: "p\xff", State: "failing", From: 1, To: 1 << 63}
	var rows []Row
	err = c.Inspect(t.Context(), q, func(r Row) error { rows = append(rows, r); return nil })
	check(t, err)
	equal(t, "query", f.query, q)
	if len(rows) != 3 || rows[2].Op != "remove" || rows[2].Remotes[0].Remote != "a/b" || rows[2].Remotes[0].Attempts != 4 || rows[2].Time != nil {
		t.Errorf("rows %+v", rows)
	}
	if raw, err := rows[2].Raw(); err != nil || raw != "p2\xff" {
		t.Errorf("path %q, %v", raw, err)
	}

	var lines []string
	err = c.Sync(t.Context(), SyncRequest{Names: []string{"x"}, DryRun: true, Checksum: true}, func(p SyncProgress) error {
		lines = append(lines, p.Line)
		return nil
	})
	check(t, err)
	equal(t, "lines", lines, []string{`>f+++ x\x1b[31m`})
	f.verify = func(_ context.Context, r VerifyRequest, line func(VerifyLine)) error {
		if !r.Repair || r.Timeout != time.Hour || r.Sub.Text != "s" {
			t.Errorf("verify request %+v", r)
		}
		p := names.NewPath("g\xff")
		line(VerifyLine{Remote: "a/b", Event: EventDifference, Path: &p, Kinds: []replicate.DiffKind{replicate.DiffSize}})
		line(VerifyLine{Remote: "a/b", Event: EventResult, Result: &VerifyResult{Compared: true, VerifyResult: replicate.VerifyResult{Paths: 7}}})
		return nil
	}
	var told []VerifyLine
	err = c.Verify(t.Context(), VerifyRequest{Sub: names.NewPath("s"), Repair: true, Timeout: time.Hour}, func(l VerifyLine) error {
		told = append(told, l)
		return nil
	})
	check(t, err)
	if raw, err := told[0].Raw(); len(told) != 2 || err != nil || raw != "g\xff" || told[1].Result.Paths != 7 || told[1].Path != nil {
		t.Errorf("verify told %+v, %v", told, err)
	}
	if !f.sync.DryRun || !f.sync.Checksum {
		t.Errorf("sync request %+v", f.sync)
	}
}

func TestErrorsKeepTheirCodes(t *testing.T) {
	for _, e := range []struct {
		err  error
		code Code
		exit int
	}{
		{errors.New("boom"), CodeInternal, 1},
		{&Error{Code: CodeUsage, Message: "m", Hint: "h"}, CodeUsage, 64},
		{fmt.Errorf("wrapped: %w", &Error{Code: CodeNotFound, Message: "m"}), CodeNotFound, 1},
		{&config.Errors{List: []*config.Error{{Message: "bad"}}}, CodeConfig, 78},
		{fmt.Errorf("open: %w", journal.ErrLocked), CodeBusy, 75},
		{&journal.LostError{Dir: "d", What: "w"}, CodeDamaged, 1},
		{fs.ErrPermission, CodePermission, 77},
	} {
		f := &fake{err: e.err}
		_, c := serve(t, f)
		_, one := c.Reload(t.Context(), ReloadRequest{})
		stream := c.Inspect(t.Context(), journal.Query{}, func(Row) error { return nil })
		for _, err := range []error{one, stream} {
			var got *Error
			if !errors.As(err, &got) || got.Code != e.code || got.Exit() != e.exit || got.Message != e.err.Error() {
				t.Errorf("%v arrived as %#v", e.err, err)
			}
		}
	}
}

func TestExitCodesAreNeverTwo(t *testing.T) {
	for code := range codes {
		if got := (&Error{Code: code}).Exit(); got == 0 || got == 2 {
			t.Errorf("%s exits with %d", code, got)
		}
	}
	if got := (&Error{Code: "from the future"}).Exit(); got != ExitError {
		t.Errorf("an unknown code exits with %d", got)
	}
}

func TestFlushEndsAtItsTimeout(t *testing.T) {
	f := &fake{flush: func(ctx context.Context, _ FlushRequest, _ func(FlushProgress)) error {
		<-ctx.Done()
		return &Error{Code: CodeNotInSync, Message: "not in sync: a/b is dead"}
	}}
	_, c := serve(t, f)
	err := c.Flush(t.Context(), FlushRequest{Timeout: time.Millisecond}, nil)
	if e := Classify(err); e.Exit() != ExitNotInSync || !strings.Contains(e.Message, "a/b is dead") {
		t.Errorf("got %v", err)
	}
}

func TestClientThatLeavesEndsTheWork(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	f := &fake{flush: func(ctx context.Context, _ FlushRequest, _ func(FlushProgress)) error {
		close(started)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}}
	_, c := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	err := c.Flush(ctx, FlushRequest{Timeout: time.Hour}, nil)
	if Classify(err).Code != CodeInterrupted {
		t.Errorf("got %v", err)
	}
	<-ended
}

// TestLongRequestsOutliveTheReadLimit: the limit is for reading a request, not
// for what comes after.
func TestLongRequestsOutliveTheReadLimit(t *testing.T) {
	const limit = 50 * time.Millisecond
	wait := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(4 * limit):
			return nil
		}
	}
	f := &slowFake{wait: wait, fake: fake{flush: func(ctx context.Context, _ FlushRequest, _ func(FlushProgress)) error { return wait(ctx) }}}
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(config.Socket{Path: path, Mode: 0o600}, f, nil)
	check(t, err)
	s.http.ReadTimeout = limit
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	c := New(path)
	if err := c.Flush(t.Context(), FlushRequest{Timeout: time.Minute}, nil); err != nil {
		t.Errorf("flush: %v", err)
	}
	if _, err := c.JournalCheck(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if _, err := c.Retry(t.Context(), RetryRequest{}); err != nil {
		t.Errorf("retry: %v", err)
	}
	check(t, s.Close())
	check(t, <-done)
}

type slowFake struct {
	fake
	wait func(context.Context) error
}

func (f *slowFake) JournalCheck(ctx context.Context) (journal.Report, error) {
	return journal.Report{}, f.wait(ctx)
}

func (f *slowFake) Retry(ctx context.Context, _ RetryRequest) ([]string, error) {
	return nil, f.wait(ctx)
}

func TestRowErrorEndsInspect(t *testing.T) {
	_, c := serve(t, &fake{})
	enough := errors.New("enough")
	n := 0
	err := c.Inspect(t.Context(), journal.Query{}, func(Row) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
}

func TestCloseEndsRequests(t *testing.T) {
	f := &fake{slow: make(chan struct{}), entered: make(chan struct{})}
	s, c := serve(t, f)
	got := make(chan error, 1)
	go func() { _, err := c.Status(context.Background()); got <- err }()
	<-f.entered
	check(t, s.Close())
	if err := <-got; err == nil {
		t.Error("a request outlived the server without an error")
	}
	check(t, s.Close())
	if _, err := c.Status(t.Context()); Classify(err).Code != CodeUnreachable {
		t.Errorf("after Close: %v", err)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	var waiting atomic.Int32
	full := make(chan struct{})
	f := &fake{flush: func(ctx context.Context, _ FlushRequest, _ func(FlushProgress)) error {
		if waiting.Add(1) == maxRequests {
			close(full)
		}
		<-ctx.Done()
		return nil
	}}
	_, c := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, maxRequests)
	for range maxRequests {
		go func() { ended <- c.Flush(ctx, FlushRequest{Timeout: time.Hour}, nil) }()
	}
	<-full
	_, err := c.Status(t.Context())
	if Classify(err).Code != CodeBusy {
		t.Errorf("request %d: %v", maxRequests+1, err)
	}
	cancel()
	for range maxRequests {
		<-ended
	}
}

func TestBadRequests(t *testing.T) {
	_, c := serve(t, &fake{})
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/nothing", "", http.StatusNotFound},
		{"GET", "/pause", "", http.StatusMethodNotAllowed},
		{"POST", "/pause", "", http.StatusBadRequest},
		{"POST", "/pause", "{", http.StatusBadRequest},
		{"POST", "/pause", `{"names":["a"],"surprise":1}`, http.StatusBadRequest},
		{"POST", "/pause", `{}`, http.StatusBadRequest},
		{"POST", "/resume", `{}`, http.StatusBadRequest},
		{"POST", "/approve", `{"names":[]}`, http.StatusBadRequest},
		{"POST", "/flush", "x", http.StatusBadRequest},
		{"POST", "/sync", "x", http.StatusBadRequest},
		{"POST", "/retry", `{"names":["` + strings.Repeat("x", maxBody) + `"]}`, http.StatusRequestEntityTooLarge},
		{"GET", "/journal/entries?from=x", "", http.StatusBadRequest},
		{"GET", "/journal/entries?state=x", "", http.StatusBadRequest},
		{"GET", "/explain?path_b64=!", "", http.StatusBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, "http://x"+prefix+r.path, strings.NewReader(r.body))
		check(t, err)
		resp, err := (&http.Transport{DialContext: c.dial, DisableKeepAlives: true}).RoundTrip(req)
		check(t, err)
		if resp.StatusCode != r.status {
			t.Errorf("%s %s %.30q: %s, want %d", r.method, r.path, r.body, resp.Status, r.status)
		}
		check(t, resp.Body.Close())
	}
}

func TestDaemonThatBreaksOff(t *testing.T) {
	for _, answer := range []string{
		"", "nonsense", "HTTP/1.1 500 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
		"HTTP/1.1 200 OK\r\n\r\n{\"item\":{}}\n", "HTTP/1.1 200 OK\r\n\r\n{\"item\":7}\n{\"done\":true}\n",
	} {
		c := &Client{Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				buf := make([]byte, 4096)
				_, _ = theirs.Read(buf) // the request; what it says does not matter
				_, _ = theirs.Write([]byte(answer))
			}()
			return ours, nil
		}}
		err := c.Flush(t.Context(), FlushRequest{}, func(FlushProgress) error { return nil })
		if e := Classify(err); e == nil || e.Code != CodeUnreachable {
			t.Errorf("answer %q gave %v", answer, err)
		}
	}
}

func TestSelect(t *testing.T) {
	all := []string{"www/web1", "www/nas", "bbs/nas"}
	for _, c := range []struct {
		patterns, want []string
	}{
		{nil, all},
		{[]string{"www"}, all[:2]},
		{[]string{"*/nas"}, all[1:]},
		{[]string{"nas"}, all[1:]},
		{[]string{"bbs/nas", "www/web1"}, []string{"www/web1", "bbs/nas"}},
		{[]string{"*"}, all},
	} {
		got, err := Select(c.patterns, all)
		check(t, err)
		equal(t, fmt.Sprint(c.patterns), got, c.want)
	}
	for _, bad := range []string{"nope", "www/[", "*/x", ""} {
		_, err := Select([]string{bad}, all)
		if e := Classify(err); e == nil || e.Exit() != ExitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
