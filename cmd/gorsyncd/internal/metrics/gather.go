package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// snapshot is what one scrape is made from.
type snapshot struct {
	status.Status
	m     *Metrics
	loops Loops

	sources []*series // of Status.Sources
	remotes []*series // of Status.Remotes
	sinks   []*series // of Status.Sinks
	counts  []*Counts // of Status.Remotes

	notifiers []*series // of Status.Notifiers
}

func (m *Metrics) snapshot(ctx context.Context) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
	defer cancel()
	st, err := m.status.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	s := &snapshot{Status: st, m: m, loops: m.o.Loops()}
	for i := range st.Sources {
		s.sources = append(s.sources, newSeries(newLabel("source", st.Sources[i].Name)))
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := range st.Remotes {
		r := &st.Remotes[i]
		s.remotes = append(s.remotes, newSeries(newLabel("remote", r.Remote), newLabel("source", r.Source)))
		c := m.counts[[2]string{r.Source, r.Remote}]
		if c == nil {
			c = nothing // not started yet, or removed meanwhile
		}
		s.counts = append(s.counts, c)
	}
	for i := range st.Sinks {
		s.sinks = append(s.sinks, newSeries(newLabel("remote", st.Sinks[i].Sink), newLabel("source", st.Sinks[i].Source)))
	}
	for i := range st.Notifiers {
		s.notifiers = append(s.notifiers, newSeries(newLabel("notifier", st.Notifiers[i].Name)))
	}
	return s, nil
}

// nothing is what a remote has counted that has not been started.
var nothing = newCounts()

// writer takes the values of one family after the other.
type writer interface {
	begin(*family)
	add(s *series, more *label, v float64) // more may be nil
	histogram(*series, *tally)
}

func (s *snapshot) write(w writer) {
	for i := range families {
		w.begin(&families[i])
		families[i].fill(s, w)
	}
}

// oneHot adds a series for each of the states, 1 for the one that is present.
func oneHot(w writer, s *series, all []*label, present string) {
	for _, l := range all {
		w.add(s, l, flag(*l.pair.Value == present))
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var _ prometheus.Gatherer = (*Metrics)(nil)

// Gather implements prometheus.Gatherer. It fails when there is no status.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	s, err := m.snapshot(context.Background())
	if err != nil {
		return nil, err
	}
	out, err := m.process.Gather()
	if err != nil {
		return nil, fmt.Errorf("look at the process: %w", err)
	}
	var w collected
	s.write(&w)
	for _, f := range w {
		if len(f.Metric) > 0 { // else there is no remote, or no sink
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(*a.Name, *b.Name) })
	return out, nil
}

// collected is a writer of what client_golang works with.
type collected []*dto.MetricFamily

func (w *collected) begin(f *family) {
	name := prefix + f.name
	*w = append(*w, &dto.MetricFamily{Name: &name, Help: &f.help, Type: f.kind.Enum()})
}

func (w *collected) put(m *dto.Metric) {
	f := (*w)[len(*w)-1]
	f.Metric = append(f.Metric, m)
}

func (w *collected) add(s *series, more *label, v float64) {
	m := &dto.Metric{Label: s.with(more)}
	if *(*w)[len(*w)-1].Type == counter {
		m.Counter = &dto.Counter{Value: &v}
	} else {
		m.Gauge = &dto.Gauge{Value: &v}
	}
	w.put(m)
}

func (w *collected) histogram(s *series, t *tally) {
	h, n := &dto.Histogram{}, uint64(0)
	for i := range t.counts {
		n += t.counts[i].Load()
		if i < len(t.ends) {
			upTo := n
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &t.ends[i], CumulativeCount: &upTo})
		}
	}
	sum := t.sum()
	h.SampleCount, h.SampleSum = &n, &sum
	w.put(&dto.Metric{Label: s.pairs, Histogram: h})
}
