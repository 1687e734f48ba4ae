package replicate

import (
	"context"
	"errors"
	"slices"
)

// linkBatch is how many names of hard-linked files are compared in one run, if
// no single file has more.
const linkBatch = 1000

// links compares the names of each hard-linked file with one another: those in
// several directories are not seen together before.
func (v *verify) links(ctx context.Context) error {
	var names []string
	f := v.cmp.f
	err := v.d.o.Tree.LinkGroups(func(group []string) error {
		group = slices.DeleteFunc(slices.Clone(group), func(n string) bool { return v.d.o.Excluded != nil && v.d.o.Excluded(n, false) })
		if len(group) < 2 || !slices.ContainsFunc(group, f.covers) {
			return nil
		}
		if len(names) > 0 && len(names)+len(group) > linkBatch {
			if err := v.linkRun(ctx, names); err != nil {
				return err
			}
			names = names[:0]
		}
		names = append(names, group...)
		return nil
	})
	if err == nil && len(names) > 0 {
		err = v.linkRun(ctx, names)
	}
	var known *NotComparedError
	if err != nil && ctx.Err() == nil && !errors.As(err, &known) && !errors.Is(err, errSource) && !errors.Is(err, ErrStopped) {
		return v.d.indexFailed(err)
	}
	return err
}

// linkRun compares whole groups of names. What differs in them otherwise was
// found before.
func (v *verify) linkRun(ctx context.Context, names []string) error {
	if err := v.drain(ctx, poolSize/2); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		var found []*candidate
		over := 0
		res, err := v.cmp.paths(ctx, names, false, func(ch Change) {
			switch {
			case ch.Item != pureLink || !v.cmp.f.covers(ch.Path):
			case len(found) >= poolSize/2:
				over++
			default:
				c := &candidate{path: ch.Path}
				c.add(ch, true)
				found = append(found, c)
			}
		})
		if err != nil {
			return err
		}
		again, err := v.judge(ctx, res, tries)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		if !v.whole(res) {
			dir, _ := parentOf(names[0])
			v.unread(dir, res.Outcome)
		}
		for _, c := range found {
			if v.pool[c.path] == nil {
				v.pool[c.path] = c
			}
		}
		// One file with so many names that are others on the remote: its other
		// names go with the first that is repaired.
		v.res.Pending += uint64(over)
		v.progress()
		return nil
	}
}
