package browser

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/page"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// TestScriptsSayWhatTheServerSays: over random documents, the view that the
// scripts make is the one that the server makes, in both languages: every word of
// it, the verdict first.
func TestScriptsSayWhatTheServerSays(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if v := os.Getenv("GORSYNCD_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed: GORSYNCD_SEED=%d", seed)
	g := &random{rand.New(rand.NewPCG(seed, 0))}
	docs := []status.Status{busy(time.Now()), calm(time.Now()), status.New(time.Now(), status.FromDaemon)}
	for range 60 {
		docs = append(docs, g.status())
	}
	st := newStage(t, docs[0])
	for _, lang := range []string{"en", "zh"} {
		p := open(t, desk, st.URL+"?lang="+lang)
		main := eval[string](p, `document.querySelector("script[type=module]").src`)
		for _, all := range []string{"", "a", "*"} {
			var in []json.RawMessage
			for _, s := range docs {
				in = append(in, mustJSON(t, s))
			}
			got := eval[string](p, fmt.Sprintf(`(async () => {
				const base = %q.replace(/main\.js$/, "");
				const texts = await import(base + "text.js"), { view } = await import(base + "view.js");
				await texts.load(%q);
				return JSON.stringify(%s.map(s => view(s, %q)));
			})()`, main, lang, mustJSON(t, in), all))
			var views []any
			if err := json.Unmarshal([]byte(got), &views); err != nil {
				t.Fatal(err)
			}
			for i, s := range docs {
				var want any
				if err := json.Unmarshal(mustJSON(t, page.NewView(s, lang, all)), &want); err != nil {
					t.Fatal(err)
				}
				if where := differ("", views[i], want); where != "" {
					t.Fatalf("%s, all=%q: scripts and server differ in%s\n%s", lang, all, where, in[i])
				}
			}
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// differ names the first place where two documents differ.
func differ(at string, got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			for _, m := range []map[string]any{g, w} {
				for k := range m {
					if d := differ(at+"."+k, g[k], w[k]); d != "" {
						return d
					}
				}
			}
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				if d := differ(fmt.Sprintf("%s[%d]", at, i), g[i], w[i]); d != "" {
					return d
				}
			}
		}
	}
	return fmt.Sprintf("%s: %v, and %v", at, got, want)
}

// random makes documents.
type random struct{ *rand.Rand }

func (g *random) chance(n int) bool { return g.IntN(n) == 0 }

func (g *random) text() string {
	some := []string{"", "plain", "报表 é", "a\x1b[2J", "two\nlines\\", "a\u202eb", "é\u009b", "\U000e0001", "<b>&\"'", "G-MAXDELETE would", "�", "x\tz\r\a\b\f\v\x00\x7f", "{n} {name}", "$&"}
	return some[g.IntN(len(some))]
}

// path is the name of a file, which may be no UTF-8.
func (g *random) path() string {
	if g.chance(3) {
		return g.text() + "bad\xff"
	}
	return g.text()
}

func (g *random) number() uint64 {
	return []uint64{0, 1, 2, 999, 1000, 1023, 1024, 1536, 10188, 10240, 1047527, 1048575, 123456789, 5 << 30, 1 << 20, 1 << 30, 1 << 40, 1 << 50, 1<<20 - 1, 1 << 45, g.Uint64N(1 << 50)}[g.IntN(21)]
}

func (g *random) moment() *time.Time {
	if g.chance(3) {
		return nil
	}
	t := time.Unix(1.79e9, 0).Add(time.Duration(g.Int64N(int64(400 * time.Hour)))).UTC()
	if g.chance(4) {
		t = t.Truncate(time.Second)
	}
	return &t
}

func (g *random) seconds() float64 {
	return []float64{0, 0.4, 1, 59.99, 60, 3600.5, 86399, 86400, 1e6 * g.Float64()}[g.IntN(9)]
}

