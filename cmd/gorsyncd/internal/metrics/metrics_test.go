package metrics

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// values are all series by name and labels, histograms by their count and sum.
func values(families []*dto.MetricFamily) map[string]float64 {
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, p := range m.Label {
				labels = append(labels, p.GetName()+"="+p.GetValue())
			}
			slices.Sort(labels)
			key := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch f.GetType() {
			case counter:
				out[key] = m.GetCounter().GetValue()
			case gauge:
				out[key] = m.GetGauge().GetValue()
			case histogram:
				h := m.GetHistogram()
				out[key+"count"], out[key+"sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				for _, b := range h.Bucket {
					if math.IsInf(b.GetUpperBound(), 1) { // it may be left out
						out[key+"count"] = float64(b.GetCumulativeCount())
						continue
					}
					out[key+fmt.Sprint(b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return out
}

func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return values(families)
}

func get(t *testing.T, h http.Handler, url string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", url, nil))
	return w.Code, w.Body.String()
}

// scrape is what Prometheus would make of the text.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	code, text := get(t, m.Metrics(), "/metrics")
	if code != http.StatusOK {
		t.Fatal(code, text)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return values(slices.Collect(maps.Values(families)))
}

// TestLint: names, types and help are as Prometheus wants them, and no series is
// there twice.
func TestLint(t *testing.T) {
	w := newWorld(2, 2)
	m := w.metrics()
	work(m.Remote("s1", "r0"))
	problems, err := testutil.GatherAndLint(prometheus.Gatherers{m}) // which checks what a registry checks
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, prefix) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	known := []string{"source", "remote", "state", "result", "class", "code", "version", "goversion", "notifier"}
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.ContainsAny(f.GetHelp(), "\\\n") {
			t.Errorf("the help of %s would need escapes", f.GetName())
		}
		for _, metric := range f.Metric {
			for _, l := range metric.Label {
				if strings.HasPrefix(f.GetName(), prefix) && !slices.Contains(known, l.GetName()) {
					t.Errorf("%s has the label %s", f.GetName(), l.GetName())
				}
			}
		}
	}
}

// TestTextIsWhatIsGathered: both forms have the same series with the same values.
func TestTextIsWhatIsGathered(t *testing.T) {
	w := newWorld(3, 2)
	m := w.metrics()
	work(m.Remote("s1", "r0"))
	m.Committed(3e6)
	gathered, scraped := gather(t, m), scrape(t, m)
	for _, list := range []map[string]float64{gathered, scraped} {
		maps.DeleteFunc(list, func(k string, _ float64) bool { return !strings.HasPrefix(k, prefix) })
	}
	if len(gathered) < 300 {
		t.Errorf("only %d series", len(gathered))
	}
	for key, v := range gathered {
		if got, ok := scraped[key]; !ok || got != v {
			t.Errorf("%s: gathered %v, scraped %v %v", key, v, got, ok)
		}
	}
	for key := range scraped {
		if _, ok := gathered[key]; !ok {
			t.Errorf("%s is not gathered", key)
		}
	}
	for key, want := range map[string]float64{
		"transfers_total{remote=r0,result=partial,source=s1}":        1,
		"transfers_total{remote=r0,result=refused,source=s1}":        2,
		"rsync_exits_total{code=23,remote=r0,source=s1}":             6,
		"rsync_exits_total{code=42,remote=r0,source=s1}":             6,
		"rsync_exits_total{code=none,remote=r0,source=s1}":           1,
		"rsync_exits_total{code=12,remote=r0,source=s1}":             0,
		"transferred_files_total{remote=r0,source=s1}":               12,
		"transferred_wire_bytes_total{remote=r0,source=s1}":          1800,
		"retries_total{class=entry,remote=r0,source=s1}":             1,
		"retries_total{class=transient,remote=r0,source=s1}":         0,
		"verifies_total{remote=r0,result=different,source=s1}":       1,
		"full_syncs_total{remote=r0,source=s1}":                      1,
		"replication_latency_seconds{remote=r0,source=s1}0.001":      1,
		"replication_latency_seconds{remote=r0,source=s1}1":          1,
		"replication_latency_seconds{remote=r0,source=s1}2.5":        2,
		"replication_latency_seconds{remote=r0,source=s1}86400":      2,
		"replication_latency_seconds{remote=r0,source=s1}count":      3,
		"replication_latency_seconds{remote=r0,source=s1}sum":        259201.5,
		"transfer_duration_seconds{remote=r0,source=s1}0.05":         1,
		"transfer_duration_seconds{remote=r0,source=s1}0.1":          7,
		"journal_append_duration_seconds{}0.0025":                    0,
		"journal_append_duration_seconds{}0.005":                     1,
		"remote_state{remote=r0,source=s1,state=syncing}":            1,
		"remote_state{remote=r0,source=s1,state=failing}":            0,
		"remote_lag_seconds{remote=r0,source=s1}":                    3.25,
		"sink_events_total{remote=hook,result=delivered,source=s2}":  7,
		"build_info{goversion=" + runtime.Version() + ",version=v1}": 1,
		"notifications_total{notifier=ops,result=delivered}":         3,
		"notifications_total{notifier=ops,result=failed}":            5,
		"notifier_state{notifier=ops,state=failing}":                 1,
		"watch_limit{}": 8192,
	} {
		if got, ok := scraped[prefix+key]; !ok || got != want {
			t.Errorf("%s is %v %v, want %v", key, got, ok, want)
		}
	}
}

// TestAllSeriesFromTheStart: what is configured has its series before it is started.
func TestAllSeriesFromTheStart(t *testing.T) {
	w := newWorld(2, 2)
	started := w.metrics()
	for _, r := range w.conf.Remotes {
		started.Remote(r[0], r[1])
	}
	early := &world{st: status.New(noon, status.FromDaemon), conf: w.conf}
	early.st.Notifiers = w.st.Notifiers // there before any source
	want, got := scrape(t, started), scrape(t, early.metrics())
	for key := range want {
		if _, ok := got[key]; !ok && strings.HasPrefix(key, prefix) {
			t.Errorf("%s is not there before the start", key)
		}
	}
	if got[prefix+"remote_state{remote=r1,source=s1,state=starting}"] != 1 {
		t.Error("a remote that has not been started does not start")
	}
}

// TestReload: who goes has no series, who stays goes on, and what begins anew does
// not count from zero.
func TestReload(t *testing.T) {
	w := newWorld(2, 2)
	m := w.metrics()
	for _, r := range w.conf.Remotes {
		work(m.Remote(r[0], r[1]))
	}
	before := scrape(t, m)
	w.conf.Remotes = w.conf.Remotes[1:]
	w.st.Remotes = w.st.Remotes[1:]
	w.st.Sources[0].Events, w.st.Sinks[0].Delivered = 2, 1 // begun anew
	w.st.Notifiers[0].Delivered, w.st.Notifiers[0].Attempts = 1, 1
	m.Keep(w.conf)
	after := scrape(t, m)
	for key, n := range before {
		now, ok := after[key]
		switch {
		case !strings.HasPrefix(key, prefix):
		case strings.Contains(key, "remote=r0,source=s0") || strings.Contains(key, "remote=r0,result") && strings.Contains(key, "source=s0"):
			if ok {
				t.Errorf("%s is still there", key)
			}
		case !ok || now < n:
			t.Errorf("%s went from %v to %v %v", key, n, now, ok)
		}
	}
	if got := after[prefix+"events_total{source=s0}"]; got != 12 {
		t.Errorf("%v events, want the 10 of before and 2", got)
	}
	if m.Remote("s0", "r0").files.Load() != 0 {
		t.Error("the counts of a removed remote were kept")
	}
	if m.Remote("s0", "r1").files.Load() == 0 {
		t.Error("the counts of a remote that stays were forgotten")
	}
}

// TestHostileNames: whatever is in a name, the answer can be read and names differ.
func TestHostileNames(t *testing.T) {
	w := newWorld(1, 3)
	for i, name := range []string{"\xff\x1b[31m", "\xfe\x1b[31m", "a\"b\\c\n# TYPE x"} {
		w.st.Remotes[i].Remote, w.st.Remotes[i].Name = name, "s0/"+name
		w.conf.Remotes[i][1] = name
	}
	m := w.metrics()
	n := 0
	for key := range scrape(t, m) {
		if strings.HasPrefix(key, prefix+"remote_lag_seconds") {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d series of 3 remotes", n)
	}
	if _, err := (prometheus.Gatherers{m}).Gather(); err != nil {
		t.Error(err)
	}
}

// TestOneStatusForAll: who asks while a status is being made gets that one, also
// when whoever asked first has left.
func TestOneStatusForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 1)
		w.wait = make(chan struct{})
		m := w.metrics()
		codes := make(chan int, 9)
		for range cap(codes) {
			go func() { code, _ := get(t, m.Metrics(), "/metrics"); codes <- code }()
		}
		synctest.Wait()
		close(w.wait)
		for range cap(codes) {
			if code := <-codes; code != http.StatusOK {
				t.Error(code)
			}
		}
		if w.asked != 1 {
			t.Errorf("%d times for %d scrapes at once", w.asked, cap(codes))
		}
		w.wait = make(chan struct{}) // for ever
		if code, text := get(t, m.Metrics(), "/metrics"); code != http.StatusServiceUnavailable || !strings.Contains(text, `"code"`) {
			t.Errorf("a status that does not come: %d %s", code, text)
		}
		if code, _ := get(t, m.Healthz(), "/healthz"); code != http.StatusOK {
			t.Errorf("that the status hangs is not for healthz: %d", code)
		}
		close(w.wait)
	})
}

