package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a daemon as Metrics sees it.
type world struct {
	mu    sync.Mutex
	st    status.Status
	conf  Configured
	loops Loops
	err   error
	asked int
	wait  chan struct{} // Status waits for it, if set
}

func (w *world) status(ctx context.Context) (status.Status, error) {
	w.mu.Lock()
	w.asked++
	st, err, wait := w.st, w.err, w.wait
	st.Sources = append([]status.Source(nil), st.Sources...)
	st.Sinks = append([]sink.Status(nil), st.Sinks...)
	st.Notifiers = append([]notify.Status(nil), st.Notifiers...)
	w.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
	return st, err
}

func (w *world) metrics() *Metrics {
	return New(Options{Version: "v1", Status: w.status,
		Configured: func() Configured { return w.conf }, Loops: func() Loops { return w.loops }})
}

// newWorld has so many sources, each with so many remotes and one sink.
func newWorld(sources, remotes int) *world {
	w := &world{st: status.New(noon, status.FromDaemon)}
	w.st.Daemon = &status.Daemon{LastReload: &noon}
	w.st.Notifiers = []notify.Status{{Name: "ops", State: notify.StateFailing, LastSuccess: &noon, Waiting: 2, Delivered: 3, Attempts: 8}}
	for i := range sources {
		src := fmt.Sprintf("s%d", i)
		w.conf.Sources = append(w.conf.Sources, src)
		w.conf.Sinks = append(w.conf.Sinks, [2]string{src, "hook"})
		w.st.Sources = append(w.st.Sources, status.Source{Name: src, Status: watch.Status{State: watch.StateWatching, Events: 10, WatchLimit: 8192}})
		w.st.Sinks = append(w.st.Sinks, sink.Status{Name: src + "/hook", Source: src, Sink: "hook", State: replicate.StateInSync, Delivered: 7})
		for j := range remotes {
			r := fmt.Sprintf("r%d", j)
			w.conf.Remotes = append(w.conf.Remotes, [2]string{src, r})
			w.st.Remotes = append(w.st.Remotes, replicate.Status{Name: src + "/" + r, Source: src, Remote: r, State: replicate.StateSyncing,
				CursorSeq: 12345, LagEntries: 17, LagSeconds: 3.25, LagBytes: 1 << 20, LastSuccess: &noon, LastFull: &noon})
		}
	}
	return w
}

// work has counts of everything.
func work(c *Counts) {
	for _, r := range results {
		c.Transferred(replicate.Transfer{Class: r.class, Exit: 23, Compared: true, Recheck: 42, Duration: 70 * time.Millisecond,
			Files: 2, Deleted: 1, Bytes: 1000, WireBytes: 300})
	}
	c.Transferred(replicate.Transfer{Class: replicate.ClassConfig, Exit: -1})
	c.Retried(replicate.ClassEntry)
	c.Retried(replicate.ClassConfig)
	c.Delivered(noon.Add(1500*time.Millisecond), noon)
	c.Delivered(noon, noon.Add(time.Hour)) // a clock was set back
	c.Delivered(noon.Add(72*time.Hour), noon)
	c.Ended(replicate.Ending{Complete: true})
	c.Ended(replicate.Ending{Verify: true, Complete: true, Differences: 3})
}
