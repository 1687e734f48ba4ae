package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorsyncd/journal"
)

// latePatience is how often a comparison looks again for a directory that tree
// and index do not agree about.
const latePatience = 8

// comparison has rsync say, a chunk of directories after the other, where a
// remote differs from the source. It goes where a full sync goes, changes
// nothing, takes no locks and may run beside everything else, in any goroutine
// that is not Run's.
type comparison struct {
	d     *Dispatcher
	f     *fullSync
	place string // where a local target was before

	// passedOver is called with a directory that tree and index do not agree
	// about for long, so that it is not compared; nil ignores it.
	passedOver func(dir string, why Outcome)
}

// errSource wraps what keeps a comparison from looking at the source root.
var errSource = errors.New("the source cannot be looked at")

func (d *Dispatcher) compare(ctx context.Context, sub string, checksum bool) (*comparison, error) {
	c := &comparison{d: d, f: newFullSync(journal.FullSync{Sub: sub, Checksum: checksum})}
	return c, d.do(ctx, func() { c.place = d.state.Place })
}

// next returns the next chunk, nil at the end. Each must be finished by passed
// or again before the next is asked for.
func (c *comparison) next(ctx context.Context) (*Batch, error) {
	for {
		l, err := newLook(&c.d.o)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
		var none Locks
		v := c.d.view(l)
		v.retry = RetryOptions{Initial: changedDelay, Max: time.Second}
		b, err := c.f.step(c.d.o.Tree, v, c.d.o.Excluded, &none, time.Now())
		if err != nil {
			return nil, c.d.indexFailed(err)
		}
		if b != nil {
			b.place, b.Locks = c.place, nil
			return b, nil
		}
		c.skipLate()
		c.f.advance()
		if c.f.dirsDone() {
			return nil, nil
		}
		if !sleep(ctx, c.wait(time.Now())) {
			return nil, ctx.Err()
		}
	}
}

// wait is the time until the next chunk may start.
func (c *comparison) wait(now time.Time) time.Duration {
	wait := tick
	for _, k := range c.f.chunks {
		if left := k.next.Sub(now); !k.done && left < wait {
			wait = left
		}
	}
	return max(wait, time.Millisecond)
}

// skipLate gives up directories that were looked for often enough.
func (c *comparison) skipLate() {
	for _, k := range c.f.chunks {
		if !k.done && k.attempts >= latePatience {
			k.done = true
			if c.passedOver != nil {
				c.passedOver(k.dirs[0], k.out)
			}
		}
	}
}

// run compares a chunk and calls fn, in a goroutine of its own, for each line
// of rsync's. It tells whether one of the directories was not there all the
// time: then they are to be compared again.
func (c *comparison) run(ctx context.Context, b *Batch, fn func(Change)) (res Result, moved bool, err error) {
	b.each = fn
	if bare := c.d.bare.Load(); bare != nil {
		b.bare = *bare
	}
	res = c.d.tr.Run(ctx, b, Verify)
	if ctx.Err() != nil {
		return res, false, ctx.Err()
	}
	for _, ch := range res.Changes { // of a transport that does not call
		fn(ch)
	}
	if b.chunk == nil {
		return res, false, nil
	}
	moved, err = c.d.moved(b)
	return res, moved, err
}

// paths is run for single paths, none of them below another's former place:
// directories without what is in them, files with the other names given. The
// root is no such path.
func (c *comparison) paths(ctx context.Context, paths []string, content bool, fn func(Change)) (Result, error) {
	b := &Batch{Lane: LaneList, Content: content, Paths: paths, place: c.place}
	res, _, err := c.run(ctx, b, fn)
	return res, err
}

// root compares the attributes of the root.
func (c *comparison) root(ctx context.Context, fn func(Change)) (Result, error) {
	b := &Batch{Lane: LaneRoot, Paths: []string{""}, place: c.place}
	res, _, err := c.run(ctx, b, fn)
	return res, err
}

// levels compares directories with what is directly in them, by size and time,
// and what only the remote has.
func (c *comparison) levels(ctx context.Context, dirs []string, fn func(Change)) (Result, error) {
	b := &Batch{Lane: LaneReconcile, Paths: dirs, extras: true, place: c.place}
	res, _, err := c.run(ctx, b, fn)
	return res, err
}

// passed notes that a chunk is compared.
func (c *comparison) passed(b *Batch) {
	b.chunk.running, b.chunk.done = false, true
	c.f.advance()
}

// again has a chunk compared once more, after a while, at most latePatience
// times.
func (c *comparison) again(b *Batch) {
	b.chunk.running = false
	b.chunk.out = Outcome{ID: idChanged, Class: ClassEntry, Message: "the directory did not stay in its place"}
	b.chunk.next = time.Now().Add(min(changedDelay<<b.chunk.attempts, 2*time.Second))
	b.chunk.attempts++
}
