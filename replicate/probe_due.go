package replicate

import (
	"context"
	"strings"
	"time"

	"gorsyncd/journal"
)

const (
	// probeEvery is the time between two probes of a remote that works.
	probeEvery = 24 * time.Hour
	// probePause is the time between two probes of one that comes and goes.
	probePause = time.Minute
	// probeDoubt is the time between two probes of one that takes less than was
	// found.
	probeDoubt = time.Hour
	// probeAgain is the pause after one that came to nothing; it doubles.
	probeAgain = 10 * time.Minute
)

// probing is what Run knows about probes beside what is stored.
type probing struct {
	by      prober // nil: there are none
	of      string // what the next one asks: target and aspects
	asked   aspects
	running bool
	told    bool // the one that runs has given its answer
	dirty   bool // there may have been something to remove before it
	due     time.Time
	last    time.Time // start of the last one
	failed  int       // in a row that came to nothing
	answers chan probed
	reports chan probed
}

// loadProbe decides when the first probe is due. What was found at another
// target says nothing about this one.
func (d *Dispatcher) loadProbe(root bool, now time.Time) {
	p := &d.probe
	p.answers, p.reports = make(chan probed, 1), make(chan probed, 1)
	p.asked = aspectsOf(d.o.Rsync.Args, root)
	target := d.o.Target.String() + "\n"
	p.of = target + p.asked.String()
	if st := d.state.Probe; st.Of != "" && !strings.HasPrefix(st.Of, target) {
		d.setProbe(journal.Probe{})
	}
	d.noteBare()
	if by, ok := d.tr.(prober); ok && d.o.Scratch != "" {
		p.by = by
	}
	st := d.state.Probe
	p.due = now
	if st.Of == p.of && !st.Dirty && !st.At.After(now) {
		p.due = st.At.Add(probeEvery)
	}
}

// setProbe replaces what is stored about probes.
func (d *Dispatcher) setProbe(p journal.Probe) {
	d.state.Probe, d.update.state = p, true
	d.noteBare()
}

// noteBare tells those outside of Run what is left out of the arguments.
func (d *Dispatcher) noteBare() {
	b := bareOf(d.state.Probe)
	d.bare.Store(&b)
}

// startProbe starts a probe when one is due. It takes the place of a worker,
// since it takes a connection: a server may not have more of them. That it
// writes is durable before it does.
func (d *Dispatcher) startProbe(ctx context.Context, now time.Time) {
	p := &d.probe
	switch {
	case p.by == nil, p.running, now.Before(p.due), d.draining.Load(), d.state.Paused, d.state.Held != "", !d.o.Window.Open(now), d.breaker.open(),
		len(d.flights) >= d.o.Workers:
		return
	}
	st := d.state.Probe
	p.running, p.told, p.last, p.dirty = true, false, now, st.Dirty
	if st.Of == "" {
		st.Of = d.o.Target.String() + "\n" // an answer to nothing, but not for another target
	}
	st.Dirty = true
	d.setProbe(st)
	durable, place := d.afterCommit(), d.state.Place
	go func() {
		select {
		case <-durable:
			p.reports <- p.by.Probe(ctx, place, func(rep probed) { p.answers <- rep })
		case <-ctx.Done():
			p.reports <- probed{why: Outcome{Class: ClassCanceled}}
		}
	}()
}

// probeFirst tells whether the first probe of a target is under way: a full
// sync waits for its answer, and then knows what to leave out.
func (d *Dispatcher) probeFirst() bool {
	return d.probe.running && !d.probe.told && d.state.Probe.At.IsZero()
}

// probeSoon has the remote probed again, for it may have been changed.
func (d *Dispatcher) probeSoon(at time.Time) {
	if d.probe.due.After(at) {
		d.probe.due = at
	}
}

// sweepProbe has what a probe once made removed: a remote that was set back to
// an older state may have it again.
func (d *Dispatcher) sweepProbe(now time.Time) {
	if d.probe.by != nil && !d.probe.running && !d.state.Probe.Dirty {
		st := d.state.Probe
		st.Dirty = true
		d.setProbe(st)
		d.probeSoon(now)
	}
}

// busy is how many connections are taken.
func (d *Dispatcher) busy() int {
	if d.probe.running {
		return len(d.flights) + 1
	}
	return len(d.flights)
}

