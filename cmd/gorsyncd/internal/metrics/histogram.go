package metrics

import (
	"sort"
	"sync/atomic"
	"time"
)

// Upper ends of the buckets, in seconds.
var (
	latencyBuckets  = newBuckets(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
	transferBuckets = newBuckets(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800, 7200)
	appendBuckets   = newBuckets(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
)

// buckets are the upper ends of a histogram's buckets, ascending.
type buckets struct {
	ends  []float64
	texts []string // the label of each, and of the one without an end
}

func newBuckets(ends ...float64) *buckets {
	b := &buckets{ends: ends}
	for _, e := range ends {
		b.texts = append(b.texts, `le="`+string(appendValue(nil, e))+`"`)
	}
	b.texts = append(b.texts, `le="+Inf"`)
	return b
}

// tally is a histogram of durations. Any goroutine may add to it; it takes no lock.
type tally struct {
	*buckets
	counts []atomic.Uint64 // of each bucket alone; the last is for what is beyond all ends
	micros atomic.Uint64   // sum
}

func newTally(b *buckets) *tally {
	return &tally{buckets: b, counts: make([]atomic.Uint64, len(b.ends)+1)}
}

// observe counts a duration; one below zero, as after a clock was set back, is zero.
func (t *tally) observe(d time.Duration) {
	d = max(0, d)
	t.counts[sort.SearchFloat64s(t.ends, d.Seconds())].Add(1)
	t.micros.Add(uint64(d.Microseconds()))
}

func (t *tally) sum() float64 { return float64(t.micros.Load()) / 1e6 }
