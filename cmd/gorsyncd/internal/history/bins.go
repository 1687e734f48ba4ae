package history

import (
	"math"
	"time"
)

// lastBin has what is above the bounds of the others: 116 days.
const lastBin = 101

// binOf is the number of the bin of a latency.
func binOf(d time.Duration) int {
	if d <= time.Millisecond {
		return 0
	}
	k := int(math.Ceil(10*math.Log10(float64(d)/float64(time.Millisecond)) - 1e-9))
	return min(max(k, 0), lastBin)
}

// bound is the upper bound of a bin, in seconds.
func bound(k int) float64 { return math.Pow(10, float64(k)/10) / 1000 }

// bins counts latencies, bin by bin.
type bins [lastBin + 1]uint32

// sums is the same of many spans.
type sums [lastBin + 1]uint64

func (b *sums) add(o *bins) {
	for k, n := range o {
		b[k] += uint64(n)
	}
}

// quantile is the latency, in seconds, that a part q of them does not exceed;
// longest is the longest of all.
func (b *sums) quantile(q, longest float64) float64 {
	total := uint64(0)
	for _, n := range b {
		total += n
	}
	rank := uint64(math.Ceil(q * float64(total)))
	seen := uint64(0)
	for k, n := range b {
		if seen += n; seen >= max(rank, 1) && k < lastBin {
			return min(bound(k), longest)
		}
	}
	return longest
}
