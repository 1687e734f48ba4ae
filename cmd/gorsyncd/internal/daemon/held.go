package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
	"gorsyncd/watch"
)

// Held implements control.Overseer: what the guard of the remote keeps back, or that
// of its source.
func (d *Daemon) Held(ctx context.Context, name string, limit int) (control.Held, error) {
	for _, r := range d.allRemotes() {
		if r.name != name {
			continue
		}
		h, err := r.disp.HeldBack(ctx, limit)
		if err != nil {
			return control.Held{}, err
		}
		out := control.Held{Reason: h.Reason, First: names.NewPaths(h.First)}
		switch st := r.unit.tree.Status(); {
		case h.Reason == "" && st.State == watch.StateHeld:
			return lostOf(ctx, r.unit, st.Held, limit)
		case h.Unlisted:
			out.Note = fmt.Sprintf("these are removals of a full sync or of a repair: gorsyncd sync %s --dry-run lists them", name)
		default:
			out.Count = &h.Count
		}
		return out, nil
	}
	return control.Held{}, nil // a sink, which no guard holds
}

// lostOf is what a source that is held would be taken to have lost: what the index
// has at its top, and the tree has not.
func lostOf(ctx context.Context, u *unit, reason string, limit int) (control.Held, error) {
	out := control.Held{Reason: reason, First: []names.Path{}}
	var top []string
	err := u.src.Children("", func(name string, r journal.Record, _ bool) error {
		if r.Type != journal.Gone {
			top = append(top, name)
		}
		return ctx.Err()
	})
	if err != nil {
		return out, fmt.Errorf("read index: %w", err)
	}
	lost, err := u.gone(ctx, top)
	if err != nil {
		return out, err
	}
	count := uint64(0)
	for i, name := range lost {
		if i < limit {
			out.First = append(out.First, names.NewPath(name))
		}
		w, err := u.src.Weigh(name, "", false)
		if err != nil {
			return out, fmt.Errorf("read index: %w", err)
		}
		if count += w.Dirs + w.Files; ctx.Err() != nil {
			return out, ctx.Err()
		}
	}
	out.Count = &count
	return out, nil
}

// gone are those of the names in the root that are not there. What cannot be looked at
// is not gone. A source that hangs is waited for no longer than ctx, by whoever asks;
// one of them goes on until it answers.
func (u *unit) gone(ctx context.Context, top []string) ([]string, error) {
	if err := u.looking.take(ctx); err != nil {
		return nil, err
	}
	found := make(chan []string, 1)
	go func() {
		defer u.looking.release()
		var lost []string
		for _, name := range top {
			if _, err := os.Lstat(filepath.Join(u.cfg.Path, name)); errors.Is(err, fs.ErrNotExist) {
				lost = append(lost, name)
			}
			if ctx.Err() != nil {
				return
			}
		}
		found <- lost
	}()
	select {
	case lost := <-found:
		return lost, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