func (g *random) state() replicate.State {
	return []replicate.State{"starting", "full_sync", "in_sync", "in_sync", "syncing", "retrying", "failing", "held", "paused", "waiting"}[g.IntN(10)]
}

func (g *random) status() status.Status {
	s := status.New(time.Unix(1.791e9, g.Int64N(1e9)), status.FromDaemon)
	if g.chance(10) {
		s.From = status.FromJournal
	}
	if !g.chance(8) {
		s.Daemon = &status.Daemon{Version: g.text(), UptimeSeconds: g.seconds(), ConfigFile: g.text(), LastReload: g.moment()}
		if g.chance(4) {
			s.Daemon.LastReloadError = g.text()
		}
		if g.chance(4) {
			s.Daemon.NeedsRestart = []string{"state_dir", g.text()}
		}
	}
	s.Journal = status.Journal{HeadSeq: g.number(), Entries: g.number(), SizeBytes: int64(g.number()), MaxBytes: int64(g.number()), PinnedBy: g.text(), OldestEntry: g.moment()}
	if g.chance(6) {
		s.Journal.Waiting = g.text()
	}
	if g.chance(6) {
		s.Note = g.text()
	}
	for i := range g.IntN(4) * g.IntN(2) {
		s.Notifiers = append(s.Notifiers, notify.Status{Name: fmt.Sprintf("n%d", i), Kind: "ntfy", Target: g.text(), State: []string{"ok", "failing", "pending"}[g.IntN(3)], LastSuccess: g.moment(),
			LastError: g.text(), ErrorID: []string{"", "E-NOTIFY"}[g.IntN(2)], Hint: g.text(), NextRetry: g.moment()})
	}
	if n := len(s.Notifiers); n > 0 && g.chance(2) {
		s.Notifiers[n-1].Heartbeat = &notify.HeartbeatStatus{EverySeconds: 60, Withheld: g.text()}
	}
	names := []string{"a", "b c&d(é)", "c~'!*"}[:g.IntN(4)]
	for _, name := range names {
		s.Sources = append(s.Sources, g.source(name))
	}
	n := g.IntN(8)
	if g.chance(10) {
		n = 70
	}
	for i := range n {
		if len(names) > 0 {
			s.Remotes = append(s.Remotes, g.remote(names[g.IntN(len(names))], i))
		}
	}
	if len(names) > 0 {
		for i := range g.IntN(3) {
			s.Sinks = append(s.Sinks, g.sink(names[g.IntN(len(names))], i))
		}
	}
	for range g.IntN(14) * g.IntN(2) {
		s.Kept = append(s.Kept, status.Kept{Name: "k/" + g.text(), LagEntries: g.number() % 1000, Failing: g.number() % 3})
	}
	return s
}

func (g *random) source(name string) status.Source {
	src := status.Source{Name: name, Status: watch.Status{Root: "/" + g.text(), State: []string{"starting", "scanning", "watching", "watching", "held"}[g.IntN(5)],
		Dirs: g.IntN(3000), Watches: g.IntN(3000), WatchLimit: g.IntN(2) * 65536, ScanDirs: g.number()}}
	src.Backend = []string{"", "inotify", "fanotify", "mixed"}[g.IntN(4)]
	if src.State == "held" {
		src.Held = g.text()
		if g.chance(3) {
			src.Held = "no inotify instance: " + src.Held
		}
	}
	for range g.IntN(3) {
		src.Fallbacks, src.Hints = append(src.Fallbacks, g.text()), append(src.Hints, g.text())
	}
	if g.chance(3) {
		src.Unwatched, src.Overflows = g.IntN(3), uint64(g.IntN(3))
		for range g.IntN(5) {
			src.UnwatchedSample = append(src.UnwatchedSample, g.path())
		}
	}
	return src
}

