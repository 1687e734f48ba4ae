package screen

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func at(ago time.Duration) *time.Time {
	t := now.Add(-ago)
	return &t
}

func ptr[T any](v T) *T { return &v }

// busy has everything there is to draw, with names of all kinds.
func busy() View {
	s := status.New(now, status.FromDaemon)
	s.Daemon = &status.Daemon{Version: "1.0.0", UptimeSeconds: 273600}
	s.Journal = status.Journal{HeadSeq: 184223, SizeBytes: 1468006}
	s.Sources = []status.Source{{Name: "www", Status: watch.Status{State: "watching", Backend: "inotify", Dirs: 12412, Watches: 12412, WatchLimit: 1048576, Overflows: 2}}}
	add := func(name string, st replicate.State, more func(*replicate.Status)) {
		source, remote, _ := strings.Cut(name, "/")
		r := replicate.Status{Name: name, Source: source, Remote: remote, State: st, LastSuccess: at(2 * time.Second)}
		if more != nil {
			more(&r)
		}
		s.Remotes = append(s.Remotes, r)
	}
	add("www/web1", replicate.StateInSync, nil)
	add("www/dr", replicate.StateSyncing, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.LagBytes, r.Rate = 1204, 41.3, 500<<20, 8493465
		r.InFlight = []replicate.BatchStatus{
			{ID: 1, Paths: 1, Bytes: 400 << 20, BytesDone: 181 << 20, Rate: 8 << 20, Started: now.Add(-20 * time.Second), Sample: "videos/2026/周年庆典.mp4",
				Current: &replicate.FileProgress{Path: "videos/2026/周年庆典.mp4", Size: 400 << 20, Done: 181 << 20}},
			{ID: 2, Paths: 512, Bytes: 9 << 20, BytesDone: 1 << 20, Started: now.Add(-time.Second), Sample: "a\x1b[2J\nb\xff"},
			{ID: 3, Paths: 3, Started: now.Add(-41 * time.Second), Sample: "gone"},
		}
	})
	add("bbs/报表服务器", replicate.StateFailing, func(r *replicate.Status) {
		r.Failing = 2
		r.Error = &replicate.StatusError{ID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)", Path: "upload/报表.xlsx", Attempts: 6, NextRetry: at(-2 * time.Minute)}
	})
	add("bbs/new", replicate.StateFullSync, func(r *replicate.Status) {
		r.FullSync = &replicate.FullSyncStatus{Reason: "new remote", Done: 1204, Total: 5000, FilesLeft: ptr(uint64(48210)), BytesLeft: ptr(int64(5 << 30)), SecondsLeft: ptr(754.0)}
	})
	add("bbs/v", replicate.StateInSync, func(r *replicate.Status) {
		r.Verify = &replicate.VerifyStatus{Running: &replicate.VerifyProgress{Dirs: 7, TotalDirs: 1200}}
	})
	for i := range 12 {
		add(fmt.Sprintf("farm/node-%02d.example.com", i+1), replicate.StateInSync, nil)
	}
	lag := Lag{Every: 10 * time.Second, Series: map[string][]*float64{}}
	for i := range 360 {
		lag.Series["www/web1"] = append(lag.Series["www/web1"], ptr(0.0))
		v := ptr(float64(i*i) / 20)
		if i < 90 || i >= 300 {
			v = nil
		}
		lag.Series["www/dr"] = append(lag.Series["www/dr"], v)
	}
	lag.Series["bbs/new"] = []*float64{ptr(4000.0)} // known for a moment only
	return View{Status: s, Lag: lag, Now: now, Failing: []FailingPath{
		{"bbs/报表服务器", "upload/2026/一个很长的目录名/报表.xlsx", "E-DEST-PERM", "mkstemp: Permission denied (13)", 6},
		{"bbs/报表服务器", "x\n\xff", "E-SRC-PERM", "send_files failed to open", 1}}}
}

func text(f Frame, colour bool) string {
	var b strings.Builder
	for _, l := range f.Lines {
		b.WriteString(l.Text(colour) + "\n")
	}
	return b.String()
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		width, height int
		wide          bool
		file          string
	}{{40, 40, false, "40"}, {80, 24, false, "80"}, {80, 60, true, "80-wide"}, {200, 60, false, "200"}} {
		v := busy()
		v.Width, v.Height, v.Wide = c.width, c.height, c.wide
		got := text(Render(v), false)
		file := "testdata/" + c.file + ".txt"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v; got\n%s\nwant\n%s", file, err, got, want)
		}
	}
}

