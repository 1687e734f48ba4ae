package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/strangers"
)

// Reload implements control.Operator. What begins to be applied is applied to the
// end, also when nobody waits for it any more.
func (d *Daemon) Reload(ctx context.Context, q control.ReloadRequest) (control.ReloadResult, error) {
	res := control.ReloadResult{DryRun: q.DryRun}
	if err := d.allStarted(ctx); err != nil {
		return res, err
	}
	if err := d.reloading.take(ctx); err != nil {
		return res, err
	}
	defer d.reloading.release()
	p, err := d.plan(q)
	res.Changes = p.changes
	if q.DryRun || isUsage(err) {
		return res, err
	}
	d.told(d.manager.Reloading())
	defer func() {
		if d.soft.Err() == nil { // else the end has been told
			d.told(d.manager.Ready(d.line(ctx)))
		}
	}()
	if err != nil {
		d.log.Error("reload refused: the running configuration stays", "error", err)
	} else if err = d.apply(p); err != nil {
		d.log.Error("reload failed", "error", err)
	}
	d.mu.Lock()
	d.lastReload = reloadResult{at: time.Now(), err: err}
	d.mu.Unlock()
	if err != nil {
		return res, err
	}
	d.log.Info("configuration reloaded", "changes", summary(p.changes))
	return res, nil
}

// isUsage tells whether the request was wrong, and not the configuration.
func isUsage(err error) bool {
	var e *control.Error
	return errors.As(err, &e) && e.Code == control.CodeUsage
}

// summary is what has changed, for a line of the log.
func summary(changes []control.Change) string {
	var parts []string
	for _, c := range changes {
		if c.Change != control.Unchanged {
			parts = append(parts, c.Name+": "+c.Text)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

func (d *Daemon) reloadOnSignal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Signals:
			_, _ = d.Reload(ctx, control.ReloadRequest{}) // logged there; a signal has nobody to tell
		}
	}
}

// plan reads the configuration and compares it with what runs.
func (d *Daemon) plan(q control.ReloadRequest) (plan, error) {
	if d.opts.Reload == nil {
		return plan{}, &control.Error{Code: control.CodeUsage, Message: "the daemon was started without a configuration file: there is nothing to reload",
			Hint: "write one with gorsyncd init, and start with: gorsyncd run --config FILE"}
	}
	next, err := d.opts.Reload()
	if err != nil {
		return plan{}, err
	}
	p := planner{lost: d.lost, known: func(source, remote string) (strangers.Stranger, bool, error) {
		return strangers.Find(d.journal, source, remote)
	}}
	p.next = next
	p.keys, p.fixed = next.Follow(d.config())
	if p.kept, err = strangers.Of(d.journal, next); err != nil {
		return plan{}, err
	}
	if p.all(d.allUnits()); p.err != nil {
		return plan{}, p.err
	}
	p.notifiers(d.allBells())
	err = p.forgotten(q.Forget)
	return p.plan, err
}

// apply makes what runs match the plan. It is the only one to change units while
// the daemon runs (see reloading), and does so without holding mu: transfers under
// way may take a while to end, and the status is to be had meanwhile.
func (d *Daemon) apply(p plan) error {
	if err := d.setLog(p); err != nil {
		return err
	}
	d.warnOfSecrets(p.next)
	d.warnOfNotifiers(p.next)
	d.journal.SetRetain(p.next.Journal.Retain)
	d.stopAll(p)
	units, err := d.startAll(p)
	d.mu.Lock()
	d.units = units // also after an error: this is what runs now
	if err == nil {
		d.cfg, d.needsRestart = p.next, nil
		for _, k := range p.fixed {
			d.needsRestart = append(d.needsRestart, k.Key)
		}
	}
	d.mu.Unlock()
	if err == nil {
		d.metrics.Keep(namesIn(p.next))
		d.setBells(p.next.Notify)
		err = d.forget(p.forget)
	}
	if err != nil {
		// Neither the old configuration runs nor the new one; the next start
		// makes one of them of it.
		d.fail(fmt.Errorf("apply configuration: %w", err))
	}
	return err
}

// setLog applies what was changed of the log, before anything else is.
func (d *Daemon) setLog(p plan) error {
	if d.opts.SetLog == nil || !slices.ContainsFunc(p.keys, func(k config.KeyChange) bool { return strings.HasPrefix(k.Key, "log.") }) {
		return nil
	}
	if err := d.opts.SetLog(p.next.Log); err != nil {
		return &control.Error{Code: control.CodeConfig, Message: fmt.Sprintf("%s: log.file: %v", p.next.Origin("log.file"), err), Err: err}
	}
	return nil
}

// stopAll ends what the plan ends. All remotes get the same time for their
// transfers, together.
func (d *Daemon) stopAll(p plan) {
	var wg sync.WaitGroup
	for _, r := range p.stops() {
		wg.Go(func() { r.stopGently(drainLimit) })
	}
	wg.Wait()
	for _, u := range p.gone {
		u.stop()
	}
	for _, s := range p.units {
		if s.anew {
			s.old.stop()
		}
	}
}

// startAll starts what the plan starts. It returns the units that run, also when
// it could not go through with it.
func (d *Daemon) startAll(p plan) (units []*unit, err error) {
	for i, s := range p.units {
		u := s.old
		if err := d.soft.Err(); err != nil {
			return append(units, untouched(p.units[i:])...), &control.Error{Code: control.CodeInterrupted, Err: err,
				Message: "the daemon is stopping: its next start applies the configuration"}
		}
		if u == nil || s.anew {
			if u, err = d.startUnit(s.cfg); err != nil {
				return append(units, untouched(p.units[i+1:])...), err
			}
		} else if err := d.change(u, s); err != nil {
			return append(append(units, u), untouched(p.units[i+1:])...), err
		}
		units = append(units, u)
	}
	return units, nil
}

// change makes the remotes and sinks of a source whose tree goes on match its step.
func (d *Daemon) change(u *unit, s unitStep) error {
	if err := d.startRemotes(u, s.remotes); err != nil {
		return err
	}
	return d.changeSinks(u, s)
}

// untouched are the units of steps that were not come to and still run.
func untouched(steps []unitStep) (units []*unit) {
	for _, s := range steps {
		if s.old != nil && !s.anew {
			units = append(units, s.old)
		}
	}
	return units
}

// startRemotes changes the remotes of a source whose tree goes on.
func (d *Daemon) startRemotes(u *unit, steps []remoteStep) error {
	remotes := make([]*remote, 0, len(steps))
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		u.remotes = remotes // also after an error: what runs now
	}()
	var failed error
	for _, s := range steps {
		switch {
		case s.old != nil && !s.anew:
			goesOn := *s.old
			goesOn.cfg = s.cfg // with what upkeep reads, and the places of rules
			remotes = append(remotes, &goesOn)
		case failed == nil:
			r, err := d.startRemote(u, s.cfg)
			if failed = err; err == nil {
				remotes = append(remotes, r)
			}
		}
	}
	return failed
}
