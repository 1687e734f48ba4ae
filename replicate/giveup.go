package replicate

import (
	"context"
	"fmt"
	"time"

	"gorsyncd/journal"
)

// GiveUp is Dispatcher.RequireFullSync for a remote that has no Dispatcher: one
// that is kept in the journal and not replicated to. Nobody else may commit to its
// store meanwhile.
// name is the remote's, without the source's.
func GiveUp(ctx context.Context, feed Feed, store Store, name, reason string, clock Clock) error {
	head, cursor, full, now := feed.Head(), store.Cursor(), store.FullSync(), time.Now()
	lag, err := StoredLag(feed, store, name)
	if err != nil {
		return err
	}
	paths := map[string]content{}
	if err := contentBetween(feed, name, cursor.Next(), head, cursor, paths); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	all := len(paths) <= maxContentOnly
	up := journal.Update{Cursor: &journal.Cursor{Low: head},
		FullSync: &journal.FullSync{Reason: reason, Started: now, Checksum: !all || full != nil && full.Checksum,
			Behind: older(lag.Since, clock.Now())}}
	if all && len(paths) > 0 {
		recs, err := store.Retries()
		if err != nil {
			return fmt.Errorf("read retry set: %w", err)
		}
		for _, rec := range recs {
			c, ok := paths[rec.Path]
			if !ok {
				continue
			}
			delete(paths, rec.Path)
			rec.Seq, rec.Op, rec.Since = max(rec.Seq, c.seq), journal.OpChange, older(owedBy(rec), c.since)
			rec.Flags |= journal.FlagChecksum
			up.PutRetry = append(up.PutRetry, rec)
		}
		for path, c := range paths {
			up.PutRetry = append(up.PutRetry, journal.Retry{Path: path, Seq: c.seq, Since: c.since, Op: journal.OpChange, Flags: journal.FlagChecksum, First: now, Next: now})
		}
	}
	return store.Commit(ctx, up)
}

// content is a path whose content only the journal knows to differ.
type content struct {
	seq   uint64 // newest
	since time.Time
}

func (c content) with(seq uint64, since time.Time) content {
	return content{max(c.seq, seq), older(c.since, since)}
}

// contentBetween adds to paths those of entries from a seq up to head, not done
// yet, that a full sync would take for equal by their size and times. It stops
// when there are more of them than can be listed.
func contentBetween(feed Feed, name string, from, head uint64, done journal.Cursor, paths map[string]content) error {
	for from <= head && len(paths) <= maxContentOnly {
		entries, err := feed.Entries(from, readStep)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Seq <= head && e.Flags&journal.FlagChecksum != 0 && !done.Has(e.Seq) {
				_, since := e.Since(name)
				paths[e.Path] = paths[e.Path].with(e.Seq, since)
			}
		}
		if len(entries) < readStep {
			return nil
		}
		from = entries[len(entries)-1].Seq + 1
	}
	return nil
}
