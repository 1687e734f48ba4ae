package replicate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorsyncd/journal"
)

// DryRun tells what a full sync would change, as rsync itemizes it, one line
// per path ("%i path", quoted when it is not plain). It changes nothing and
// may run beside everything else. Hard links between directories and what is
// still queued show up as differences.
func (d *Dispatcher) DryRun(ctx context.Context, r FullSyncRequest) ([]string, error) {
	l, err := newLook(&d.o)
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	out, seen := []string{}, map[string]bool{}
	f := newFullSync(journal.FullSync{Sub: r.Sub, Checksum: r.Checksum})
	v, now := d.view(l), time.Now()
	for {
		var none Locks
		b, err := f.step(d.o.Tree, v, d.o.Excluded, &none, now)
		if err != nil {
			return nil, fmt.Errorf("dry run: read index: %w", err)
		}
		if b == nil {
			return out, nil
		}
		res := d.tr.Run(ctx, b, Verify)
		b.chunk.done = true
		switch c := res.Outcome.Class; {
		case ctx.Err() != nil:
			return out, ctx.Err()
		case c != ClassOK && c != ClassEntry:
			return out, fmt.Errorf("dry run: %s %w", res.Outcome.ID, errors.New(res.Outcome.Message))
		}
		for _, ch := range res.Changes {
			// A directory shows up as a child of its parent and by itself.
			line := fmt.Sprintf("%-11s %s", ch.Item, plain(ch.Path))
			if !seen[line] {
				seen[line] = true
				out = append(out, line)
			}
		}
	}
}

// plain is a path as one printable line; "./" is the root.
func plain(path string) string {
	if path == "" {
		return "./"
	}
	if q := strconv.Quote(path); q != `"`+path+`"` {
		return q
	}
	return path
}
