package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// TestSyncWait: what a command that waits says, and when it ends, for each thing
// that can become of a full sync.
func TestSyncWait(t *testing.T) {
	full := func(done uint64) *replicate.FullSyncStatus {
		return &replicate.FullSyncStatus{Done: done, Total: 10}
	}
	// after is what a/x is like so many seconds after the beginning; a/y is done at once.
	for name, c := range map[string]struct {
		timeout time.Duration
		after   func(seconds int) (replicate.Status, string)
		took    time.Duration
		out     string
		code    control.Code
		message string
	}{
		"done": {0, func(s int) (replicate.Status, string) {
			if s >= 3 {
				return replicate.Status{State: replicate.StateInSync}, ""
			}
			return replicate.Status{State: replicate.StateFullSync, FullSync: full(uint64(s))}, ""
		}, 3 * time.Second, "a/y: full sync done after 0 ms\na/x: full sync done after 3s\n", "", ""},
		"time is up": {5 * time.Second, func(int) (replicate.Status, string) {
			return replicate.Status{State: replicate.StateRetrying, FullSync: full(4)}, ""
		}, 5 * time.Second, "a/y: full sync done after 0 ms\n", control.CodeNotInSync, "a/x is not done after 5s: 40 % of 10 directories, retrying"},
		"failing": {0, func(s int) (replicate.Status, string) {
			r := replicate.Status{State: replicate.StateFullSync, FullSync: full(4)}
			if s >= 2 {
				r.State, r.Error = replicate.StateFailing, &replicate.StatusError{ID: "E-AUTH", Message: "auth failed"}
			}
			return r, ""
		}, 2 * time.Second, "a/y: full sync done after 0 ms\n", control.CodeProblem, "a/x is failing: E-AUTH auth failed"},
		"paused": {0, func(int) (replicate.Status, string) {
			return replicate.Status{State: replicate.StatePaused, FullSync: full(4)}, ""
		}, 0, "a/y: full sync done after 0 ms\n", control.CodeNotInSync, "a/x is paused: gorsyncd resume a/x"},
		"source held": {0, func(int) (replicate.Status, string) {
			return replicate.Status{State: replicate.StateStarting, FullSync: full(0)}, "held"
		}, 0, "a/y: full sync done after 0 ms\n", control.CodeProblem, "a/x source a is held: it is empty: gorsyncd approve 'a/*'"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out, errOut bytes.Buffer
				a := newApp(&out, &errOut)
				start := time.Now()
				w := &syncWait{app: a, timeout: c.timeout, line: newProgressLine(a), waiting: []string{"a/x", "a/y"}}
				w.status = func(ctx context.Context) (status.Status, error) {
					x, source := c.after(int(time.Since(start).Seconds()))
					x.Name, x.Source = "a/x", "a"
					s := status.New(time.Now(), status.FromDaemon)
					s.Sources = []status.Source{{Name: "a", Status: watch.Status{State: source, Held: "it is empty"}}}
					s.Remotes = []replicate.Status{x, {Name: "a/y", Source: "b", State: replicate.StateInSync}}
					return s, ctx.Err()
				}
				err := w.run(t.Context())
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v", took)
				}
				if out.String() != c.out {
					t.Errorf("out %q", out.String())
				}
				var e *control.Error
				if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &e) || e.Code != c.code || e.Message != c.message) {
					t.Errorf("got %v, want %s %q", err, c.code, c.message)
				}
			})
		})
	}
}

// TestSyncWaitAsJSON: a line for each change.
func TestSyncWaitAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		a := newApp(&out, &bytes.Buffer{})
		a.json = true
		start := time.Now()
		w := &syncWait{app: a, line: newProgressLine(a), waiting: []string{"a/x"}}
		w.status = func(context.Context) (status.Status, error) {
			s := status.New(time.Now(), status.FromDaemon)
			s.Remotes = []replicate.Status{{Name: "a/x", State: replicate.StateInSync}}
			if time.Since(start) < 3*time.Second {
				s.Remotes[0] = replicate.Status{Name: "a/x", State: replicate.StateFullSync, FullSync: &replicate.FullSyncStatus{Done: 1, Total: 2}}
			}
			return s, nil
		}
		if err := w.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"done":false`) || !strings.HasSuffix(lines[1], `"state":"in_sync","full_sync":null,"done":true}`) {
			t.Errorf("%q", lines)
		}
	})
}

func TestSyncWaitLine(t *testing.T) {
	files, bytes, seconds, later := uint64(1200), int64(5<<20), 3.0, 63.0
	known := func(left *float64) syncStep {
		return syncStep{State: replicate.StateFullSync, FullSync: &replicate.FullSyncStatus{Done: 1, Total: 4, FilesLeft: &files, BytesLeft: &bytes, SecondsLeft: left}}
	}
	w := &syncWait{waiting: []string{"a/x", "a/\x1b"}, last: map[string]syncStep{"a/x": known(&seconds), "a/\x1b": known(&later)}}
	if got, want := w.each(), `a/x 25 % of 4 directories, 1 200 files (5.0 MiB) left, ~3s; a/\x1b 25 % of 4 directories, 1 200 files (5.0 MiB) left, ~1m3s`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for step, want := range map[*syncStep]string{
		ptr(known(&later)): "2 full syncs, 2 400 files (10 MiB) left, ~1m3s",
		ptr(known(nil)):    "2 full syncs, 2 400 files (10 MiB) left",
		{FullSync: &replicate.FullSyncStatus{Waiting: true}}: "2 full syncs",
	} {
		w.last["a/\x1b"] = *step
		if got := w.all(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestSyncFlags(t *testing.T) {
	for _, args := range [][]string{{"--wait", "--dry-run"}, {"--timeout", "3s"}, {"--wait", "--timeout", "0s"}} {
		var out, errOut bytes.Buffer
		if code := newApp(&out, &errOut).run(append([]string{"sync"}, args...)); code != control.ExitUsage {
			t.Errorf("%v: exit %d, %s", args, code, errOut.String())
		}
	}
}
