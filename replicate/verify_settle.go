package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// verifyPatience is how long paths are looked at again whose changes are on
	// their way.
	verifyPatience = 15 * time.Second
	// fenceTime bounds one fence, fenceTries how many in a row may take longer.
	fenceTime  = 30 * time.Second
	fenceTries = 3
	// lookPaths is how many paths are looked at again at once: the fewer, the
	// less happens meanwhile.
	lookPaths = 500
)

// drain looks through the pool until at most room paths are left in it. What
// cannot be judged in time is left to its entries, which are on their way.
func (v *verify) drain(ctx context.Context, room int) error {
	var until time.Time
	for wait := 50 * time.Millisecond; len(v.pool) > room; wait = min(2*wait, 2*time.Second) {
		if err := v.examine(ctx); err != nil {
			return err
		}
		if len(v.pool) <= room {
			return nil
		}
		now := time.Now()
		if until.IsZero() && v.unfenced == 0 {
			until = now.Add(v.patience)
		}
		if !until.IsZero() && now.After(until) {
			v.res.Pending += uint64(len(v.pool))
			clear(v.pool)
			return nil
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
	return nil
}

// examine looks through the pool once. A path leaves it when it is equal, when
// it is found to differ, and when it is in the retry set and fails.
func (v *verify) examine(ctx context.Context) error {
	begin := time.Now()
	defer func() { v.looked, v.lasted = time.Now(), time.Since(begin) }()
	cands := slices.SortedFunc(maps.Values(v.pool), func(a, b *candidate) int { return cmp.Compare(a.path, b.path) })
	if err := v.stampAll(cands); err != nil {
		return err
	}
	seq, fenced, err := v.fence(ctx)
	if err != nil || !fenced {
		return err
	}
	for part := range slices.Chunk(cands, lookPaths) {
		if err := v.examinePart(ctx, part, seq); err != nil {
			return err
		}
		v.progress()
	}
	return nil
}

// stampAll notes what the paths look like on the source, with the other names
// of each file.
func (v *verify) stampAll(cands []*candidate) error {
	l, err := newLook(&v.d.o)
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	for _, c := range cands {
		now := time.Now()
		c.before = l.stamp(c.path)
		c.ready = c.before.presence != Unknown && !c.before.racy(now)
		c.names = nil
		if c.before.lot {
			if c.names, err = v.names(c); err != nil {
				return v.d.indexFailed(err)
			}
		}
		if c.before.presence >= IsDir {
			c.dir = c.before.isDir
		}
	}
	return nil
}

// names are the other names of a candidate's inode.
func (v *verify) names(c *candidate) ([]string, error) {
	all, err := v.d.o.Tree.Siblings(c.before.dev, c.before.ino)
	return slices.DeleteFunc(all, func(n string) bool {
		return n == c.path || v.d.o.Excluded != nil && v.d.o.Excluded(n, false)
	}), err
}

// fence returns the seq below which everything is journaled that was changed
// before the call. fenced is false when that is not to be had now.
func (v *verify) fence(ctx context.Context) (seq uint64, fenced bool, err error) {
	if v.d.o.Fence == nil {
		return v.d.o.Feed.Head(), true, nil
	}
	limited, cancel := context.WithTimeout(ctx, fenceTime)
	defer cancel()
	seq, err = v.d.o.Fence(limited)
	switch {
	case err == nil:
		v.unfenced = 0
		return seq, true, nil
	case ctx.Err() != nil:
		return 0, false, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		if v.unfenced++; v.unfenced < fenceTries {
			return 0, false, nil
		}
		err = errors.New("changes of the source are not journaled in time: it is too busy")
		return 0, false, &NotComparedError{Remote: v.d.o.Source + "/" + v.d.o.Name, Reason: err.Error()}
	}
	return 0, false, &NotComparedError{Remote: v.d.o.Source + "/" + v.d.o.Name, Reason: err.Error(), Problem: true}
}

// examinePart judges some candidates: those that nothing is on its way for, and
// that are, before and after another comparison, as they were before the fence.
func (v *verify) examinePart(ctx context.Context, cands []*candidate, seq uint64) error {
	p := newLookout(cands)
	behind := false
	if err := v.d.do(ctx, func() { behind = v.d.attach(p, seq) }); err != nil {
		return err
	}
	ready, err := v.choose(cands, p, behind)
	second := newSecond(ready)
	if err == nil && len(ready) > 0 {
		err = v.again(ctx, second)
	}
	// Detached whatever happened, also when ctx has ended.
	if derr := v.d.do(context.WithoutCancel(ctx), func() { v.d.detach(p) }); err == nil {
		err = derr
	}
	if err != nil {
		return err
	}
	l, err := newLook(&v.d.o)
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	var differ []*candidate
	for _, c := range ready {
		now := second.seen[c.path]
		switch touched, _ := p.touches(c); {
		case now == nil && second.whole:
			delete(v.pool, c.path)
			continue
		case now == nil, touched, !l.stamp(c.path).same(c.before):
			continue
		}
		if fresh, err := v.renewed(c, seq); err != nil {
			return err
		} else if fresh {
			continue
		}
		now.before, now.names = c.before, c.names
		now.dir = now.dir || c.dir
		differ = append(differ, now)
		delete(v.pool, c.path)
	}
	return v.found(ctx, differ)
}

// renewed tells whether the index has news of a candidate from after the fence,
// or of a directory above it: one that came back, or is another one. Its entry
// may have replaced that of its removal, which is never sent then, and what is
// to become of the paths in it is journaled when they are observed anew.
func (v *verify) renewed(c *candidate, seq uint64) (bool, error) {
	t, ok := v.d.o.Tree.(indexed)
	if !ok {
		return false, nil
	}
	rec, live, err := t.Lookup(c.path)
	if err != nil {
		return false, v.d.indexFailed(err)
	}
	if live && (rec.LastSeq > seq || c.before.presence < IsDir) {
		return true, nil
	}
	for dir, ok := parentOf(c.path); ok; dir, ok = parentOf(dir) {
		rec, live, err := t.Lookup(dir)
		if err != nil {
			return false, v.d.indexFailed(err)
		}
		if dir != "" && !live || rec.Since > seq {
			return true, nil
		}
	}
	return false, nil
}

// choose picks the candidates that may be judged now, and lets go of those that
// fail.
func (v *verify) choose(cands []*candidate, p *lookout, behind bool) (ready []*candidate, err error) {
	l, err := newLook(&v.d.o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSource, err)
	}
	for _, c := range cands {
		touched, failing := p.touches(c)
		switch {
		case failing:
			v.res.Failing++
			delete(v.pool, c.path)
		case !c.ready || behind || touched || !l.stamp(c.path).same(c.before):
		default:
			ready = append(ready, c)
		}
	}
	return ready, nil
}
