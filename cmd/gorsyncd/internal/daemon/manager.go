package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/service"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/watch"
)

// How often the line for the service manager is made anew: while it changes, and
// when it has not for a while. To make it wakes every remote.
const (
	lineEvery = 2 * time.Second
	restEvery = 15 * time.Second
	restAfter = time.Minute
)

// manager is what the service manager is told. Without one nothing happens.
type manager struct {
	*service.Notifier
	dog   *service.Watchdog
	phase atomic.Pointer[string] // what is done instead of replicating; nil for nothing
}

// enterPhase says what is done now, at once; "" is for replicating.
func (d *Daemon) enterPhase(text string) {
	m := &d.manager
	if text == "" {
		m.phase.Store(nil)
		return
	}
	m.phase.Store(&text)
	d.told(m.Status(text))
}

// told logs that the service manager could not be told, which is no reason to
// end: it will act on that.
func (d *Daemon) told(err error) {
	if err != nil {
		d.log.Warn("the service manager does not hear", "error", err)
	}
}

// keepTelling keeps the line of the service manager up to date until ctx ends.
func (d *Daemon) keepTelling(ctx context.Context) {
	if !d.manager.Listens() {
		return
	}
	last, changed := "", time.Now()
	for {
		now := time.Now()
		if line := d.line(ctx); line != last {
			d.told(d.manager.Status(line))
			last, changed = line, now
		}
		wait := lineEvery
		if now.Sub(changed) > restAfter {
			wait = restEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// line says in one sentence how the daemon is.
func (d *Daemon) line(ctx context.Context) string {
	if why := d.patience.reason(); why != "" {
		return "the journal waits for space: " + why
	}
	if text := d.manager.phase.Load(); text != nil {
		return *text
	}
	s, err := d.Status(ctx)
	if err != nil {
		return err.Error()
	}
	return lineOf(s, d.manager.dog.Waiting())
}

// lineOf tells first what does not answer, then what needs a person, then what
// is under way.
func lineOf(s status.Status, waiting []string) string {
	verdict := s.Verdict().String()
	if len(waiting) > 0 {
		return "waiting for " + strings.Join(waiting, ", ") + ": " + verdict
	}
	if s.ExitCode() == status.ExitProblem {
		return verdict
	}
	dirs, scanning := uint64(0), 0
	for _, src := range s.Sources {
		if src.State == watch.StateScanning || src.State == watch.StateStarting {
			scanning++
			dirs += src.ScanDirs
		}
	}
	switch {
	case scanning == 0:
		return verdict
	case len(s.Sources) == 1:
		return fmt.Sprintf("scanning, %s directories so far", status.Count(dirs))
	}
	return fmt.Sprintf("scanning %d of %d sources, %s directories so far", scanning, len(s.Sources), status.Count(dirs))
}

// stopping says that the end has begun, for a reason or because it was asked for.
func (d *Daemon) stopping(why error) {
	text := "stopping: transfers under way may end"
	if why != nil {
		text = "stopping: " + why.Error()
	}
	d.manager.phase.Store(&text)
	d.told(d.manager.Stopping(text))
}
