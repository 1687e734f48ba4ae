package daemon

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// Reload reads the configuration again and applies what differs. It returns a
// line for each source or remote that changed. A configuration that is not
// valid, or that changes what only a restart can change, changes nothing.
func (d *Daemon) Reload(ctx context.Context) ([]string, error) {
	if err := d.reloading.take(ctx); err != nil {
		return nil, err
	}
	defer d.reloading.release()
	lines, err := d.reload()
	d.mu.Lock()
	d.lastReload = reloadResult{at: time.Now(), err: err}
	d.mu.Unlock()
	if err != nil {
		d.log.Error("reload refused: the running configuration stays", "error", err)
		return nil, err
	}
	d.log.Info("configuration reloaded", "changes", strings.Join(lines, "; "))
	return lines, nil
}

func (d *Daemon) reloadOnSignal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Signals:
			_, _ = d.Reload(ctx) // logged there; a signal has nobody to tell
		}
	}
}

func (d *Daemon) reload() ([]string, error) {
	if d.opts.Reload == nil {
		return nil, errors.New("started without a configuration file: there is nothing to reload")
	}
	next, err := d.opts.Reload()
	if err != nil {
		return nil, err
	}
	if err := d.fixedParts(next); err != nil {
		return nil, err
	}
	d.warnOfSecrets(next)
	units, lines, err := d.apply(next)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.units = units // also after an error: this is what runs now
	if err != nil {
		// Neither the old configuration runs nor the new one; the next start
		// makes one of them of it.
		d.fail(fmt.Errorf("apply configuration: %w", err))
		return nil, err
	}
	d.cfg = next
	return lines, nil
}

// fixedParts refuses changes of what is opened once.
func (d *Daemon) fixedParts(next *config.Config) error {
	switch {
	case next.StateDir != d.cfg.StateDir:
		return fmt.Errorf("state_dir cannot change while running: restart gorsyncd")
	case next.Socket != d.cfg.Socket:
		return fmt.Errorf("socket cannot change while running: restart gorsyncd")
	}
	return nil
}

// apply makes the running units match next and returns them, also when it could
// not go through with it. It is the only one to change units while the daemon
// runs (see reloading), and does so without holding mu: transfers under way may
// take a while to end, and the status is to be had meanwhile.
func (d *Daemon) apply(next *config.Config) (units []*unit, lines []string, err error) {
	old := d.allUnits()
	gone := func(u *unit) bool {
		return !slices.ContainsFunc(next.Sources, func(s config.Source) bool { return s.Name == u.cfg.Name })
	}
	for i := slices.IndexFunc(old, gone); i >= 0; i = slices.IndexFunc(old, gone) {
		u := old[i]
		old = slices.Delete(old, i, i+1)
		u.stop()
		lines = append(lines, u.cfg.Name+": removed")
		if err := d.dropStrangers(u.src, config.Source{Name: u.cfg.Name}); err != nil {
			return old, nil, err
		}
	}
	for _, sc := range next.Sources {
		var u *unit
		if i := slices.IndexFunc(old, func(u *unit) bool { return u.cfg.Name == sc.Name }); i >= 0 {
			u = old[i]
			old = slices.Delete(old, i, i+1)
		}
		u, changed, err := d.applySource(u, sc)
		if u != nil {
			units = append(units, u)
		}
		if err != nil {
			return append(units, old...), nil, err
		}
		lines = append(lines, changed...)
	}
	if len(lines) == 0 {
		lines = []string{"nothing changed"}
	}
	return units, lines, nil
}

// applySource makes one source match its configuration; u is nil when it does
// not run yet. It returns the unit that runs now, nil for none.
func (d *Daemon) applySource(u *unit, sc config.Source) (*unit, []string, error) {
	switch {
	case u == nil:
		u, err := d.startUnit(sc)
		return u, addedLines(sc), err
	case !sameTree(u.cfg, sc):
		u.stop()
		u, err := d.startUnit(sc)
		return u, []string{sc.Name + ": changed, started anew"}, err
	}
	lines, err := d.applyRemotes(u, sc)
	if err != nil {
		return u, nil, err
	}
	more, err := d.applySinks(u, sc)
	return u, append(lines, more...), err
}

func addedLines(sc config.Source) []string {
	lines := make([]string, 0, len(sc.Remotes))
	for _, rc := range sc.Remotes {
		lines = append(lines, sc.FullName(rc)+": added, full sync starts")
	}
	return lines
}

// applyRemotes changes the remotes of a source whose tree stays as it is.
func (d *Daemon) applyRemotes(u *unit, sc config.Source) (lines []string, err error) {
	running := d.remotesOf(u)
	var remotes []*remote
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		u.remotes = remotes // also after an error: what runs now
	}()
	for _, r := range running {
		if slices.ContainsFunc(sc.Remotes, func(rc config.Remote) bool { return rc.Name == r.cfg.Name }) {
			remotes = append(remotes, r)
			continue
		}
		r.stopGently(drainLimit)
		lines = append(lines, r.name+": removed")
	}
	if err := d.dropStrangers(u.src, sc); err != nil {
		return nil, err
	}
	kept := remotes
	remotes = nil
	for _, rc := range sc.Remotes {
		var old *remote
		if i := slices.IndexFunc(kept, func(r *remote) bool { return r.cfg.Name == rc.Name }); i >= 0 {
			old = kept[i]
			kept = slices.Delete(kept, i, i+1)
		}
		r, what, err := d.applyRemote(u, old, rc)
		if err != nil {
			remotes = append(remotes, kept...)
			return nil, err
		}
		remotes = append(remotes, r)
		if what != "" {
			lines = append(lines, r.name+": "+what)
		}
	}
	return lines, nil
}

// applyRemote makes one remote match its configuration; old is nil when it does
// not run yet. what is empty when nothing has changed.
func (d *Daemon) applyRemote(u *unit, old *remote, rc config.Remote) (r *remote, what string, err error) {
	what = "added, full sync starts"
	if old != nil {
		switch {
		case sameRemote(old.cfg, rc):
			return old, "", nil
		case old.cfg.Target != rc.Target:
			what = "target changed, full sync starts"
		default:
			what = "changed, cursor kept"
		}
		old.stopGently(drainLimit)
	}
	r, err = d.startRemote(u, rc)
	return r, what, err
}

// sameTree tells whether the watched tree of a source is configured alike.
func sameTree(a, b config.Source) bool {
	return a.Path == b.Path && a.Settle == b.Settle && a.SettleMax == b.SettleMax && a.Backend == b.Backend &&
		a.Guard.EmptySource == b.Guard.EmptySource && a.Guard.SameFilesystem == b.Guard.SameFilesystem &&
		slices.Equal(a.Filter.Args(), b.Filter.Args())
}

// sameRemote compares what a dispatcher is made from. Where a value stands in
// the file does not matter.
func sameRemote(a, b config.Remote) bool {
	return a.Target == b.Target && reflect.DeepEqual(effective(a), effective(b)) &&
		slices.Equal(a.Filter.Args(), b.Filter.Args())
}

// effective leaves out of a remote's settings the lists that carry positions;
// they are compared by their text.
func effective(r config.Remote) any {
	s := r.Settings
	args, sshOptions, window := config.Texts(s.Rsync.Args), config.Texts(s.SSH.Options), config.Texts(s.Window)
	s.Rules, s.Exclude, s.Rsync.Args, s.SSH.Options, s.Window = nil, nil, nil, nil, nil
	return []any{s, args, sshOptions, window}
}
