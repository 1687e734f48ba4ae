package daemon

import (
	"context"
	"time"

	cron "github.com/netresearch/go-cron"

	"gorsyncd/cmd/gorsyncd/internal/sink"
)

// upkeepEvery is the pause between two rounds of upkeep. The journal sweeps
// what every remote has passed for 5 s.
const upkeepEvery = 5 * time.Second

// upkeep runs rounds until ctx ends.
func (d *Daemon) upkeep(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	var fulls fullRounds
	var verifies verifyRounds
	var mem memory
	defer verifies.wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if d.keepJournal(ctx) {
				fulls.round(ctx, d, now)
			}
			verifies.round(ctx, d, now)
			mem.round()
		}
	}
}

// askLimit bounds the wait for one remote: its goroutine may hang in a file
// system that does not answer, which must not keep the others from upkeep.
const askLimit = 5 * time.Second

// keepJournal truncates the journal and enforces its size. It tells whether the
// journal works.
func (d *Daemon) keepJournal(ctx context.Context) bool {
	if err := d.journal.Maintain(ctx); err != nil {
		d.fail(d.journal.Err())
		if ctx.Err() == nil {
			d.log.Error("journal upkeep failed", "error", err)
		}
		return false
	}
	d.limitJournal(ctx)
	return true
}

func ask(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return fn(ctx)
}

// due tells whether the schedule fires in (last, now]. The configuration has
// checked that it parses.
func due(schedule string, last, now time.Time) bool {
	if schedule == "" {
		return false
	}
	s, err := cron.ParseStandard(schedule)
	if err != nil {
		return false
	}
	next := s.Next(last)
	return !next.IsZero() && !next.After(now)
}

// limitJournal frees a journal that is past its limit: the remote that pins
// most of it gives up its place and gets a full sync instead. Like a
// replication slot with a size limit: the disk never fills.
func (d *Daemon) limitJournal(ctx context.Context) {
	limit := int64(d.config().Journal.MaxSize)
	st := d.journal.Stats()
	source, name, over := st.Over(limit)
	if !over {
		return
	}
	if d.giveUp(ctx, source, name, st, limit) {
		return
	}
	for _, r := range d.allRemotes() {
		if r.name != source+"/"+name {
			continue
		}
		behind := r.disp.Status().Pinned
		if behind < minPinned {
			return // the index itself is that large: entries are not what fills it
		}
		d.log.Error("the journal is past journal.max_size: the remote furthest behind gets a full sync instead of its backlog",
			"remote", r.name, "size_bytes", st.DiskBytes, "max_bytes", limit, "entries", behind)
		err := ask(ctx, func(ctx context.Context) error { return r.disp.RequireFullSync(ctx, reasonSize) })
		if err != nil && ctx.Err() == nil {
			d.log.Error("could not release the journal", "remote", r.name, "error", err)
		}
	}
	d.limitSink(ctx, source, name)
}

// limitGate has the remote that a sink waits for give up its place, if that is far
// behind, too.
func (d *Daemon) limitGate(ctx context.Context, source, remote string) bool {
	for _, r := range d.allRemotes() {
		if r.name != source+"/"+remote || r.disp.Status().Pinned < minPinned {
			continue
		}
		d.log.Error("the journal is past journal.max_size: the remote that a sink waits for gets a full sync instead of its backlog", "remote", r.name)
		err := ask(ctx, func(ctx context.Context) error { return r.disp.RequireFullSync(ctx, reasonSize) })
		if err != nil && ctx.Err() == nil {
			d.log.Error("could not release the journal", "remote", r.name, "error", err)
		}
		return true
	}
	return false
}

// limitSink is limitJournal for a sink: it is told that it missed something.
func (d *Daemon) limitSink(ctx context.Context, source, journalName string) {
	name, isSink := sink.NameOf(journalName)
	if !isSink {
		return
	}
	for _, r := range d.allReaders() {
		st := r.sink.Status()
		if r.name != source+"/"+name || st.LagEntries < minPinned {
			continue
		}
		if d.limitGate(ctx, source, st.WaitsFor) {
			return // it is what holds the sink up, and first in turn
		}
		d.log.Error("the journal is past journal.max_size: the sink furthest behind is told that it missed something instead of what", "sink", r.name)
		err := ask(ctx, func(ctx context.Context) error { return r.sink.GiveUp(ctx, reasonSize) })
		if err != nil && ctx.Err() == nil {
			d.log.Error("could not release the journal", "sink", r.name, "error", err)
		}
	}
}

// minPinned is the backlog below which giving it up would free next to nothing.
const minPinned = 10_000