// TestRenderFits: whatever there is to draw and however small the screen, nothing
// wraps, nothing scrolls, and nothing is a control character.
func TestRenderFits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	alphabet := []rune("aé报表\x1b\n\t…–█👩‍👧e\u0301\u202e ")
	word := func() string {
		var b strings.Builder
		for range rnd.IntN(30) {
			b.WriteRune(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String() + "\xff"[:rnd.IntN(2)]
	}
	for range 150 {
		v := busy()
		v.Width, v.Height, v.Wide, v.Scroll = 1+rnd.IntN(130), rnd.IntN(60), rnd.IntN(2) == 0, rnd.IntN(20)
		if rnd.IntN(2) == 0 {
			v.Notice = word() + "x"
		}
		for i := range v.Status.Remotes {
			r := &v.Status.Remotes[i]
			r.Name = word()
			for k := range r.InFlight {
				r.InFlight[k].Sample = word()
			}
		}
		for i := range v.Failing {
			v.Failing[i].Path, v.Failing[i].Remote, v.Failing[i].Message = word(), word(), word()
		}
		f := Render(v)
		if len(f.Lines) > v.Height {
			t.Fatalf("seed %d: %d lines of %d", seed, len(f.Lines), v.Height)
		}
		m := newMeasure(v.Wide)
		for _, l := range f.Lines {
			s := l.Text(false)
			if m.StringWidth(s) > v.Width {
				t.Fatalf("seed %d: %q is %d wide, of %d", seed, s, m.StringWidth(s), v.Width)
			}
			for _, c := range s {
				if c < 0x20 || c == 0x7f || c == 0x202e {
					t.Fatalf("seed %d: %q", seed, s)
				}
			}
		}
		if f.MaxScroll > 0 {
			v.Scroll = f.MaxScroll
			g := Render(v)
			v.Scroll++
			if g.MaxScroll != f.MaxScroll || text(g, false) != text(Render(v), false) {
				t.Fatalf("seed %d: scrolled to the end:\n%s", seed, text(g, false))
			}
		}
	}
}

func TestColourChangesNothingElse(t *testing.T) {
	v := busy()
	v.Width, v.Height = 120, 50
	f := Render(v)
	got := text(f, true)
	for _, s := range []Style{Dim, Bold, Red, Green, Yellow, Cyan, Red + ";" + Bold} {
		got = strings.ReplaceAll(got, "\x1b["+string(s)+"m", "")
	}
	if got = strings.ReplaceAll(got, "\x1b[0m", ""); got != text(f, false) {
		t.Errorf("%q", got)
	}
}

// TestAnEmptyScreen: nothing is configured, and nothing is known of lags.
func TestAnEmptyScreen(t *testing.T) {
	f := Render(View{Status: status.New(now, status.FromJournal), Width: 80, Height: 24, Now: now, Notice: "the daemon is away"})
	if got := text(f, false); !strings.Contains(got, "When it ended: no remote to show\nthe daemon is away") {
		t.Errorf("%s", got)
	}
	v := busy()
	v.Lag = Lag{}
	v.Width, v.Height = 200, 50
	if got := text(Render(v), false); strings.Contains(got, "LAST HOUR") {
		t.Errorf("%s", got)
	}
}

func TestBarIsFullOnlyAtTheEnd(t *testing.T) {
	m := newMeasure(false)
	for _, c := range []struct {
		done, all int64
		want      string
	}{{0, 10, "░░░░"}, {5, 10, "██░░"}, {1 << 40, 1<<40 + 1, "███▉"}, {10, 10, "████"}, {11, 10, "████"}, {-1, 10, "░░░░"}, {1, 0, ""}} {
		if got := m.bar(c.done, c.all, 4); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.all, got, c.want)
		}
	}
	if percent(999, 1000) != 99 || percent(1000, 1000) != 100 || percent(-1, 2) != 0 {
		t.Error("percent")
	}
}

func TestSpark(t *testing.T) {
	series := make([]*float64, 360)
	series[0], series[359], series[180] = ptr(0.0), ptr(1e6), ptr(60.0)
	if got := spark(series, 10*time.Second, 6); got != "▁  ▅ █" {
		t.Errorf("%q", got)
	}
	if got := spark([]*float64{ptr(2.0)}, 10*time.Second, 4); got != "   ▂" {
		t.Errorf("%q", got)
	}
	if got := spark(append([]*float64{ptr(9.0)}, series...), 10*time.Second, 6); got != "▁  ▅ █" {
		t.Errorf("older than an hour: %q", got)
	}
	if got := spark(series, 0, 3); got != "   " {
		t.Errorf("%q", got)
	}
}

// TestAGuessIsNotGreen: a source that was not scanned since the start may have changed.
func TestAGuessIsNotGreen(t *testing.T) {
	s := status.New(now, status.FromDaemon)
	s.Remotes = []replicate.Status{{Name: "s/r", Source: "s", Remote: "r", State: replicate.StateInSync}}
	for scans, want := range []Style{Yellow, Green} {
		s.Sources = []status.Source{{Name: "s", Status: watch.Status{State: watch.StateScanning, Scans: uint64(scans)}}}
		f := Render(View{Status: s, Width: 120, Height: 24, Now: now})
		if got := f.Lines[1].Text(true); !strings.Contains(got, "\x1b["+string(want+bolder(want))+"m") {
			t.Errorf("after %d scans: %q, want %s", scans, got, want)
		}
	}
}
