package history

import "time"

// Span is how a remote was served in one hour or, beyond a week, one day. There are
// none for those in which nothing was delivered and nothing was behind.
type Span struct {
	Begin     time.Time `json:"begin"`
	End       time.Time `json:"end"`
	Delivered uint64    `json:"delivered"`
	Bytes     uint64    `json:"bytes"`
	Latency   *Latency  `json:"latency"` // nil when nothing was delivered
	Behind    float64   `json:"longest_behind_seconds"`
}

// Spans are those that have a part in the time from since to until, in order.
func (l *Log) Spans(since, until time.Time) []Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []Span{}
	for _, s := range l.spans {
		if s.within(since, until) {
			out = append(out, s.export())
		}
	}
	return out
}

func (s *span) export() Span {
	out := Span{Begin: time.Unix(s.hour*3600, 0).UTC(), End: time.Unix((s.hour+s.hours)*3600, 0).UTC(),
		Delivered: s.delivered, Bytes: s.bytes, Behind: s.behind}
	if s.delivered > 0 {
		var b sums
		b.add(&s.bins)
		q := func(part float64) float64 { return b.quantile(part, s.max) }
		out.Latency = &Latency{q(0.5), q(0.95), q(0.99), s.max}
	}
	return out
}

// within tells whether a span has a part in some time.
func (s *span) within(since, until time.Time) bool {
	return s.hour+s.hours > hourOf(since) && s.hour <= hourOf(until)
}

// known is when anything was noted first. It needs mu.
func (l *Log) known() *time.Time {
	var first *time.Time
	earlier := func(t time.Time) {
		if t = t.UTC(); first == nil || t.Before(*first) {
			first = &t
		}
	}
	for _, s := range l.spans {
		earlier(time.Unix(s.hour*3600, 0))
	}
	for _, o := range l.outages {
		earlier(o.Begin)
	}
	for _, r := range l.runs {
		earlier(r.Begin)
	}
	return first
}
