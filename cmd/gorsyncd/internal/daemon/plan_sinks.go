package daemon

import (
	"slices"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/sink"
)

// sinks compares the sinks of a source. One that waits for others than before is begun
// anew.
func (p *planner) sinks(step *unitStep) {
	sc := step.cfg
	var running []*reader
	if step.old != nil {
		running = step.old.sinks
	}
	for _, kc := range sc.Sinks {
		k := sinkStep{cfg: kc}
		if i := slices.IndexFunc(running, func(r *reader) bool { return r.cfg.Name == kc.Name }); i >= 0 {
			k.old = running[i]
		}
		name := sc.FullSinkName(kc)
		switch {
		case k.old == nil:
			p.change(name, control.Added, "%s", p.addedSink(sc.Name, kc))
		case !k.old.cfg.Same(kc):
			k.anew = true
			p.change(name, control.Restarted, "changed; goes on from its cursor")
		case !slices.Equal(k.old.gates, gateNames(sc, kc)):
			k.anew = true
			p.change(name, control.Restarted, "waits for other remotes; goes on from its cursor")
		case step.anew:
			p.change(name, control.Restarted, "its source has changed; goes on from its cursor")
		default:
			p.change(name, control.Unchanged, "unchanged")
		}
		step.sinks = append(step.sinks, k)
	}
	for _, r := range running {
		if !p.next.Has(sc.Name, sink.JournalName(r.cfg.Name)) {
			step.lost = append(step.lost, r)
			p.removed(r.name)
		}
	}
}

func (p *planner) addedSink(source string, kc config.Sink) string {
	_, known, err := p.known(source, sink.JournalName(kc.Name))
	switch {
	case err != nil:
		p.err = err
	case known:
		return "configured again; goes on from its cursor"
	}
	return "added; it is told what changes from now on"
}

// changeSinks starts the sinks of a source whose tree goes on, once its remotes run.
func (d *Daemon) changeSinks(u *unit, s unitStep) error {
	sinks := make([]*reader, 0, len(s.sinks))
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		u.sinks = sinks // also after an error: what runs now
	}()
	var failed error
	for _, k := range s.sinks {
		switch {
		case k.old != nil && !k.anew:
			goesOn := *k.old
			goesOn.cfg = k.cfg // with the places of rules
			sinks = append(sinks, &goesOn)
		case failed == nil:
			r, err := d.startSink(u, s.cfg, k.cfg)
			if failed = err; err == nil {
				sinks = append(sinks, r)
			}
		}
	}
	return failed
}
