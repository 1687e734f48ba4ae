package replicate

import (
	"context"
	"slices"

	"gorsyncd/journal/failpoint"
)

// reconcile carries a chunk of a full sync. What it goes by is looked at once
// more on either side of the run, as close as can be.
func (d *Dispatcher) reconcile(ctx context.Context, b *Batch) report {
	rep := report{batch: b}
	run := *b
	if d.sourceHeld() {
		rep.res = Result{Outcome: Outcome{Class: ClassCanceled}}
		return rep
	}
	if d.o.Delete == DeleteAll && slices.Equal(b.Paths, []string{""}) && rootEmpty(d.o.Root) {
		// What was in the root is removed by the journal's entries, once they
		// are believed. Foreign things must not go because of what may be a
		// mount point with nothing on it: only the attributes are sent.
		run.Lane = LaneRoot
	} else if b.spent {
		v := d.tr.Run(ctx, &run, Verify)
		if v.Outcome.Class == ClassHeld || slices.ContainsFunc(v.Changes, func(c Change) bool { return c.Delete }) {
			rep.res = Result{Exit: v.Exit, Outcome: Outcome{ID: "G-MAXDELETE", Class: ClassHeld,
				Message: "the full sync has deleted as many paths as allowed, and there are more"}}
			return rep
		}
	}
	failpoint.Hit("replicate.reconcile")
	rep.res = d.tr.Run(ctx, &run, Send)
	if rep.res.Outcome.unsure() {
		v := d.tr.Run(ctx, &run, Verify)
		rep.verify = &v
	}
	rep.moved, rep.err = d.moved(b)
	if t, ok := d.o.Tree.(indexed); ok && rep.err == nil {
		rep.unknown, rep.err = unknown(t, rep.res.Changes)
	}
	return rep
}

// moved tells whether one of a chunk's directories is not what it was when the
// run began. rsync passes over what is missing without a word.
func (d *Dispatcher) moved(b *Batch) (bool, error) {
	l, err := newLook(&d.o)
	if err != nil {
		return true, nil
	}
	j, err := d.view(l).judgeAll(b.Paths)
	return len(j.late) > 0, err
}

// unknown returns the paths among changes that the index does not know.
func unknown(t indexed, changes []Change) ([]string, error) {
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return t.Unknown(paths)
}
