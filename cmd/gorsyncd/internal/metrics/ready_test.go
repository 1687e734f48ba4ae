package metrics

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"gorsyncd/replicate"
	"gorsyncd/watch"
)

func TestHealthz(t *testing.T) {
	w := newWorld(1, 1)
	w.loops.Waiting = []string{"source s0"}
	m := w.metrics()
	if code, text := get(t, m.Healthz(), "/healthz"); code != 200 || text != `{"alive":true,"hanging_loops":0,"waiting_for":1}`+"\n" {
		t.Errorf("%d %s", code, text)
	}
	w.loops.Hanging = 2
	if code, text := get(t, m.Healthz(), "/healthz"); code != 503 || !strings.Contains(text, `"alive":false,"hanging_loops":2`) {
		t.Errorf("%d %s", code, text)
	}
}

func TestReadyz(t *testing.T) {
	failing := &replicate.StatusError{ID: "E-AUTH", Message: "no\x1b"}
	for _, c := range []struct {
		name   string
		change func(*world)
		query  string
		behind string // names and reasons, "" when ready
	}{
		{"all near", func(*world) {}, "", ""},
		{"behind the default", func(w *world) { w.st.Remotes[1].LagSeconds = 61 }, "", "s0/r1: it is 1m1s behind"},
		{"within what was asked for", func(w *world) { w.st.Remotes[1].LagSeconds = 61 }, "?max_lag=2m", ""},
		{"another one", func(w *world) { w.st.Remotes[1].LagSeconds = 61 }, "?name=s1/*&name=*/r0", ""},
		{"the one", func(w *world) { w.st.Remotes[1].LagSeconds = 61 }, "?name=s0/*&max_lag=10s", "s0/r1: it is 1m1s behind"},
		{"failing, without a lag", func(w *world) { w.st.Remotes[0].State, w.st.Remotes[0].Error = replicate.StateFailing, failing }, "", `s0/r0: E-AUTH no\x1b`},
		{"full sync", func(w *world) { w.st.Remotes[0].FullSync = &replicate.FullSyncStatus{Reason: "new remote"} }, "", "s0/r0: it is in a full sync: new remote"},
		{"full sync of a part", func(w *world) { w.st.Remotes[0].FullSync = &replicate.FullSyncStatus{Path: "d"} }, "", ""},
		{"paused, with nothing to send", func(w *world) { w.st.Remotes[0].State = replicate.StatePaused }, "", ""},
		{"held", func(w *world) {
			w.st.Remotes[0].State, w.st.Remotes[0].LagSeconds, w.st.Remotes[0].Held = replicate.StateHeld, 100, &replicate.HeldStatus{Reason: "G-MAXDELETE"}
		}, "", "s0/r0: it is held: G-MAXDELETE"},
		{"source held", func(w *world) { w.st.Sources[1].State, w.st.Sources[1].Held = watch.StateHeld, "empty" }, "", "s1/r0: the source is held: empty, s1/r1: the source is held: empty"},
		{"source not scanned yet", func(w *world) { w.st.Sources[1].State, w.st.Sources[1].Scans = watch.StateScanning, 0 }, "?name=s1/r0", "s1/r0: the source is being scanned for the first time since the start"},
		{"source scanned again", func(w *world) { w.st.Sources[1].State, w.st.Sources[1].Scans = watch.StateScanning, 1 }, "", ""},
		{"source hangs", func(w *world) { w.loops.Waiting = []string{SourceLoop("s1")} }, "", "s1/r0: source s1 does not answer, s1/r1: source s1 does not answer"},
		{"another source hangs", func(w *world) { w.loops.Waiting = []string{SourceLoop("s1")} }, "?name=s0", ""},
		{"disk hangs", func(w *world) { w.loops.Waiting = []string{"the disk of the journal"} }, "?name=s0/r1", "s0/r1: the disk of the journal does not answer"},
		{"daemon hangs", func(w *world) { w.loops.Hanging = 1 }, "?name=s0/r1", "s0/r1: the daemon hangs"},
		{"no space", func(w *world) { w.st.Journal.Waiting = "full" }, "?name=s0/r0", "s0/r0: nothing can be journaled: full"},
		{"not started", func(w *world) { w.st.Remotes = w.st.Remotes[:3] }, "", "s1/r1: it is starting"},
	} {
		w := newWorld(2, 2)
		c.change(w)
		code, text := get(t, w.metrics().Readyz(), "/readyz"+c.query)
		var r Readiness
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, text)
		}
		var behind []string
		for _, b := range r.Behind {
			behind = append(behind, b.Name+": "+b.Reason)
		}
		want := http.StatusOK
		if c.behind != "" {
			want = http.StatusServiceUnavailable
		}
		if got := strings.Join(behind, ", "); code != want || r.Ready != (want == 200) || got != c.behind {
			t.Errorf("%s: %d %q, want %d %q", c.name, code, got, want, c.behind)
		}
	}
}

func TestReadyzRefuses(t *testing.T) {
	m := newWorld(1, 1).metrics()
	for query, want := range map[string]string{
		"?max_lag=soon": "max_lag is no time: soon", "?max_lag=-1s": "max_lag is no time", "?max_lag=": "max_lag is no time",
		"?lag=1s": "unknown parameter lag", "?name=s1/*": `no remote is called \"s1/*\"`, "?name=%5B": "not a name or a pattern",
	} {
		if code, text := get(t, m.Readyz(), "/readyz"+query); code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", query, code, text)
		}
	}
}

// TestReadyzWithoutAStatus: what is not known is not ready.
func TestReadyzWithoutAStatus(t *testing.T) {
	w := newWorld(1, 1)
	w.err = errors.New("no status")
	if code, text := get(t, w.metrics().Readyz(), "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "no status") {
		t.Errorf("%d %s", code, text)
	}
}
