package history

import (
	"slices"
	"time"
)

// Sum is a history summed up over some time.
type Sum struct {
	// Begin is that of the first hour or day that is in it, nil when nothing is
	// known; what is summed up begins with whole hours, beyond a week with days.
	Begin     *time.Time `json:"begin"`
	Delivered uint64     `json:"delivered"` // changes, as they arrived: superseded ones are in the newer
	Bytes     uint64     `json:"bytes"`     // of files, at their full size
	Latency   *Latency   `json:"latency"`   // from journaled to acknowledged; nil when nothing was delivered
	Behind    float64    `json:"longest_behind_seconds"`

	// Known is when anything was noted first, as far as it is kept; nil for never.
	// Later times without a span are times in which nothing was to be delivered, or
	// in which gorsyncd did not run, which is an outage.
	Known *time.Time `json:"known_since"`
	// Spans are the hours and days of the time; only if they were asked for.
	Spans []Span `json:"spans"`

	Outages []Outage `json:"outages"`
	Down    float64  `json:"outage_seconds"` // within the time asked for
	Full    []Run    `json:"full_syncs"`
	Verify  []Run    `json:"verifies"`
}

// Latency is a distribution, in seconds.
type Latency struct {
	P50 float64 `json:"p50_seconds"`
	P95 float64 `json:"p95_seconds"`
	P99 float64 `json:"p99_seconds"`
	Max float64 `json:"max_seconds"`
}

// Sum sums up what was from since to until.
func (l *Log) Sum(since, until time.Time) Sum {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := Sum{Known: l.known(), Spans: []Span{}, Outages: []Outage{}, Full: []Run{}, Verify: []Run{}}
	var all span
	var latency sums
	for _, s := range l.spans {
		if !s.within(since, until) {
			continue
		}
		if out.Begin == nil {
			t := time.Unix(s.hour*3600, 0).UTC()
			out.Begin = &t
		}
		all.add(s)
		latency.add(&s.bins)
	}
	out.Delivered, out.Bytes, out.Behind = all.delivered, all.bytes, all.behind
	if all.delivered > 0 {
		q := func(part float64) float64 { return latency.quantile(part, all.max) }
		out.Latency = &Latency{q(0.5), q(0.95), q(0.99), all.max}
	}
	l.sumOutages(&out, since, until)
	for _, r := range l.runs {
		switch {
		case r.End.Before(since) || r.End.After(until):
		case r.Kind == KindFull:
			out.Full = append(out.Full, r)
		default:
			out.Verify = append(out.Verify, r)
		}
	}
	return out
}

// sumOutages adds up the time of outages; where two overlap it counts once.
func (l *Log) sumOutages(out *Sum, since, until time.Time) {
	covered := since
	list := slices.Clone(l.outages)
	slices.SortStableFunc(list, func(a, b Outage) int { return a.Begin.Compare(b.Begin) })
	for _, o := range list {
		end := o.End
		if end.IsZero() {
			end = until
		}
		if !end.After(since) || o.Begin.After(until) {
			continue
		}
		out.Outages = append(out.Outages, o)
		from, to := o.Begin, end
		if from.Before(covered) {
			from = covered
		}
		if to.After(until) {
			to = until
		}
		if to.After(from) {
			out.Down += to.Sub(from).Seconds()
			covered = to
		}
	}
}
