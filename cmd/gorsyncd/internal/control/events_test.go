package control

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

func TestEventsAreStreamed(t *testing.T) {
	p := names.NewPath("p\xff")
	f := &fake{events: func(_ context.Context, line func(events.Line) error) error {
		return errors.Join(line(events.Line{Event: events.KindEntry, Source: "a", Seq: 1 << 63, Op: "change", Path: &p}),
			line(events.Line{Event: events.KindPosition, Position: "x@a:2"}))
	}}
	_, c := serve(t, f)
	n := 0
	for _, q := range []events.Request{
		{},
		{Source: "a", From: "0123@a:7", Path: "*\xfe&x=", Follow: true},
		{Since: time.Unix(1_800_000_000, 5).UTC()},
		{Last: &n},
	} {
		var got []events.Line
		check(t, c.Events(t.Context(), q, func(l events.Line) error { got = append(got, l); return nil }))
		equal(t, "request", f.eventsRequest, q)
		if raw, err := got[0].Raw(); len(got) != 2 || err != nil || raw != "p\xff" || got[0].Seq != 1<<63 || got[1].Path != nil {
			t.Errorf("lines %+v", got)
		}
	}
}

func TestEventsThatMakeNoSense(t *testing.T) {
	f := &fake{err: &events.RequestError{Flag: "from", Err: errors.New("what"), Hint: "this"}}
	_, c := serve(t, f)
	var e *Error
	err := c.Events(t.Context(), events.Request{From: "?"}, func(events.Line) error { return nil })
	if !errors.As(err, &e) || e.Code != CodeUsage || e.Message != "--from: what" || e.Hint != "this" {
		t.Errorf("%#v", err)
	}
	for _, query := range []string{"since=x", "last=x", "follow=x", "path_b64=!"} {
		v, err := url.ParseQuery(query)
		check(t, err)
		_, err = c.do(t.Context(), http.MethodGet, "/events", v, nil)
		if !errors.As(err, &e) || e.Code != CodeUsage {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestFollowersAreLimited: they must not take every request that there is.
func TestFollowersAreLimited(t *testing.T) {
	begun := make(chan struct{})
	f := &fake{events: func(ctx context.Context, line func(events.Line) error) error {
		if err := line(events.Line{Event: events.KindPosition, Position: "x@"}); err != nil {
			return err
		}
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}
	_, c := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, maxFollowers)
	for range maxFollowers {
		go func() { done <- c.Events(ctx, events.Request{Follow: true}, func(events.Line) error { return nil }) }()
		<-begun
	}
	var e *Error
	if err := c.Events(t.Context(), events.Request{Follow: true}, func(events.Line) error { return nil }); !errors.As(err, &e) || e.Code != CodeBusy {
		t.Errorf("one too many: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("status beside them: %v", err)
	}
	cancel()
	for range maxFollowers {
		if err := <-done; !errors.As(err, &e) || e.Code != CodeInterrupted {
			t.Errorf("a follower ended with %v", err)
		}
	}
	// Their places are free again.
	again, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	for free := false; !free; {
		go func() { ended <- c.Events(again, events.Request{Follow: true}, func(events.Line) error { return nil }) }()
		select {
		case <-begun:
			free = true
		case err := <-ended:
			if !errors.As(err, &e) || e.Code != CodeBusy {
				t.Fatalf("a follower after them: %v", err)
			}
		}
	}
	stop()
	<-ended
}

// TestAStalledFollowerEndsWithTheServer: one that reads nothing holds up neither
// the API for ever nor the end of the server.
func TestAStalledFollowerEndsWithTheServer(t *testing.T) {
	ended := make(chan error, 1)
	f := &fake{events: func(_ context.Context, line func(events.Line) error) error {
		for {
			if err := line(events.Line{Event: events.KindEntry, Source: "a", Seq: 1, Op: "change"}); err != nil {
				ended <- err
				return err
			}
		}
	}}
	s, c := serve(t, f)
	stalled, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		first := true
		done <- c.Events(t.Context(), events.Request{Follow: true}, func(events.Line) error {
			if first {
				first = false
				close(stalled)
			}
			<-release
			return nil
		})
	}()
	<-stalled
	begun := time.Now()
	check(t, s.Close())
	if took := time.Since(begun); took > closeLimit {
		t.Errorf("closing took %s", took)
	}
	<-ended
	close(release)
	if err := <-done; err == nil {
		t.Error("the client took a broken stream for a whole one")
	}
}

func TestReplayAndReportArrive(t *testing.T) {
	f := &fake{}
	_, c := serve(t, f)
	req := ReplayRequest{Names: []string{"a/b"}, From: "a:7", Since: time.Unix(5, 0).UTC(), Sub: names.NewPath("s\xff"), DryRun: true}
	var told []ReplayLine
	check(t, c.Replay(t.Context(), req, func(l ReplayLine) error { told = append(told, l); return nil }))
	equal(t, "replay request", f.replay, req)
	if raw, err := told[0].Raw(); len(told) != 2 || err != nil || raw != "p\xff" || told[1].Result.Removals != 1 {
		t.Errorf("told %+v", told)
	}
	var e *Error
	if err := c.Replay(t.Context(), ReplayRequest{From: "1"}, nil); !errors.As(err, &e) || e.Code != CodeUsage {
		t.Errorf("a replay of nothing: %v", err)
	}
	ask := ReportRequest{Names: []string{"a"}, Since: time.Unix(9, 0).UTC()}
	rep, err := c.Report(t.Context(), ask)
	check(t, err)
	equal(t, "report request", f.report, ask)
	r := rep.Remotes[0]
	if r.Delivered != 5 || r.Failing != 2 || len(r.Worst) != 2 || r.Worst[0].Message != `no\x1b` || r.Worst[0].B64 == "" {
		t.Errorf("%+v", r)
	}
	done, err := c.JournalCompact(t.Context())
	check(t, err)
	equal(t, "compacted", done, JournalCompacted{Before: 9, After: 5, Truncated: 2, Seconds: 1.5})
	f.err = &Error{Code: CodeGap, Message: "gone", Hint: "sync"}
	err = c.Replay(t.Context(), req, func(ReplayLine) error { return nil })
	if !errors.As(err, &e) || e.Code != CodeGap || e.Exit() != ExitNotInSync {
		t.Errorf("%#v", err)
	}
}
