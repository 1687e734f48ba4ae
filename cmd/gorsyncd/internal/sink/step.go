package sink

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorsyncd/replicate"
)

// Step does what there is to do now, at most one delivery, and says when there will
// be more that nothing else tells of: zero for never, the past for at once.
func (s *Sink) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.intake(now); err != nil {
		return next, err
	}
	if next, err = s.commitLazily(ctx, now); err != nil {
		return next, err
	}
	if st := &s.state; st.Paused {
		if st.PausedUntil.IsZero() || now.Before(st.PausedUntil) {
			return earlierOf(next, st.PausedUntil), nil
		}
		st.Paused, st.PauseReason, st.PausedUntil = false, "", time.Time{}
		s.update.state = true
	}
	if s.breaker.open(now) {
		return earlierOf(next, s.breaker.until), nil
	}
	batch, again, err := s.pick(now)
	if err != nil || len(batch) == 0 {
		return earlierOf(next, again), err
	}
	return now, s.deliver(ctx, batch)
}

// earlierOf is the earlier of two times of which the zero one is never.
func earlierOf(a, b time.Time) time.Time {
	if b.IsZero() {
		return a
	}
	return earlier(a, b)
}

// pick chooses the next batch, and says when to look again when there is none.
func (s *Sink) pick(now time.Time) (batch []*item, again time.Time, err error) {
	g := s.o.look()
	if s.lost != nil && !s.o.tells(OpResync) {
		s.log.Warn("events were missed, and the sink is not told so: ops lacks resync", "reason", s.lost.Reason)
		s.lost, s.update.lost = nil, true
	}
	if s.lost != nil {
		if s.waitsFor = g.blocker(); s.waitsFor != "" {
			return nil, time.Time{}, nil // its full sync ends, and pokes us
		}
		ev := s.o.resync(s.read, s.lost.Started)
		return []*item{{event: ev, at: now}}, time.Time{}, nil
	}
	batch, again, err = s.dueRetries(g, s.limit, now)
	if err != nil || len(batch) > 0 {
		return batch, again, err
	}
	s.waitsFor = ""
	var first time.Time
	for _, it := range s.pending {
		if it.gone {
			continue
		}
		st, remote, err := g.standing(it.entry.Seq, it.entry.Path)
		switch {
		case err != nil:
			return nil, again, err
		case st == behind:
			s.waitsFor = remote
			continue
		case st == failing:
			s.sideline(it, replicate.Outcome{ID: idGate, Message: remote + " fails with the path"}, now)
			again = earlierOf(again, now.Add(gatePoll))
			continue
		}
		if first.IsZero() {
			first = it.at
		}
		if batch = append(batch, it); len(batch) >= s.limit {
			return batch, again, nil
		}
	}
	if due := first.Add(s.o.Gather); len(batch) > 0 && now.Before(due) {
		return nil, earlierOf(again, due), nil
	}
	return batch, again, nil
}

// deliver hands a batch over and files what came of it. The caller holds mu, which
// is free in between.
func (s *Sink) deliver(ctx context.Context, batch []*item) error {
	s.inFlight, s.since = len(batch), s.o.Now()
	s.attempts++
	s.mu.Unlock()
	v := s.handOver(ctx, batch)
	s.mu.Lock()
	s.inFlight = 0
	now := s.o.Now()
	if ctx.Err() != nil && v.Class != replicate.ClassOK {
		return nil // cut off; it is repeated at the next start
	}
	s.log.Debug("delivery", "events", len(batch), "error_id", v.ID, "message", v.Message,
		"duration_seconds", now.Sub(s.since).Seconds())
	s.file(batch, v, now)
	return s.commit(context.WithoutCancel(ctx), now)
}

// verdict is what came of a batch: the items before the first of blamed that are not
// in it have arrived, and so have those behind it up to untold.
type verdict struct {
	Result
	blamed []int // items that were not delivered
	untold int   // items from here on were not tried
}

