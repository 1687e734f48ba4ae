package daemon

import (
	"context"
	"time"
)

// verifyShare bounds the cost of verifying: it rests a hundred times as long
// as it took.
const verifyShare = 100

// verify compares the journal with its sums now and then until ctx ends. What
// is missing fails the journal, and with it the process: the next start sets
// it aside.
func (d *Daemon) verify(ctx context.Context) {
	for pause := d.config().Journal.Verify; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		start := time.Now()
		if err := d.journal.Verify(ctx); err != nil {
			if ctx.Err() == nil {
				d.log.Error("journal verification failed", "error", err)
			}
			d.fail(d.journal.Err())
		}
		took := time.Since(start)
		d.log.Debug("journal verified", "seconds", took.Seconds())
		pause = max(d.config().Journal.Verify, verifyShare*took)
	}
}