func TestCompressed(t *testing.T) {
	m := newWorld(2, 2).metrics()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate")
	w := httptest.NewRecorder()
	m.Metrics().ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatal(w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || !strings.Contains(string(b), "\n"+prefix+"build_info{") {
		t.Errorf("%v\n%s", err, b)
	}
}

func TestTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "zstd, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=1.0": true, "identity": false, "x-gzip": false} {
		if takesGzip(header) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}

// TestEveryStateHasASeries takes the words from where they are declared.
func TestEveryStateHasASeries(t *testing.T) {
	if len(remoteStates) != 9 || len(sourceStates) != 4 {
		t.Fatal(len(remoteStates), len(sourceStates))
	}
	w := newWorld(1, 1)
	for _, l := range remoteStates {
		w.st.Remotes[0].State = replicate.State(*l.pair.Value)
		sum := 0.0
		for key, v := range scrape(t, w.metrics()) {
			if strings.HasPrefix(key, prefix+"remote_state{") {
				sum += v
			}
		}
		if sum != 1 {
			t.Errorf("%s: %v states at once", l.text, sum)
		}
	}
}

// BenchmarkScrape is what the daemon does for one scrape, but for its status.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{5, 500} {
		b.Run(fmt.Sprintf("remotes=%d", n), func(b *testing.B) {
			w := newWorld(max(1, n/10), min(n, 10))
			m := w.metrics()
			for _, r := range w.conf.Remotes {
				work(m.Remote(r[0], r[1]))
			}
			b.ReportAllocs()
			for b.Loop() {
				rec := httptest.NewRecorder()
				m.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
				b.SetBytes(int64(rec.Body.Len()))
			}
		})
	}
}

// BenchmarkDelivered is what each change costs.
func BenchmarkDelivered(b *testing.B) {
	c := newCounts()
	b.ReportAllocs()
	for b.Loop() {
		c.Delivered(noon.Add(5e6), noon)
	}
}
