package metrics

import (
	"context"
	"sync"

	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// shared makes one status at a time, for everybody who asks meanwhile.
type shared struct {
	make func(context.Context) (status.Status, error)

	mu  sync.Mutex
	now *making // guarded by mu; nil when none is being made
}

type making struct {
	done chan struct{}
	s    status.Status // set when done is closed, and not changed any more
	err  error
}

// get waits for a status, for as long as ctx lasts. That whoever began it is gone
// does not keep it from the others.
func (h *shared) get(ctx context.Context) (status.Status, error) {
	h.mu.Lock()
	m := h.now
	if m == nil {
		m = &making{done: make(chan struct{})}
		h.now = m
		go h.run(context.WithoutCancel(ctx), m)
	}
	h.mu.Unlock()
	select {
	case <-m.done:
		return m.s, m.err
	case <-ctx.Done():
		return status.Status{}, ctx.Err()
	}
}

func (h *shared) run(ctx context.Context, m *making) {
	ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
	defer cancel()
	m.s, m.err = h.make(ctx)
	h.mu.Lock()
	h.now = nil
	h.mu.Unlock()
	close(m.done)
}

// complete adds what is configured and not started yet, in its place.
func complete(s *status.Status, c Configured) {
	have := map[string]bool{}
	for i := range s.Sources {
		have[s.Sources[i].Name] = true
	}
	for i := range s.Remotes {
		have[s.Remotes[i].Name] = true
	}
	for i := range s.Sinks {
		have[s.Sinks[i].Name] = true
	}
	for _, name := range c.Sources {
		if !have[name] {
			s.Sources = append(s.Sources, status.Source{Name: name, Status: watch.Status{State: watch.StateStarting}})
		}
	}
	for _, r := range c.Remotes {
		if name := r[0] + "/" + r[1]; !have[name] {
			s.Remotes = append(s.Remotes, replicate.Status{Name: name, Source: r[0], Remote: r[1], State: replicate.StateStarting})
		}
	}
	for _, k := range c.Sinks {
		if name := k[0] + "/" + k[1]; !have[name] {
			s.Sinks = append(s.Sinks, sink.Status{Name: name, Source: k[0], Sink: k[1], State: replicate.StateStarting})
		}
	}
}

// climbs keep counters from going back that begin anew with what they are read
// from. They are used by one status after the other.
type climbs struct {
	sources map[string]*[5]climb
	sinks   map[string]*[3]climb

	notifiers map[string]*[2]climb
}

// climb is one counter: what it had before it began anew, and what it has since.
type climb struct{ base, last uint64 }

func (c *climb) to(n uint64) uint64 {
	if n < c.last {
		c.base += c.last
	}
	c.last = n
	return c.base + n
}

// lift replaces the counters in s, and forgets those of what is not in it.
func (c *climbs) lift(s *status.Status) {
	sources, sinks := make(map[string]*[5]climb, len(s.Sources)), make(map[string]*[3]climb, len(s.Sinks))
	for i := range s.Sources {
		src := &s.Sources[i]
		k := c.sources[src.Name]
		if k == nil {
			k = new([5]climb)
		}
		sources[src.Name] = k
		for j, n := range []*uint64{&src.Events, &src.Coalesced, &src.Overflows, &src.WatchErrors, &src.Scans} {
			*n = k[j].to(*n)
		}
	}
	for i := range s.Sinks {
		snk := &s.Sinks[i]
		k := c.sinks[snk.Name]
		if k == nil {
			k = new([3]climb)
		}
		sinks[snk.Name] = k
		for j, n := range []*uint64{&snk.Delivered, &snk.Deliveries, &snk.Rejected} {
			*n = k[j].to(*n)
		}
	}
	notifiers := make(map[string]*[2]climb, len(s.Notifiers))
	for i := range s.Notifiers {
		n := &s.Notifiers[i]
		k := c.notifiers[n.Name]
		if k == nil {
			k = new([2]climb)
		}
		notifiers[n.Name] = k
		n.Delivered, n.Attempts = k[0].to(n.Delivered), k[1].to(n.Attempts)
	}
	c.sources, c.sinks, c.notifiers = sources, sinks, notifiers
}
