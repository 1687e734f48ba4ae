package metrics

import (
	"strconv"
	"sync/atomic"
	"time"

	"gorsyncd/replicate"
)

// What a transfer came to, by class of its outcome.
var results = []struct {
	class replicate.Class
	label string
}{
	{replicate.ClassOK, "ok"}, {replicate.ClassEntry, "partial"}, {replicate.ClassTransient, "failed"},
	{replicate.ClassConfig, "refused"}, {replicate.ClassHeld, "held"}, {replicate.ClassCanceled, "canceled"},
}

// Classes of attempts that fail.
var retryClasses = []replicate.Class{replicate.ClassEntry, replicate.ClassTransient, replicate.ClassConfig}

// What a comparison came to.
var verifyResults = []string{"equal", "different", "incomplete"}

const (
	maxExit = 256     // exit codes are below
	noExit  = maxExit // stands for -1: no rsync ran to its end
)

// usual exits have a series from the start, others when they have occurred.
var usual = func() (u [maxExit + 1]bool) {
	for _, code := range []int{0, 5, 10, 11, 12, 20, 23, 24, 25, 30, 35, 255} {
		u[code] = true
	}
	return u
}()

func exitLabel(code int) string {
	if code == noExit {
		return "none"
	}
	return strconv.Itoa(code)
}

// Counts adds up what one remote does. It is a replicate.Meter and a
// replicate.Observer. Any goroutine may use it.
type Counts struct {
	transfers [6]atomic.Uint64 // by results
	retries   [3]atomic.Uint64 // by retryClasses
	exits     [maxExit + 1]atomic.Uint64
	verifies  [3]atomic.Uint64 // by verifyResults

	files, deleted, bytes, wire, fulls atomic.Uint64

	duration, latency *tally
}

var (
	_ replicate.Meter    = (*Counts)(nil)
	_ replicate.Observer = (*Counts)(nil)
)

func newCounts() *Counts {
	return &Counts{duration: newTally(transferBuckets), latency: newTally(latencyBuckets)}
}

// Transferred implements replicate.Meter.
func (c *Counts) Transferred(t replicate.Transfer) {
	for i := range results {
		if results[i].class == t.Class {
			c.transfers[i].Add(1)
		}
	}
	c.exited(t.Exit)
	if t.Compared {
		c.exited(t.Recheck)
	}
	c.files.Add(t.Files)
	c.deleted.Add(t.Deleted)
	c.bytes.Add(uint64(max(0, t.Bytes)))
	c.wire.Add(uint64(max(0, t.WireBytes)))
	c.duration.observe(t.Duration)
}

func (c *Counts) exited(code int) {
	if code < 0 || code >= maxExit {
		code = noExit
	}
	c.exits[code].Add(1)
}

// Retried implements replicate.Meter.
func (c *Counts) Retried(class replicate.Class) {
	for i := range retryClasses {
		if retryClasses[i] == class {
			c.retries[i].Add(1)
		}
	}
}

// Delivered implements replicate.Observer.
func (c *Counts) Delivered(at, since time.Time) { c.latency.observe(at.Sub(since)) }

// Ended implements replicate.Observer.
func (c *Counts) Ended(e replicate.Ending) {
	switch {
	case !e.Verify:
		c.fulls.Add(1)
	case !e.Complete:
		c.verifies[2].Add(1)
	case e.Differences > 0:
		c.verifies[1].Add(1)
	default:
		c.verifies[0].Add(1)
	}
}

// Carried implements replicate.Observer; Transferred has told of the bytes.
func (c *Counts) Carried(time.Time, int64) {}

// Health implements replicate.Observer; the status tells of it.
func (c *Counts) Health(time.Time, string) {}
