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
func GiveUp(ctx context.Context, feed Feed, store Store, reason string, now time.Time) error {
	head, cursor, full := feed.Head(), store.Cursor(), store.FullSync()
	paths := map[string]uint64{}
	if err := contentBetween(feed, cursor.Next(), head, cursor, paths); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	all := len(paths) <= maxContentOnly
	up := journal.Update{Cursor: &journal.Cursor{Low: head},
		FullSync: &journal.FullSync{Reason: reason, Started: now, Checksum: !all || full != nil && full.Checksum}}
	if all && len(paths) > 0 {
		recs, err := store.Retries()
		if err != nil {
			return fmt.Errorf("read retry set: %w", err)
		}
		for _, rec := range recs {
			seq, ok := paths[rec.Path]
			if !ok {
				continue
			}
			delete(paths, rec.Path)
			rec.Seq, rec.Op = max(rec.Seq, seq), journal.OpChange
			rec.Flags |= journal.FlagChecksum
			up.PutRetry = append(up.PutRetry, rec)
		}
		for path, seq := range paths {
			up.PutRetry = append(up.PutRetry, journal.Retry{Path: path, Seq: seq, Op: journal.OpChange, Flags: journal.FlagChecksum, First: now, Next: now})
		}
	}
	return store.Commit(ctx, up)
}

// contentBetween adds to paths those of entries from a seq up to head, not done
// yet, that a full sync would take for equal by their size and times. It stops
// when there are more of them than can be listed.
func contentBetween(feed Feed, from, head uint64, done journal.Cursor, paths map[string]uint64) error {
	for from <= head && len(paths) <= maxContentOnly {
		entries, err := feed.Entries(from, readStep)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Seq <= head && e.Flags&journal.FlagChecksum != 0 && !done.Has(e.Seq) {
				paths[e.Path] = max(paths[e.Path], e.Seq)
			}
		}
		if len(entries) < readStep {
			return nil
		}
		from = entries[len(entries)-1].Seq + 1
	}
	return nil
}