// handOver calls the delivery, in pieces where a removed directory is told path by
// path.
func (s *Sink) handOver(ctx context.Context, batch []*item) verdict {
	v := verdict{Result: Result{Outcome: replicate.Outcome{Class: replicate.ClassOK}}, untold: len(batch)}
	told := 0
	for p, err := range s.pieces(batch) {
		if err != nil {
			v.Outcome = replicate.Outcome{ID: "E-SINK", Class: replicate.ClassTransient, Message: err.Error()}
			v.untold = told
			return v
		}
		v.Result = s.o.Delivery.Deliver(ctx, p.events)
		if v.Class != replicate.ClassOK {
			v.blamed, v.untold = p.blamed(v.Left), p.items[len(p.items)-1]+1
			return v
		}
		told = p.items[len(p.items)-1]
	}
	return v
}

// errEnough ends a walk whose receiver has failed.
var errEnough = errors.New("enough")

// file takes the result of a delivery into account.
func (s *Sink) file(batch []*item, v verdict, now time.Time) {
	blamed, arrived := make([]*item, 0, len(v.blamed)), false
	for i, it := range batch[:v.untold] {
		if slices.Contains(v.blamed, i) {
			blamed = append(blamed, it)
			continue
		}
		arrived = true
		s.arrived(it)
	}
	if arrived {
		s.worked(now)
	}
	switch {
	case v.Class == replicate.ClassOK:
		s.limit = min(s.o.Batch, 2*s.limit)
	case v.Class != replicate.ClassEntry, batch[0].event.Op == OpResync:
		s.fail(v.Result, now)
	case v.Left == nil && len(blamed) > 1:
		s.limit = max(1, len(blamed)/2)
	default:
		for _, it := range blamed {
			s.sideline(it, v.Outcome, now)
		}
		s.judge(!arrived, v.Result, now)
	}
}

// manyAlone is how many events in a row are rejected before the receiver is taken to
// reject them all.
const manyAlone = 3

// judge backs the sink off when it seems that not the events are to blame.
func (s *Sink) judge(all bool, res Result, now time.Time) {
	if !all {
		return
	}
	if s.alone++; s.alone >= manyAlone {
		s.fail(res, now)
	}
}

// arrived notes that the receiver has an event.
func (s *Sink) arrived(it *item) {
	s.delivered++
	if it.event.Op == OpResync {
		if s.lost != nil && it.event.Time.Equal(s.lost.Started) { // else there was another since
			s.lost, s.update.lost = nil, true
		}
		return
	}
	if w := s.retries[it.entry.Path]; w != nil && w.rec.Seq == it.entry.Seq {
		s.forget(it.entry.Path)
	}
	if s.byPath[it.entry.Path] == it {
		s.drop(it)
	}
}

// worked notes that the receiver takes events.
func (s *Sink) worked(now time.Time) {
	s.alone = 0
	if s.breaker.attempts > 0 {
		s.log.Info("sink recovered", "error_id", s.breaker.out.ID, "attempts", s.breaker.attempts,
			"duration_seconds", now.Sub(s.breaker.since).Seconds())
	}
	s.breaker = breaker{}
	s.state.LastSuccess, s.update.state = now, true
}

// fail backs the sink off.
func (s *Sink) fail(res Result, now time.Time) {
	b := &s.breaker
	if b.attempts == 0 {
		b.since = now
	}
	b.attempts++
	b.out = res.Outcome
	wait := s.o.Retry.Delay(b.attempts)
	if res.Class == replicate.ClassConfig {
		wait = s.o.Retry.Max
	}
	b.until = now.Add(max(wait, min(res.After, maxAfter)))
	if n := b.attempts; n&(n-1) == 0 { // once, then at growing intervals
		s.log.Warn("sink failed", "error_id", res.ID, "message", res.Message, "hint", res.Hint, "attempts", n, "next_retry", b.until)
	}
}

// maxAfter bounds what a receiver may ask for.
const maxAfter = time.Hour
