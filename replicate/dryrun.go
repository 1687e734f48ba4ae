package replicate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// DryRun tells what a full sync would change, as rsync itemizes it, one line
// per path ("%i path", quoted when it is not plain). It changes nothing and
// may run beside everything else. Hard links between directories and what is
// still queued show up as differences; Verify tells these apart.
func (d *Dispatcher) DryRun(ctx context.Context, r FullSyncRequest) ([]string, error) {
	c, err := d.compare(ctx, r.Sub, r.Checksum)
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	out, seen := []string{}, map[string]bool{}
	for {
		b, err := c.next(ctx)
		if b == nil || err != nil {
			return out, err
		}
		var lines []string
		res, moved, err := c.run(ctx, b, func(ch Change) {
			lines = append(lines, fmt.Sprintf("%-11s %s", ch.Item, plain(ch.Path)))
		})
		if err != nil {
			return out, err
		}
		if cl := res.Outcome.Class; cl != ClassOK && cl != ClassEntry {
			return out, fmt.Errorf("dry run: %s %w", res.Outcome.ID, errors.New(res.Outcome.Message))
		}
		if moved || res.Exit == 2 {
			c.again(b)
			continue
		}
		c.passed(b)
		for _, line := range lines {
			// A directory shows up as a child of its parent and by itself.
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
