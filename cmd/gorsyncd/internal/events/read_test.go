package events

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
)

// rig is a real journal that is written to by hand.
type rig struct {
	t *testing.T
	j *journal.Journal
	n int64
}

func newRig(t *testing.T, retain time.Duration) *rig {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: filepath.Join(t.TempDir(), "journal"), Retain: retain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t: t, j: j}
}

// change journals changes of paths, "-" before those that are gone.
func (g *rig) change(source string, paths ...string) {
	g.t.Helper()
	src, err := g.j.Source(source)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, p := range paths {
		g.n++
		at := time.Now().Add(-time.Hour).UnixNano()
		o := journal.Observation{Path: p, At: at, State: journal.State{Type: journal.File, Size: g.n, Mtime: g.n, Ctime: g.n, Ino: uint64(100 + g.n), Nlink: 1}}
		if name, ok := strings.CutPrefix(p, "-"); ok {
			o = journal.Observation{Path: name, At: at}
		} else if name, ok := strings.CutSuffix(p, "/"); ok {
			o.Path, o.State = name, journal.State{Type: journal.Dir, Mtime: g.n, Ctime: g.n, Ino: uint64(100 + g.n)}
		}
		if _, err := src.Record(g.t.Context(), []journal.Observation{o}); err != nil {
			g.t.Fatal(err)
		}
	}
}

