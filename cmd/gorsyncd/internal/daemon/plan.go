package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/strangers"
)

// plan is what a reload is going to do. Making it changes nothing.
type plan struct {
	next    *config.Config
	keys    []config.KeyChange // outside of the sources, applied
	fixed   []config.KeyChange // and not applied
	gone    []*unit            // no longer configured
	units   []unitStep         // in the order of next
	forget  []string           // full names
	changes []control.Change
}

// unitStep is one configured source.
type unitStep struct {
	old     *unit // nil when it does not run
	cfg     config.Source
	anew    bool      // it runs, and its tree has to be begun anew
	gone    []*remote // no longer configured
	remotes []remoteStep
	lost    []*reader // sinks that are no longer configured
	sinks   []sinkStep
}

// sinkStep is one configured sink of a source that goes on.
type sinkStep struct {
	old  *reader // nil when it does not run
	cfg  config.Sink
	anew bool // it runs, and has to be begun anew
}

// remoteStep is one configured remote of a source that goes on.
type remoteStep struct {
	old  *remote // nil when it does not run
	cfg  config.Remote
	anew bool // it runs, and has to be begun anew
}

// stopper is a running remote or sink.
type stopper interface {
	stopGently(limit time.Duration)
	fullName() string
}

// stops are the running remotes and sinks that the plan ends.
func (p plan) stops() (list []stopper) {
	whole := func(u *unit) {
		for _, r := range u.remotes {
			list = append(list, r)
		}
		for _, r := range u.sinks {
			list = append(list, r)
		}
	}
	for _, u := range p.gone {
		whole(u)
	}
	for _, s := range p.units {
		if s.anew {
			whole(s.old)
			continue
		}
		for _, r := range s.gone {
			list = append(list, r)
		}
		for _, r := range s.lost {
			list = append(list, r)
		}
		for _, r := range s.remotes {
			if r.anew {
				list = append(list, r.old)
			}
		}
		for _, k := range s.sinks {
			if k.anew {
				list = append(list, k.old)
			}
		}
	}
	return list
}

// planner makes a plan.
type planner struct {
	plan
	known func(source, remote string) (strangers.Stranger, bool, error) // what the journal has of it
	kept  []strangers.Stranger                                          // by next
	lost  bool                                                          // see startUpdate
	err   error
}

func (p *planner) change(name string, kind control.ChangeKind, format string, args ...any) {
	p.changes = append(p.changes, control.Change{Name: name, Change: kind, Text: fmt.Sprintf(format, args...)})
}