// probeTold files the answer of a probe that still has to tidy up: all that it
// found, and not that it is over.
func (d *Dispatcher) probeTold(rep probed, now time.Time) {
	d.probe.told = true
	d.tookLeast(rep.quick)
	old := d.state.Probe
	st := old
	st.Findings = mergeFindings(old.Findings, rep.found, rep.looked, d.probe.asked, now)
	d.setProbe(st)
	d.tellFindings(old.Findings, st.Findings, now)
}

// probeDone files what a probe came to.
func (d *Dispatcher) probeDone(rep probed, now time.Time) {
	p := &d.probe
	p.running = false
	select {
	case <-p.answers: // the report has it, too
	default:
	}
	d.found(rep.place)
	old := d.state.Probe
	st := journal.Probe{At: old.At, Of: old.Of, Dirty: !rep.clean && (rep.sent || p.dirty)}
	st.Findings = mergeFindings(old.Findings, rep.found, rep.looked, p.asked, now)
	// What needs a person will not heal in minutes.
	settled := rep.done || rep.why.Class == ClassConfig || rep.why.Class == ClassEntry
	if settled {
		st.At, st.Of = now, p.of
		p.failed, p.due = 0, now.Add(probeEvery)
	}
	if !settled || st.Dirty {
		p.failed++
		p.due = now.Add(min(probeAgain<<min(p.failed-1, 16), probeEvery))
	}
	d.setProbe(st)
	if rep.sent || rep.swept {
		d.restamp("", now) // the root has lost its mtime
	}
	d.log.Debug("probed", "done", rep.done, "findings", len(st.Findings), "looked", rep.looked.String(),
		"duration_seconds", now.Sub(p.last).Seconds())
	if n := p.failed; !rep.done && rep.why.Class != ClassCanceled && n&(n-1) == 0 {
		// Once, then at growing intervals.
		d.log.Info("the remote could not be probed", "error_id", rep.why.ID, "message", rep.why.Message, "next", p.due)
	}
	d.tellFindings(old.Findings, st.Findings, now)
}

// tellFindings logs what is new and what is gone, each once, and acts on it.
func (d *Dispatcher) tellFindings(before, after []journal.Finding, now time.Time) {
	for _, f := range after {
		if indexFinding(before, f.ID) < 0 {
			t := findings[f.ID]
			d.log.Warn(t.meaning, "error_id", f.ID, "message", f.Detail, "hint", t.remedy)
		}
	}
	if was, is := bareOf(journal.Probe{Findings: before}), bareOf(journal.Probe{Findings: after}); is != was {
		d.retryUnsupported(now)
	}
	var mended []string
	for _, f := range before {
		if indexFinding(after, f.ID) >= 0 {
			continue
		}
		d.log.Info("no longer found", "error_id", f.ID)
		if findings[f.ID].spoils && d.probe.asked.has(f.ID) {
			mended = append(mended, f.ID)
		}
	}
	if len(mended) > 0 {
		// What was sent before is still as the remote kept it.
		d.beginFull(FullSyncRequest{Reason: strings.Join(mended, ", ") + " mended"}, now)
	}
}

// foundAborts notes what a batch has found out about the receiver: it, and all
// after it, go another way.
func (d *Dispatcher) foundAborts(now time.Time) {
	d.again = true
	old := d.state.Probe
	st := old
	st.Findings = mergeFindings(old.Findings, []journal.Finding{{ID: idAborts, Detail: "it gave up a run with a removal"}},
		aspects{removals: true}, d.probe.asked, now)
	if st.Of == "" {
		st.Of = d.o.Target.String() + "\n"
	}
	d.setProbe(st)
	d.tellFindings(old.Findings, st.Findings, now)
}

// retryUnsupported ends the wait of what failed for want of xattrs or ACLs.
func (d *Dispatcher) retryUnsupported(now time.Time) {
	for _, e := range d.retries.byPath {
		if e.ErrorID == "E-DEST-UNSUPPORTED" && e.Next.After(now) {
			rec := e.Retry
			rec.Next = now
			d.keepRetry(rec)
		}
	}
	if d.full != nil {
		d.full.hurry(nil, now)
	}
}
