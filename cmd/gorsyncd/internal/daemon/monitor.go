package daemon

import (
	"net/http"
	"sync"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/metrics"
	"gorsyncd/replicate"
)

var _ control.Monitor = (*Daemon)(nil)

// Metrics implements control.Monitor.
func (d *Daemon) Metrics() http.Handler { return d.metrics.Metrics() }

// Healthz implements control.Monitor.
func (d *Daemon) Healthz() http.Handler { return d.metrics.Healthz() }

// Readyz implements control.Monitor.
func (d *Daemon) Readyz() http.Handler { return d.metrics.Readyz() }

// newMetrics is for a daemon that has its configuration and its watchdog.
func (d *Daemon) newMetrics() *metrics.Metrics {
	return metrics.New(metrics.Options{
		Version: d.opts.Version, Status: d.Status,
		Configured: func() metrics.Configured { return namesIn(d.config()) },
		Loops:      d.loops,
	})
}

// loops tells which of them hang, and what they wait for.
func (d *Daemon) loops() metrics.Loops {
	return metrics.Loops{Hanging: len(d.manager.dog.Hanging()), Waiting: d.manager.dog.Waiting()}
}

// namesIn are the names in a configuration.
func namesIn(c *config.Config) (out metrics.Configured) {
	for _, s := range c.Sources {
		out.Sources = append(out.Sources, s.Name)
		for _, r := range s.Remotes {
			out.Remotes = append(out.Remotes, [2]string{s.Name, r.Name})
		}
		for _, k := range s.Sinks {
			out.Sinks = append(out.Sinks, [2]string{s.Name, k.Name})
		}
	}
	return out
}

// statuses asks all remotes.
func statuses(remotes []pair) []replicate.Status {
	return atOnce(remotes, func(r pair) replicate.Status { return r.disp.Status() })
}

// atOnce asks all at the same time: a remote whose source hangs answers after a
// second with what it last said, and so do hundreds of them.
func atOnce[T, R any](list []T, ask func(T) R) []R {
	out := make([]R, len(list))
	var wg sync.WaitGroup
	for i, t := range list {
		wg.Go(func() { out[i] = ask(t) })
	}
	wg.Wait()
	return out
}
