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
	d.reloading.Lock()
	defer d.reloading.Unlock()
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
	d.mu.Lock()
	defer d.mu.Unlock()
	lines, err := d.apply(next)
	if err != nil {
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

// apply makes the running units match next. The caller holds mu.
func (d *Daemon) apply(next *config.Config) ([]string, error) {
	var lines []string
	var units []*unit
	old := d.units
	for _, u := range old {
		if !slices.ContainsFunc(next.Sources, func(s config.Source) bool { return s.Name == u.cfg.Name }) {
			u.stop()
			if err := d.dropStrangers(u.src, config.Source{Name: u.cfg.Name}); err != nil {
				return nil, err
			}
			lines = append(lines, u.cfg.Name+": removed")
		}
	}
	for _, sc := range next.Sources {
		i := slices.IndexFunc(old, func(u *unit) bool { return u.cfg.Name == sc.Name })
		var u *unit
		var changed []string
		var err error
		switch {
		case i < 0:
			u, err = d.startUnit(sc)
			changed = addedLines(sc)
		case !sameTree(old[i].cfg, sc):
			old[i].stop()
			u, err = d.startUnit(sc)
			changed = []string{sc.Name + ": changed, started anew"}
		default:
			u = old[i]
			changed, err = d.applyRemotes(u, sc)
		}
		if err != nil {
			return nil, err
		}
		units, lines = append(units, u), append(lines, changed...)
	}
	d.units = units
	if len(lines) == 0 {
		lines = []string{"nothing changed"}
	}
	return lines, nil
}

func addedLines(sc config.Source) []string {
	lines := make([]string, 0, len(sc.Remotes))
	for _, rc := range sc.Remotes {
		lines = append(lines, sc.FullName(rc)+": added, full sync starts")
	}
	return lines
}

// applyRemotes changes the remotes of a source whose tree stays as it is.
func (d *Daemon) applyRemotes(u *unit, sc config.Source) ([]string, error) {
	var lines []string
	var remotes []*remote
	for _, r := range u.remotes {
		if !slices.ContainsFunc(sc.Remotes, func(rc config.Remote) bool { return rc.Name == r.cfg.Name }) {
			r.stopGently(drainLimit)
			lines = append(lines, r.name+": removed")
		}
	}
	if err := d.dropStrangers(u.src, sc); err != nil {
		return nil, err
	}
	for _, rc := range sc.Remotes {
		i := slices.IndexFunc(u.remotes, func(r *remote) bool { return r.cfg.Name == rc.Name })
		var r *remote
		var err error
		switch {
		case i < 0:
			lines = append(lines, sc.FullName(rc)+": added, full sync starts")
			r, err = d.startRemote(u, rc)
		case sameRemote(u.remotes[i].cfg, rc):
			r = u.remotes[i]
		default:
			u.remotes[i].stopGently(drainLimit)
			if rc.Target != u.remotes[i].cfg.Target {
				lines = append(lines, sc.FullName(rc)+": target changed, full sync starts")
			} else {
				lines = append(lines, sc.FullName(rc)+": changed, cursor kept")
			}
			r, err = d.startRemote(u, rc)
		}
		if err != nil {
			return nil, err
		}
		remotes = append(remotes, r)
	}
	u.remotes, u.cfg = remotes, sc
	return lines, nil
}

// sameTree tells whether the watched tree of a source is configured alike.
func sameTree(a, b config.Source) bool {
	return a.Path == b.Path && a.Settle == b.Settle && a.SettleMax == b.SettleMax &&
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
	args, sshOptions := config.Texts(s.Rsync.Args), config.Texts(s.SSH.Options)
	s.Rules, s.Exclude, s.Rsync.Args, s.SSH.Options = nil, nil, nil, nil
	return []any{s, args, sshOptions}
}
