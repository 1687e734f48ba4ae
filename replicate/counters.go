package replicate

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorsyncd/journal"
)

// rateWindow is the time over which the rate is averaged.
const rateWindow = 10 * time.Second

// counters add up what was done since Run began.
type counters struct {
	transfers, files, deleted, retries uint64
	bytes, wire                        int64
	recent                             []sample
}

type sample struct {
	at   time.Time
	wire int64
}

func (c *counters) add(rep report, now time.Time) {
	wire := rep.res.Sent + rep.res.Received
	c.transfers++
	c.files += rep.res.Files
	c.deleted += rep.res.Deleted
	if rep.verify != nil {
		c.transfers++
		wire += rep.verify.Sent + rep.verify.Received
	}
	switch {
	case rep.batch.chunk != nil: // most of what it compares is there already
		c.bytes += rep.res.Size
	case rep.res.Outcome.Class == ClassOK && rep.batch.move == nil:
		c.bytes += rep.batch.Bytes
	}
	c.wire += wire
	c.recent = append(c.trim(now), sample{now, wire})
}

func (c *counters) trim(now time.Time) []sample {
	for len(c.recent) > 0 && now.Sub(c.recent[0].at) > rateWindow {
		c.recent = c.recent[1:]
	}
	return c.recent
}

// rate is bytes per second on the wire, lately.
func (c *counters) rate(now time.Time) float64 {
	var sum int64
	c.recent = c.trim(now)
	for _, s := range c.recent {
		sum += s.wire
	}
	return float64(sum) / rateWindow.Seconds()
}

func (d *Dispatcher) logBatch(rep report) {
	if !d.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	b, r := rep.batch, rep.res
	d.log.Debug("batch", "batch", b.ID, "kind", b.Kind(), "retry", b.Retry, "paths", len(b.Paths), "bytes", b.Bytes,
		"rsync_exit", r.Exit, "error_id", r.Outcome.ID, "message", r.Outcome.Message, "wire_bytes", r.Sent+r.Received,
		"verified", rep.verify != nil, "warm", r.Warm, "duration_seconds", r.Duration.Seconds(), "stderr", r.Stderr, "items", b.brief())
}

// briefItems is how many items of a batch the debug log names.
const briefItems = 100

// brief names the items of a batch: "-" before what is removed.
func (b *Batch) brief() []string {
	var out []string
	for _, it := range b.Items[:min(len(b.Items), briefItems)] {
		sign := ""
		if it.Op == journal.OpRemove {
			sign = "-"
		}
		out = append(out, fmt.Sprintf("%s%s#%d", sign, it.Path, it.Seq))
	}
	return out
}
