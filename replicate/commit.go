package replicate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// changes is what has happened since the last commit was started.
type changes struct {
	busy    bool // a commit is under way
	cursor  bool
	state   bool
	put     map[string]journal.Retry
	del     map[string]bool
	read    bool // a record of del was carried as something else than a directory's attributes
	full    bool // write full-sync progress
	endFull bool
	// started and finished number the commits, for those who wait for one.
	started, finished uint64
}

// cursorState is the cursor as far as it is durable.
type cursorState struct {
	cursor  journal.Cursor
	pending journal.Cursor // of the commit under way
}

func (c *cursorState) load(cur journal.Cursor) { c.cursor = cur }

func (c *changes) dirty() bool {
	return c.cursor || c.state || c.full || c.endFull || len(c.put) > 0 || len(c.del) > 0
}

func (c *changes) putRetry(r journal.Retry) {
	if c.put == nil {
		c.put = map[string]journal.Retry{}
	}
	delete(c.del, r.Path)
	c.put[r.Path] = r
}

func (c *changes) delRetry(path string) {
	if c.del == nil {
		c.del = map[string]bool{}
	}
	delete(c.put, path)
	c.del[path] = true
}

// commit starts to write what is dirty, unless a commit is under way: what
// happens meanwhile shares the next one.
func (d *Dispatcher) commit(ctx context.Context) {
	c := &d.update
	if c.busy || !c.dirty() {
		return
	}
	u := journal.Update{
		PutRetry:    d.withSince(c.put),
		DelRetry:    slices.Collect(maps.Keys(c.del)),
		Shallow:     !c.read,
		EndFullSync: c.endFull,
	}
	d.completed.pending = d.completed.cursor
	if c.cursor {
		cur := d.ledger.cursor()
		u.Cursor, d.completed.pending = &cur, cur
	}
	if c.state {
		st := d.state
		u.State = &st
	}
	if c.full && d.full != nil {
		rec := d.full.rec
		u.FullSync = &rec
	}
	*c = changes{busy: true, started: c.started + 1, finished: c.finished}
	go func() {
		failpoint.Hit("replicate.commit.before")
		err := d.o.Store.Commit(ctx, u)
		failpoint.Hit("replicate.commit.after")
		d.commits <- err
	}()
}

// withSince are records with what is known by now of since when they are owed.
func (d *Dispatcher) withSince(recs map[string]journal.Retry) []journal.Retry {
	out := make([]journal.Retry, 0, len(recs))
	for path, r := range recs {
		if e := d.retries.get(path); e != nil {
			r.Since = e.oldest()
		}
		out = append(out, r)
	}
	return out
}

// committed takes the result of the commit that was under way.
func (d *Dispatcher) committed(err error) error {
	c := &d.update
	c.busy = false
	if err != nil {
		return fmt.Errorf("commit remote %s/%s: %w", d.o.Source, d.o.Name, err)
	}
	c.finished = c.started
	d.completed.cursor = d.completed.pending
	return nil
}

// settled is the number of the commit after which everything that has
// happened up to now is durable.
func (c *changes) settled() uint64 {
	if c.dirty() {
		return c.started + 1
	}
	return c.started
}

// persist commits what is dirty and waits for it: for decisions of a person,
// which must not be forgotten once answered.
func (d *Dispatcher) persist(ctx context.Context, change func()) error {
	var done <-chan error
	err := d.do(ctx, func() {
		change()
		done = d.afterCommit()
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-d.ending:
		select {
		case err := <-done:
			return err
		default:
			return errors.Join(ErrStopped, ctx.Err())
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// afterCommit returns a channel that gets nil when everything up to now is
// durable.
func (d *Dispatcher) afterCommit() <-chan error {
	w := &waiter{done: make(chan error, 1), commit: d.update.settled(), met: true}
	d.waiters = append(d.waiters, w)
	return w.done
}
