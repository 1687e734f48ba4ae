package replicate

import (
	"context"
	"slices"
	"strings"

	"gorsyncd/journal"
)

// HeldBack is what a guard keeps from being carried out.
type HeldBack struct {
	Reason string   // "" when nothing is held
	Count  uint64   // removals, as the guard counts them: each path below a directory is one
	First  []string // paths of the first of them in byte order; what is below a removed directory goes with it
	// Unlisted tells that the removals are those of a full sync, or of a repair: which
	// they are only a comparison with the remote can say.
	Unlisted bool
}

// HeldBack tells what waits for Approve, at most limit paths of it.
func (d *Dispatcher) HeldBack(ctx context.Context, limit int) (HeldBack, error) {
	var h HeldBack
	err := d.do(ctx, func() { h = d.heldBack() })
	if err != nil {
		return h, err
	}
	slices.SortFunc(h.First, strings.Compare)
	h.First = slices.Compact(h.First)
	h.First = h.First[:min(len(h.First), limit)]
	return h, nil
}

// heldBack looks at all that is to be sent; the caller sorts.
func (d *Dispatcher) heldBack() HeldBack {
	h := HeldBack{Reason: d.state.Held}
	if h.Reason == "" {
		return h
	}
	add := func(path string, op journal.Op, seq, count uint64) {
		if (op == journal.OpRemove || count > 0) && seq > d.state.Approved {
			h.Count += max(count, 1)
			h.First = append(h.First, path)
		}
	}
	for it := range d.unacked() {
		add(it.Path, it.Op, it.Seq, it.Count)
	}
	for path, e := range d.retries.byPath {
		add(path, e.Op, e.Seq, e.item.Count)
	}
	h.Unlisted = len(h.First) == 0
	return h
}