func (g *random) failure() *replicate.StatusError {
	if g.chance(2) {
		return nil
	}
	return &replicate.StatusError{ID: []string{"E-AUTH", "E-IPC", ""}[g.IntN(3)], Message: g.text(), Hint: g.text(), Path: g.text(), Attempts: g.IntN(3), NextRetry: g.moment()}
}

func (g *random) paused() *replicate.PauseStatus {
	if !g.chance(4) {
		return nil
	}
	return &replicate.PauseStatus{Reason: g.text(), Until: g.moment()}
}

func (g *random) remote(source string, i int) replicate.Status {
	r := replicate.Status{Name: fmt.Sprintf("%s/r%d", source, i), Source: source, Remote: fmt.Sprintf("r%d", i), Target: g.text(), State: g.state(), InFlight: []replicate.BatchStatus{}, Findings: []replicate.FindingStatus{},
		LagEntries: g.number(), LagSeconds: g.seconds(), Rate: float64(g.number()) / 3, LastSuccess: g.moment(), Failing: g.IntN(3), Paused: g.paused(), Opens: g.moment(),
		Limit: int64(g.number()), LimitUntil: g.moment(), Error: g.failure()}
	if r.Error != nil {
		r.Error.Path, r.Error.Message = g.path(), g.path()
	}
	if g.chance(3) {
		r.Held = &replicate.HeldStatus{Reason: g.text(), Since: time.Unix(1.79e9, int64(g.number()%1e9)).UTC()}
	}
	if g.chance(3) {
		files, bytes, seconds := g.number(), int64(g.number()), g.seconds()
		r.FullSync = &replicate.FullSyncStatus{Reason: g.text(), Waiting: g.chance(4), Links: g.chance(4), Done: g.number(), Total: g.number(), Started: time.Unix(1.79e9, 5).UTC()}
		if g.chance(2) {
			r.FullSync.FilesLeft, r.FullSync.BytesLeft = &files, &bytes
			if g.chance(2) {
				r.FullSync.SecondsLeft = &seconds
			}
		}
	}
	if g.chance(3) {
		r.Verify = &replicate.VerifyStatus{Last: g.moment(), Complete: g.chance(2), Repaired: uint64(g.IntN(3)), Unrepaired: uint64(g.IntN(2) * g.IntN(3))}
		if g.chance(2) {
			r.Verify.Running = &replicate.VerifyProgress{Dirs: g.number(), TotalDirs: g.number(), Differences: uint64(g.IntN(3))}
		}
	}
	for range g.IntN(3) {
		b := replicate.BatchStatus{ID: g.Uint64N(1 << 40), Kind: []string{"list", "big", "new"}[g.IntN(3)], Paths: g.IntN(2000), Bytes: int64(g.number()), BytesDone: int64(g.number()), Rate: float64(g.number()) / 7, Started: time.Unix(1.79e9, 5e8).UTC(), Sample: g.path()}
		if g.chance(2) {
			b.Current = &replicate.FileProgress{Path: g.path(), Size: int64(g.number()), Done: int64(g.number())}
		}
		r.InFlight = append(r.InFlight, b)
	}
	for range g.IntN(3) {
		r.Findings = append(r.Findings, replicate.FindingStatus{ID: []string{"W-OWNERS", "W-RSYNC-OLD"}[g.IntN(2)], Message: g.text(), Detail: g.text(), Remedy: g.text(), Spoils: g.chance(2)})
	}
	return r
}

func (g *random) sink(source string, i int) sink.Status {
	k := sink.Status{Name: fmt.Sprintf("%s/k%d", source, i), Source: source, Sink: fmt.Sprintf("k%d", i), Kind: "http", Target: g.text(), State: g.state(), LagEntries: g.number(), LagSeconds: g.seconds(),
		LastSuccess: g.moment(), Paused: g.paused(), Error: g.failure()}
	if g.chance(3) {
		k.WaitsFor = "r1"
	}
	if g.chance(4) {
		k.Resync = &sink.ResyncStatus{Reason: g.text()}
	}
	return k
}
