package replicate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorsyncd/journal"
)

// maxRepairs is how many paths one verify puts into the retry set, which is
// kept in memory. When more differ a full sync repairs them.
const maxRepairs = maxContentOnly

// repairPlan is what a full sync has to do at the end of a verify: what goes
// beyond maxRepairs, and what only the remote has, since a reconcile is what
// the removal guard counts.
type repairPlan struct {
	queued  int    // paths in the retry set
	planned uint64 // differences that are left to the full sync
	sub     string // the directory that has all of them in it
	begun   bool   // sub is meaningful
	content bool   // it has to compare content
}

// add widens the full sync to a directory.
func (p *repairPlan) add(dir string) {
	p.planned++
	if !p.begun {
		p.sub, p.begun = dir, true
		return
	}
	for p.sub != "" && dir != p.sub && !isBelow(dir, p.sub) {
		p.sub, _ = parentOf(p.sub)
	}
}

// found reports candidates that differ, once their repair is durable.
func (v *verify) found(ctx context.Context, cands []*candidate) error {
	diffs := make([]Difference, 0, len(cands))
	var queue []Difference
	var l *look
	if v.d.o.NoEmptyDirs {
		var err error
		if l, err = newLook(&v.d.o); err != nil {
			return fmt.Errorf("%w: %w", errSource, err)
		}
	}
	for _, c := range cands {
		if v.mayStayAway(l, c) {
			continue
		}
		f := Difference{Path: c.path, Kinds: c.what(), Below: c.below}
		only := c.extra || c.leftover // the remote has it
		f.Allowed = only && v.d.o.Delete != DeleteAll
		if f.Allowed && !c.leftover {
			f.Kinds = []DiffKind{DiffStranger}
		}
		if !only && c.attributesAlone() {
			var err error
			if f.Allowed, err = v.behind(c.path); err != nil {
				return err
			}
		}
		if v.r.Repair && !f.Allowed {
			f.Repair = v.plan(c, f)
		}
		if f.Repair == RepairQueued {
			queue = append(queue, f)
		}
		diffs = append(diffs, f)
	}
	if len(queue) > 0 {
		if err := v.d.persist(ctx, func() { v.d.repair(v, queue, time.Now()) }); err != nil {
			return err
		}
	}
	for _, f := range diffs {
		v.report(f)
	}
	return nil
}

// behind tells whether attributes of a path have changed at the source that are to
// go along with a later change of it. What differs in others was not changed there.
func (v *verify) behind(path string) (bool, error) {
	t, ok := v.d.o.Tree.(indexed)
	if !ok {
		return false, nil
	}
	rec, live, err := t.Lookup(path)
	if err != nil {
		return false, v.d.indexFailed(err)
	}
	return live && rec.Behind, nil
}

// plan decides how a difference is repaired.
func (v *verify) plan(c *candidate, f Difference) Repair {
	partial := c.leftover && c.dir // no reconcile removes it: it may be in use
	only := c.extra || c.leftover
	if v.repair.queued < maxRepairs && (!only || partial) {
		v.repair.queued++
		return RepairQueued
	}
	dir, _ := parentOf(c.path)
	v.repair.content = v.repair.content || v.r.Checksum && !only
	v.repair.add(dir)
	return RepairFullSync
}

// repair puts paths into the retry set. What that removes on the remote, which
// are directories in the way of something else, counts as removals do: beyond
// the limit the remote is held before anything is sent. Run's goroutine.
func (d *Dispatcher) repair(v *verify, diffs []Difference, now time.Time) {
	d.sweepProbe(now)
	for _, f := range diffs {
		rec := journal.Retry{Path: f.Path, Seq: d.ledger.read, Op: journal.OpChange, First: now, Next: now}
		if f.Kinds[0] == DiffLeftover {
			rec.Op = journal.OpRemove
		}
		if f.Kinds[0] == DiffContent {
			rec.Flags = journal.FlagChecksum
		}
		if e := d.retries.get(f.Path); e != nil {
			was := e.Retry
			was.Flags |= rec.Flags
			was.Next = now
			rec = was
			if e.item.state == itemInFlight {
				e.again = true
			}
		}
		d.keepRetry(rec)
		v.deleted += f.Below
	}
	if d.o.MaxDelete > 0 && v.deleted > d.o.MaxDelete && d.o.Delete != DeleteNone {
		d.hold(fmt.Sprintf("G-MAXDELETE the repair would delete %d paths that are in the way (limit %d)", v.deleted, d.o.MaxDelete), now)
	}
}

// finishRepair starts the full sync that repairs the rest.
func (v *verify) finishRepair(ctx context.Context) error {
	p := &v.repair
	if !p.begun {
		return nil
	}
	// A directory that the index does not list cannot be the top of one.
	for p.sub != "" && !v.d.isDir(p.sub) {
		p.sub, _ = parentOf(p.sub)
	}
	req := FullSyncRequest{Reason: "verify", Sub: p.sub, Checksum: p.content}
	if err := v.d.persist(ctx, func() { v.d.sweepProbe(time.Now()) }); err != nil {
		return err
	}
	if err := v.d.FullSync(ctx, req); err != nil {
		return err
	}
	v.res.Repaired += p.planned
	return nil
}

func (d *Dispatcher) isDir(path string) bool {
	t, ok := d.o.Tree.(indexed)
	if !ok || strings.TrimSpace(path) == "" {
		return true
	}
	rec, live, err := t.Lookup(path)
	return err == nil && live && rec.Type == journal.Dir
}
