package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// Events implements control.Historian.
func (d *Daemon) Events(ctx context.Context, q events.Request, line func(events.Line) error) error {
	return events.Read(ctx, d.journal, q, line)
}

// JournalCompact implements control.Historian.
func (d *Daemon) JournalCompact(ctx context.Context) (control.JournalCompacted, error) {
	begun := time.Now()
	c, err := d.journal.Compact(ctx)
	return control.NewJournalCompacted(c, time.Since(begun)), err
}

// Replay implements control.Historian. Every remote is looked at before anything
// is noted for the first.
func (d *Daemon) Replay(ctx context.Context, q control.ReplayRequest, line func(control.ReplayLine) error) error {
	parts, err := d.chosenParts(ctx, q.Names, q.Sub)
	if err != nil {
		return err
	}
	from := make([]uint64, len(parts))
	for i, r := range parts {
		if from[i], err = d.replayFrom(q, r, parts); err != nil {
			return err
		}
	}
	for i, r := range parts {
		if err := d.replayOne(ctx, r, from[i], q.DryRun, line); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// replayFrom finds the seq that a replay begins with. The journal has to reach
// back to it.
func (d *Daemon) replayFrom(q control.ReplayRequest, r part, all []part) (uint64, error) {
	for _, o := range all {
		if o.unit != r.unit && events.Bare(q.From) {
			return 0, &control.Error{Code: control.CodeUsage, Message: "--from " + q.From + ": the remotes are of several sources, which count their own seqs",
				Hint: "write SOURCE:SEQ, or use --since"}
		}
	}
	next, gap, err := events.Start(d.journal, events.Request{Source: r.unit.cfg.Name, From: q.From, Since: q.Since})
	if err != nil || gap == nil {
		return next, err
	}
	why := "it was rebuilt since"
	if gap.Reason == events.GapTruncated {
		why = fmt.Sprintf("entries up to #%d are deleted", gap.To)
	}
	return 0, &control.Error{Code: control.CodeGap, Message: fmt.Sprintf("%s: the journal does not reach back that far: %s", r.name, why),
		Hint: fmt.Sprintf("compare everything instead: gorsyncd sync %s --checksum   then, for what was removed: gorsyncd verify %s", r.name, r.name)}
}

func (d *Daemon) replayOne(ctx context.Context, r part, from uint64, dry bool, line func(control.ReplayLine) error) error {
	req := replicate.ReplayRequest{From: from, Sub: r.rel, DryRun: dry}
	if dry {
		req.Each = func(e journal.Entry) error {
			p, at := names.NewPath(e.Path), d.journal.OnWall(e.Time).UTC()
			return line(control.ReplayLine{Remote: r.name, Event: control.EventReplay, Seq: e.Seq, Op: control.OpName(e.Op), Path: &p, Time: &at})
		}
	}
	res, err := r.disp.Replay(ctx, req)
	if errors.Is(err, replicate.ErrReplayTooMuch) {
		return &control.Error{Code: control.CodeNotInSync, Message: err.Error(), Err: err,
			Hint: "a full sync is cheaper: gorsyncd sync " + r.name + " --checksum"}
	}
	if err != nil {
		return err
	}
	for _, dir := range res.Remnants {
		if res.FullSync {
			break // nobody has to care
		}
		p := names.NewPath(dir)
		if err := line(control.ReplayLine{Remote: r.name, Event: control.EventRemnant, Path: &p}); err != nil {
			return err
		}
	}
	return line(control.ReplayLine{Remote: r.name, Event: control.EventResult, Result: &control.ReplayResult{
		From: res.From, To: res.To, Changes: res.Changes, Removals: res.Removals, Deletes: res.Deletes,
		Pending: res.Pending, Remnants: uint64(len(res.Remnants)), FullSync: res.FullSync, Held: res.Held, DryRun: dry,
	}})
}
