package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// snapshot is what one scrape is made from.
type snapshot struct {
	status.Status
	m     *Metrics
	loops Loops

	sources []labels // of Status.Sources
	remotes []labels // of Status.Remotes
	sinks   []labels // of Status.Sinks
	counts  []*Counts
}

// labels are in the order of their names, which is how they have to be.
type labels []*dto.LabelPair

func pair(name, value string) *dto.LabelPair {
	value = names.Printable(value) // is UTF-8, and as different as what it was
	return &dto.LabelPair{Name: &name, Value: &value}
}

// with adds a label.
func (l labels) with(p *dto.LabelPair) labels {
	out := make(labels, 0, len(l)+1)
	i, _ := slices.BinarySearchFunc(l, p, func(a, b *dto.LabelPair) int { return strings.Compare(*a.Name, *b.Name) })
	return append(append(append(out, l[:i]...), p), l[i:]...)
}

// Gather implements prometheus.Gatherer. It fails when there is no status.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	st, err := m.status.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	snap := m.snapshot(st)
	out, err := m.process.Gather()
	if err != nil {
		return nil, fmt.Errorf("look at the process: %w", err)
	}
	for i := range families {
		f := &families[i]
		w := writer{kind: f.kind}
		f.fill(snap, &w)
		if len(w.out) == 0 {
			continue // there is no remote, or no sink
		}
		name := prefix + f.name
		out = append(out, &dto.MetricFamily{Name: &name, Help: &f.help, Type: f.kind.Enum(), Metric: w.out})
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(*a.Name, *b.Name) })
	return out, nil
}

func (m *Metrics) snapshot(st status.Status) *snapshot {
	s := &snapshot{Status: st, m: m, loops: m.o.Loops()}
	for i := range st.Sources {
		s.sources = append(s.sources, labels{pair("source", st.Sources[i].Name)})
	}
	for i := range st.Remotes {
		r := &st.Remotes[i]
		s.remotes = append(s.remotes, labels{pair("remote", r.Remote), pair("source", r.Source)})
		s.counts = append(s.counts, m.countsOf(r.Source, r.Remote))
	}
	for i := range st.Sinks {
		s.sinks = append(s.sinks, labels{pair("remote", st.Sinks[i].Sink), pair("source", st.Sinks[i].Source)})
	}
	return s
}

// nothing is what a remote has counted that has not been started.
var nothing = newCounts()

// countsOf makes none: the remote may have been removed meanwhile.
func (m *Metrics) countsOf(source, remote string) *Counts {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c := m.counts[[2]string{source, remote}]; c != nil {
		return c
	}
	return nothing
}

// writer makes the metrics of one family.
type writer struct {
	kind dto.MetricType
	out  []*dto.Metric

	// What is to be handed out, many at a time.
	metrics  []dto.Metric
	gauges   []dto.Gauge
	counters []dto.Counter
	values   []float64
}

const slab = 256

func (w *writer) add(l labels, v float64) {
	if len(w.metrics) == 0 {
		w.metrics, w.values = make([]dto.Metric, slab), make([]float64, slab)
		if w.kind == dto.MetricType_COUNTER {
			w.counters = make([]dto.Counter, slab)
		} else {
			w.gauges = make([]dto.Gauge, slab)
		}
	}
	m, value := &w.metrics[0], &w.values[0]
	w.metrics, w.values = w.metrics[1:], w.values[1:]
	*value = v
	m.Label = l
	if w.kind == dto.MetricType_COUNTER {
		m.Counter = &w.counters[0]
		m.Counter.Value, w.counters = value, w.counters[1:]
	} else {
		m.Gauge = &w.gauges[0]
		m.Gauge.Value, w.gauges = value, w.gauges[1:]
	}
	w.out = append(w.out, m)
}

// written is what a histogram of client_golang does.
type written interface{ Write(*dto.Metric) error }

func (w *writer) histogram(l labels, h written) {
	m := new(dto.Metric)
	if h.Write(m) != nil {
		return // that of client_golang never fails
	}
	m.Label = l
	m.Histogram.CreatedTimestamp = nil
	w.out = append(w.out, m)
}

// oneHot adds a series for each of the states, 1 for the one that is present.
func (w *writer) oneHot(l labels, all []*dto.LabelPair, present string) {
	for _, p := range all {
		w.add(l.with(p), flag(*p.Value == present))
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func pairs[T ~string](name string, values ...T) []*dto.LabelPair {
	var out []*dto.LabelPair
	for _, v := range values {
		out = append(out, pair(name, string(v)))
	}
	return out
}

var remoteStates = pairs("state", replicate.StateStarting, replicate.StateFullSync, replicate.StateInSync, replicate.StateSyncing,
	replicate.StateRetrying, replicate.StateFailing, replicate.StateHeld, replicate.StatePaused, replicate.StateWaiting)