// all compares what runs with the next configuration.
func (p *planner) all(running []*unit) {
	for _, k := range p.keys {
		p.change(k.Key, control.Updated, "%s", k)
	}
	for _, k := range p.fixed {
		p.change(k.Key, control.NeedsRestart, "needs a restart, until then %s is in use; %s says %s", orNone(k.From), k.Pos, orNone(k.To))
	}
	for _, sc := range p.next.Sources {
		var old *unit
		if i := slices.IndexFunc(running, func(u *unit) bool { return u.cfg.Name == sc.Name }); i >= 0 {
			old = running[i]
		}
		p.source(old, sc)
	}
	for _, u := range running {
		if p.next.HasSource(u.cfg.Name) {
			continue
		}
		p.gone = append(p.gone, u)
		p.change(u.cfg.Name, control.Removed, "removed")
		for _, r := range u.remotes {
			p.removed(r.name)
		}
		for _, r := range u.sinks {
			p.removed(r.name)
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (p *planner) source(old *unit, sc config.Source) {
	step := unitStep{old: old, cfg: sc}
	if old == nil {
		p.change(sc.Name, control.Added, "added")
	} else if keys := sc.Changed(old.cfg); len(keys) > 0 {
		step.anew = true
		p.change(sc.Name, control.Restarted, "%s changed; the tree is scanned anew", strings.Join(keys, ", "))
	}
	for _, rc := range sc.Remotes {
		p.remote(&step, rc)
	}
	if old != nil {
		for _, r := range old.remotes {
			if !p.next.Has(sc.Name, r.cfg.Name) {
				step.gone = append(step.gone, r)
				p.removed(r.name)
			}
		}
	}
	p.sinks(&step)
	p.units = append(p.units, step)
}

func (p *planner) remote(step *unitStep, rc config.Remote) {
	name := step.cfg.FullName(rc)
	r := remoteStep{cfg: rc}
	if step.old != nil {
		if i := slices.IndexFunc(step.old.remotes, func(r *remote) bool { return r.cfg.Name == rc.Name }); i >= 0 {
			r.old = step.old.remotes[i]
		}
	}
	var keys []string
	if r.old != nil {
		keys = rc.Changed(r.old.cfg)
	}
	what := strings.Join(keys, ", ") + " changed; "
	switch {
	case r.old == nil:
		p.change(name, control.Added, "%s", p.added(step.cfg.Name, rc))
	case slices.ContainsFunc(keys, func(k string) bool { return !config.ForUpkeep(k) }):
		r.anew = true
		p.change(name, control.Restarted, "%s%s", what, p.outlook(step.cfg.Name, rc))
	case step.anew:
		p.change(name, control.Restarted, "its source has changed; %s", p.outlook(step.cfg.Name, rc))
	case len(keys) > 0:
		p.change(name, control.Updated, "%sapplied without an interruption", what)
	default:
		p.change(name, control.Unchanged, "unchanged")
	}
	step.remotes = append(step.remotes, r)
}

func (p *planner) removed(name string) {
	p.change(name, control.Removed, "removed; its place in the journal is kept, gorsyncd reload --forget %s gives it up", name)
}

func (p *planner) added(source string, rc config.Remote) string {
	_, known, err := p.known(source, rc.Name)
	switch {
	case err != nil:
		p.err = err
	case known:
		return "configured again; " + p.outlook(source, rc)
	case rc.FullSync.OnStart == config.Never && !p.lost:
		return "added; no full sync, as full_sync.on_start says"
	}
	return "added; full sync starts" + p.renamed(source, rc)
}

// renamed is a remark on a remote that had another name: only the name tells which
// place in the journal is whose.
func (p *planner) renamed(source string, rc config.Remote) string {
	for _, s := range p.kept {
		if s.Source.Name() == source && s.Remote.State().Target == rc.Target.String() {
			return fmt.Sprintf(" (with its old name, %s, it would go on from its cursor)", s.Remote.Name())
		}
	}
	return ""
}

// outlook says how a remote that the journal knows begins.
func (p *planner) outlook(source string, rc config.Remote) string {
	s, known, err := p.known(source, rc.Name)
	if err != nil {
		p.err = err
		return ""
	}
	if !known {
		return "full sync starts"
	}
	full := s.Remote.FullSync()
	up := startUpdate(s.Remote.State(), full, rc, p.lost, false)
	switch {
	case up.FullSync != nil && (up.FullSync.Reason == reasonTarget || up.FullSync.Reason == reasonFilter || up.FullSync.Reason == reasonEmptyDirs):
		return "full sync starts"
	case up.FullSync != nil:
		return "full sync starts (" + up.FullSync.Reason + ")"
	case full != nil && !up.EndFullSync:
		return "its full sync goes on"
	}
	return "goes on from its cursor"
}

// forgotten notes the remotes that patterns name. They must not be configured.
func (p *planner) forgotten(patterns []string) (err error) {
	if len(patterns) == 0 {
		return nil
	}
	names := make([]string, 0, len(p.kept))
	for _, s := range p.kept {
		names = append(names, s.Name())
	}
	for _, pattern := range patterns {
		if _, err := control.Select([]string{pattern}, names); err == nil {
			continue
		}
		if has, err := control.Select([]string{pattern}, p.next.RemoteNames()); err == nil {
			return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("%s is configured: nothing of it is forgotten", has[0]),
				Hint: "take it out of the configuration first"}
		}
		hint := "nothing is kept for any remote that is not configured"
		if len(names) > 0 {
			hint = "not configured and kept are " + strings.Join(names, ", ")
		}
		return &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("nothing is kept for %q", pattern), Hint: hint}
	}
	if p.forget, err = control.Select(patterns, names); err != nil {
		return err
	}
	for _, name := range p.forget {
		if i := slices.IndexFunc(p.changes, func(c control.Change) bool { return c.Name == name }); i >= 0 {
			p.changes = slices.Delete(p.changes, i, i+1)
		}
		p.change(name, control.Forgotten, "forgotten; nothing is kept for it any more, configured again it gets a full sync")
	}
	return nil
}