// ack has a remote of the source pass everything, and truncates.
func (g *rig) truncate(source string) {
	g.t.Helper()
	src, err := g.j.Source(source)
	if err != nil {
		g.t.Fatal(err)
	}
	for range 2 { // the sweep waits for a while
		if err := g.j.Maintain(g.t.Context()); err != nil {
			g.t.Fatal(err)
		}
		if seq, _ := src.Dropped(); seq > 0 {
			return
		}
		time.Sleep(5100 * time.Millisecond)
	}
	if err := g.j.Maintain(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// short spells a line: www#3 change a.
func short(l Line) string {
	switch l.Event {
	case KindEntry:
		p, _ := l.Raw()
		return fmt.Sprintf("%s#%d %s %s", l.Source, l.Seq, l.Op, p)
	case KindGap:
		return fmt.Sprintf("%s gap %d-%d %s", l.Source, l.From, l.To, l.Reason)
	}
	_, at, _ := strings.Cut(l.Position, "@")
	return "at " + at
}

// read returns the lines without the position that is told at the beginning, if
// there is anything else.
func (g *rig) read(q Request) []string {
	g.t.Helper()
	var got []string
	told := false
	err := Read(g.t.Context(), g.j, q, func(l Line) error {
		if l.Event == KindEntry && !told {
			g.t.Errorf("%+v came before any position", l)
		}
		if first := l.Event == KindPosition && !told; first {
			told = true
			return nil
		}
		got = append(got, short(l))
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return got
}

func (g *rig) position(q Request) (last string) {
	g.t.Helper()
	err := Read(g.t.Context(), g.j, q, func(l Line) error {
		if l.Event == KindPosition {
			last = l.Position
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return last
}

func want(t *testing.T, what string, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, lines)
	}
}

func TestReadMergesSources(t *testing.T) {
	g := newRig(t, time.Hour)
	want(t, "of nothing", g.read(Request{}))
	g.change("www", "/", "a") // 1 is the root
	g.change("bbs", "/", "x.jpg")
	g.change("www", "b", "a") // the first a is superseded
	g.change("www", "-b")
	all := []string{"www#1 change ", "bbs#1 change ", "bbs#2 change x.jpg", "www#4 change a", "www#5 remove b", "at bbs:3,www:6"}
	want(t, "all", g.read(Request{}), all...)
	want(t, "one source", g.read(Request{Source: "bbs"}), "bbs#1 change ", "bbs#2 change x.jpg", "at bbs:3")
	want(t, "pattern", g.read(Request{Path: "*.jpg"}), "bbs#2 change x.jpg", "at bbs:3,www:6")
	want(t, "bare seq", g.read(Request{Source: "www", From: "5"}), "www#5 remove b", "at www:6")
	want(t, "named", g.read(Request{From: "www:5,bbs:3"}), "www#5 remove b", "at bbs:3,www:6")
	want(t, "last", g.read(Request{Last: new(int)}))
	three := 3
	want(t, "last 3", g.read(Request{Last: &three}), all[2:]...)
	want(t, "last 3 of some", g.read(Request{Last: &three, Path: "/b"}), "www#5 remove b", "at bbs:3,www:6")
	want(t, "since before", g.read(Request{Since: time.Now().Add(-time.Hour)}), all...)
	want(t, "since after", g.read(Request{Since: time.Now().Add(time.Hour)}))

	at := g.position(Request{})
	g.change("bbs", "y")
	g.change("new", "/")
	want(t, "resumed", g.read(Request{From: at}), "bbs#3 change y", "new#1 change ", "at bbs:4,new:2,www:6")
}

func TestGaps(t *testing.T) {
	g := newRig(t, 0)
	g.change("www", "/", "a", "b")
	g.truncate("www")
	g.change("www", "c")
	want(t, "asked for", g.read(Request{From: "2", Source: "www"}), "www gap 2-3 truncated", "www#4 change c", "at www:5")
	want(t, "what there is", g.read(Request{}), "www#4 change c", "at www:5")
	want(t, "since", g.read(Request{Since: time.Now().Add(-time.Hour)}), "www gap 0-3 truncated", "www#4 change c", "at www:5")
	want(t, "behind it", g.read(Request{From: "www:4"}), "www#4 change c", "at www:5")
	// A superseded seq is no gap.
	g.change("www", "c", "c", "c")
	want(t, "superseded", g.read(Request{From: "www:4"}), "www#7 change c", "at www:8")

	other := strings.Repeat("0", epochDigits) + "@www:6,gone:9"
	want(t, "another journal", g.read(Request{From: other}), "www gap 6-0 rebuilt", "www#7 change c", "at www:8")
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	g := newRig(t, time.Hour)
	g.change("www", "/")
	g.change("bbs", "/")
	many := maxLast + 1
	for _, c := range []struct {
		q    Request
		want string
	}{
		{Request{Source: "ww"}, "no source"},
		{Request{From: "3"}, "each source counts its own"},
		{Request{From: "www:9"}, "has come to #1 only"},
		{Request{From: "wwww:1"}, "no source"},
		{Request{From: "x@www:1"}, "no journal's id"},
		{Request{From: "www"}, "no position"},
		{Request{Path: "a\nb"}, "line break"},
		{Request{Last: &many}, "not a number"},
	} {
		err := Read(t.Context(), g.j, c.q, func(Line) error { return nil })
		var bad *RequestError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}

// TestFollow: what is committed while a slow reader is busy comes in order, none
// twice and none left out, also from a source that is created meanwhile.
func TestFollow(t *testing.T) {
	g := newRig(t, time.Hour)
	g.change("www", "/")
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan Line)
	done := make(chan error, 1)
	go func() {
		done <- Read(ctx, g.j, Request{Follow: true}, func(l Line) error { lines <- l; return nil })
	}()
	next := func(want string) { // positions come between, as it happens
		t.Helper()
		for got := range lines {
			if s := short(got); s == want {
				return
			} else if got.Event != KindPosition {
				t.Fatalf("got %q, want %q", s, want)
			}
		}
	}
	next("at www:1")
	next("www#1 change ")
	g.change("www", "a", "b") // while the reader waits with the position
	next("www#2 change a")
	next("www#3 change b")
	next("at www:4")
	g.change("bbs", "/", "x")
	next("bbs#1 change ")
	next("bbs#2 change x")
	next("at bbs:3,www:4")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnErrorOfTheReaderEndsIt(t *testing.T) {
	g := newRig(t, time.Hour)
	g.change("www", "/", "a")
	enough := errors.New("enough")
	if err := Read(t.Context(), g.j, Request{Follow: true}, func(Line) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "12", "www:3", "0123456789abcdef@a.b-c_d:1,www:184", "@", "a@", "www:", ":3", "x:1,x:1", "18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err != nil {
			return
		}
		if _, bare := p.Next[""]; bare {
			return
		}
		again, err := ParsePosition(p.String())
		if err != nil || again.String() != p.String() || again.Epoch != p.Epoch || len(again.Next) != len(p.Next) {
			t.Fatalf("%q: %+v became %+v (%v)", text, p, again, err)
		}
	})
}
