package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// scrapeLimit bounds one status, whoever waits for it.
const scrapeLimit = 15 * time.Second

// Loops are how the goroutines are that the daemon cannot do without.
type Loops struct {
	Hanging int      // so many show no sign of life
	Waiting []string // what others wait for that does not answer: SourceLoop(name), or a disk
}

// SourceLoop is how Loops name a source that does not answer.
func SourceLoop(name string) string { return "source " + name }

// Configured are the names that the configuration in force has, in its order.
type Configured struct {
	Sources []string
	Remotes [][2]string // source and remote
	Sinks   [][2]string // source and sink
}

// Options of New. All funcs are required and may be called at any time, by any
// goroutine.
type Options struct {
	Version    string
	Status     func(ctx context.Context) (status.Status, error)
	Configured func() Configured
	Loops      func() Loops // does not wait for anything
}

// Metrics counts, and answers who asks. All methods may be called concurrently.
type Metrics struct {
	o       Options
	status  shared
	process *prometheus.Registry // of the process and the Go runtime
	appends *tally
	climbs  climbs

	mu     sync.RWMutex
	counts map[[2]string]*Counts // guarded by mu; by source and remote
}

// New returns one that has counted nothing.
func New(o Options) *Metrics {
	m := &Metrics{o: o, process: prometheus.NewRegistry(), appends: newTally(appendBuckets), counts: map[[2]string]*Counts{}}
	m.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.status.make = func(ctx context.Context) (status.Status, error) {
		s, err := o.Status(ctx)
		if err == nil {
			complete(&s, o.Configured())
			m.climbs.lift(&s)
		}
		return s, err
	}
	return m
}

// Remote returns the counts of a remote, always the same ones until Keep leaves it
// out.
func (m *Metrics) Remote(source, remote string) *Counts {
	key := [2]string{source, remote}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts[key]
	if c == nil {
		c = newCounts()
		m.counts[key] = c
	}
	return c
}

// Keep forgets the counts of what is not configured. No such remote may run any
// more.
func (m *Metrics) Keep(c Configured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[[2]string]*Counts, len(c.Remotes))
	for _, key := range c.Remotes {
		if counts := m.counts[key]; counts != nil {
			kept[key] = counts
		}
	}
	m.counts = kept
}

// Committed notes how long a group of writes to the journal took.
func (m *Metrics) Committed(d time.Duration) { m.appends.observe(d) }
