package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/tty/ptytest"
)

// TestProgressWithoutATerminal: lines of their own, not many, and none with --json.
func TestProgressWithoutATerminal(t *testing.T) {
	var out, errOut bytes.Buffer
	a := newApp(&out, &errOut)
	now := time.Unix(1e9, 0)
	a.now = func() time.Time { return now }
	p := newProgressLine(a)
	show := func() { p.show(func() string { return "at\x1b " + now.UTC().Format("05") }) }
	for range 70 {
		show()
		now = now.Add(time.Second)
	}
	p.clear()
	p.keep()
	if got := errOut.String(); got != "at\\x1b 10\nat\\x1b 40\n" || out.Len() > 0 {
		t.Errorf("%q, %q", got, out.String())
	}
	a.json = true
	now = now.Add(time.Hour)
	show()
	if n := strings.Count(errOut.String(), "\n"); n != 2 {
		t.Errorf("%q", errOut.String())
	}
}

// TestProgressOnATerminal: the first text that fits, in one line whatever happens.
func TestProgressOnATerminal(t *testing.T) {
	pty := ptytest.New(t, 20, 4)
	a := newApp(&bytes.Buffer{}, pty.TTY)
	p := newProgressLine(a)
	text := func(s string) func() string { return func() string { return s } }
	shows := func(want string) {
		t.Helper()
		pty.Until("shown", func(s *ptytest.Screen) bool { return strings.TrimRight(s.Text(), "\n") == want })
	}
	p.show(text("www/报表 12 left"), text("none"))
	shows("www/报表 12 left")
	p.show(text("a text that is much too long"), text("a short one"))
	shows("a short one")
	p.show(text("报表报表报表报表报表报表报表"))
	shows("报表报表报表报表报…")
	p.clear()
	shows("")
	p.show(text("the end"))
	p.keep()
	a.message("next")
	shows("the end\nnext")
}

func TestEstimate(t *testing.T) {
	var e estimate
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		after       time.Duration
		done, total uint64
		want        string
	}{{0, 10, 100, ""}, {time.Second, 11, 100, ""}, {9 * time.Second, 20, 100, ", ~1m20s left"}, {time.Second, 100, 100, ""}, {time.Second, 5, 100, ""}} {
		now = now.Add(c.after)
		if got := e.left(now, c.done, c.total); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.total, got, c.want)
		}
	}
}
