package replicate

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// BWLimit is how many bytes a second one rsync may send, by the time of the week.
// A nil BWLimit is none.
//
// rsync cannot change it while it runs. What starts gets the limit of the moment,
// and rsyncs that wait for work are replaced when it changes. Of those that are
// under way, the ones that carry a single big file are stopped and go on from
// where they were: they could go past the change for hours, and their part of the
// file stays on the remote. All others end by themselves: they are bounded
// by BatchBytes, or are a piece of a full sync, which has no part of a file to go
// on from, so that stopping it could keep a slow remote from ever coming to its end.
type BWLimit struct {
	times     []timedLimit // the first that holds counts
	otherwise int64        // bytes a second; 0 is no limit
}

type timedLimit struct {
	span
	rate int64
}

// LimitAt is a limit for a span of time, which is written as one of a Window.
type LimitAt struct {
	When string
	Rate int64 // bytes a second; 0 is no limit
}

// NewBWLimit returns a limit for some times, of which the first that holds counts,
// and for all others.
func NewBWLimit(otherwise int64, times ...LimitAt) (*BWLimit, error) {
	l := &BWLimit{otherwise: otherwise}
	for _, t := range times {
		s, err := parseSpan(t.When)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", t.When, err)
		}
		l.times = append(l.times, timedLimit{s, t.Rate})
	}
	return l, nil
}

// At is the limit in force, in bytes a second; 0 is none.
func (l *BWLimit) At(now time.Time) int64 {
	if l == nil {
		return 0
	}
	for _, t := range l.times {
		if t.holds(now) {
			return t.rate
		}
	}
	return l.otherwise
}

// Change is when another limit comes into force next; zero for never.
func (l *BWLimit) Change(now time.Time) time.Time {
	if l == nil {
		return time.Time{}
	}
	spans := make([]span, 0, len(l.times))
	for _, t := range l.times {
		spans = append(spans, t.span)
	}
	is := l.At(now)
	return nextEdge(spans, now, func(at time.Time) bool { return l.At(at) != is })
}

// arg is the value of rsync's --bwlimit, which counts in KiB; "" for none.
func (l *BWLimit) arg(now time.Time) string {
	rate := l.At(now)
	if rate <= 0 {
		return ""
	}
	return strconv.FormatInt(max(1, rate/1024), 10)
}

// minLimited is how long a limit has to last for a big file to be stopped for it:
// both sides read again what the remote has of it.
const minLimited = time.Hour

// followLimit stops what is to go on with another limit when it changes.
func (d *Dispatcher) followLimit(now time.Time) {
	l := d.o.Rsync.BWLimit
	rate := l.At(now)
	if rate == d.rate {
		return
	}
	d.rate = rate
	next := l.Change(now)
	stopped := 0
	if next.IsZero() || next.Sub(now) >= minLimited {
		for _, b := range d.flights {
			if b.stop != nil && b.rate != rate {
				b.stop()
				stopped++
			}
		}
	}
	d.log.Info("another bandwidth limit is in force", "bytes_per_second", rate, "until", next, "stopped", stopped)
}

// stoppable prepares a batch for being stopped when the limit changes. A stopped
// one counts as under way until the far side has had time to notice.
func (d *Dispatcher) stoppable(ctx context.Context, b *Batch) (run context.Context, ended func()) {
	if b.Lane != LaneBig || d.o.Rsync.BWLimit == nil || len(d.o.Rsync.BWLimit.times) == 0 {
		return ctx, func() {}
	}
	run, b.stop = context.WithCancel(ctx)
	b.rate = d.rate
	return run, func() {
		if run.Err() != nil {
			sleep(ctx, farEnd)
		}
		b.stop()
	}
}
