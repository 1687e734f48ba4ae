package sink

import (
	"context"
	"time"

	"gorsyncd/journal"
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
	switch {
	case err != nil:
		return next, err
	case len(batch) > 0:
		return now, s.deliver(ctx, batch)
	case s.update.urgent():
		return now, nil // to be written
	}
	return earlierOf(next, again), nil
}

// earlierOf is the earlier of two times of which the zero one is never.
func earlierOf(a, b time.Time) time.Time {
	if b.IsZero() {
		return a
	}
	return earlier(a, b)
}

// pick chooses the next batch, and says when to look again when there is none. New
// events and those of the retry set take turns: neither is to wait for ever because of
// the other.
func (s *Sink) pick(now time.Time) (batch []*item, again time.Time, err error) {
	g := s.o.look()
	s.waitsFor = ""
	if batch, again = s.dueResync(g, now); len(batch) > 0 {
		return batch, again, nil
	}
	s.newFirst = !s.newFirst
	for _, fresh := range []bool{s.newFirst, !s.newFirst} {
		var at time.Time
		if fresh {
			batch, at, err = s.duePending(g, now)
		} else {
			batch, err = s.dueRetries(g, s.retryLimit, now)
		}
		if err != nil || len(batch) > 0 {
			return batch, again, err
		}
		again = earlierOf(again, at)
	}
	if len(s.retries) > 0 {
		again = earlierOf(again, s.scanAt)
	}
	return nil, again, nil
}

// dueResync returns the event that tells of what was missed. It waits until remotes
// have what was skipped, and until a source whose journal was lost has been scanned:
// what comes up before is in no entry.
func (s *Sink) dueResync(g gates, now time.Time) (batch []*item, again time.Time) {
	if s.lost == nil {
		return nil, again
	}
	if !s.o.tells(OpResync) {
		s.log.Warn("events were missed, and the sink is not told so: ops lacks resync", "reason", s.lost.Reason)
		s.lost, s.update.lost = nil, true
		return nil, again
	}
	if s.waitsFor = g.lacks(s.lost.Total); s.waitsFor != "" || !s.o.scanned() {
		return nil, again // either ends with a poke
	}
	if now.Before(s.lostNext) {
		return nil, s.lostNext
	}
	return []*item{{event: s.o.resync(s.read, s.lost.Started), at: now}}, again
}

// duePending returns new events that may go out.
func (s *Sink) duePending(g gates, now time.Time) (batch []*item, again time.Time, err error) {
	var first time.Time
	var last *item // the suspect, when nothing else may go out
	for _, it := range s.pending {
		if it.gone {
			continue
		}
		st, remote, err := g.standing(it.entry.Seq, it.entry.Path)
		if err == nil && st == ready {
			var over bool
			if over, err = s.o.overtaken(it.entry); over {
				s.drop(it)
				continue
			}
		}
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
		if it == s.suspect {
			last = it
			continue
		}
		if first.IsZero() {
			first = it.at
		}
		if batch = append(batch, it); len(batch) >= s.limit {
			return batch, again, nil
		}
	}
	if len(batch) == 0 && last != nil {
		return []*item{last}, again, nil
	}
	if due := first.Add(s.o.Gather); len(batch) > 0 && now.Before(due) {
		return nil, earlierOf(again, due), nil
	}
	return batch, again, nil
}

// deliver hands a batch over and files what came of it. The caller holds mu, which
// is free in between.
func (s *Sink) deliver(ctx context.Context, batch []*item) error {
	s.inFlight = len(batch)
	begun := s.o.Now()
	s.attempts++
	s.mu.Unlock()
	v := s.handOver(ctx, batch)
	s.mu.Lock()
	s.inFlight = 0
	now := s.o.Now()
	s.log.Debug("delivery", "events", len(batch), "error_id", v.ID, "message", v.Message, "duration_seconds", now.Sub(begun).Seconds())
	if ctx.Err() != nil && v.Class != replicate.ClassOK {
		s.cutOff(batch, v) // the rest is repeated at the next start
	} else {
		s.file(batch, v, now)
	}
	fin, cancel := finishing(ctx)
	defer cancel()
	return s.commit(fin)
}

// cutOff notes what had arrived before the end.
func (s *Sink) cutOff(batch []*item, v verdict) {
	if v.Left == nil {
		return
	}
	for i, it := range batch[:v.untold] {
		if !v.isBlamed(i) {
			s.arrived(it)
		}
	}
}

// file takes the result of a delivery into account.
func (s *Sink) file(batch []*item, v verdict, now time.Time) {
	blamed, arrived, fresh := make([]*item, 0, len(v.blamed)), false, false
	for i, it := range batch[:v.untold] {
		if v.isBlamed(i) {
			blamed = append(blamed, it)
			fresh = fresh || !it.retry
			continue
		}
		arrived = true
		s.arrived(it)
	}
	if arrived {
		s.worked(now)
		s.convict(now)
	}
	switch {
	case v.Class == replicate.ClassOK:
		limit := s.limitOf(batch)
		*limit = min(s.o.Batch, 2**limit)
	case v.Class != replicate.ClassEntry && batch[0].retry:
		s.failRetries(blamed, v.Result, now)
	case v.Class != replicate.ClassEntry:
		s.fail(v.Result, now)
		s.suspectOne(blamed, v.Outcome)
	case batch[0].event.Op == OpResync:
		s.lostTries++
		s.lostNext, s.lostOut = now.Add(s.o.Retry.Delay(s.lostTries)), v.Outcome
	case v.Left == nil && len(blamed) > 1:
		*s.limitOf(batch) = max(1, len(blamed)/2)
	default:
		for _, it := range blamed {
			s.sideline(it, v.Outcome, now)
		}
		if fresh && !arrived {
			s.judge(v.Result, now)
		}
	}
}

// manyAlone is how many new events in a row are rejected before the receiver is taken
// to reject them all. Those of the retry set have a back-off of their own.
const manyAlone = 3

// judge backs the sink off when it seems that not the events are to blame.
func (s *Sink) judge(res Result, now time.Time) {
	if s.alone++; s.alone >= manyAlone {
		s.fail(res, now)
	}
}

// arrived notes that the receiver has an event.
func (s *Sink) arrived(it *item) {
	s.delivered++
	delete(s.told, it.entry.Seq)
	if it.event.Op == OpResync {
		if s.lost != nil && it.event.Time.Equal(s.lost.Started) { // else there was another since
			s.lost, s.update.lost = nil, true
			s.lostTries, s.lostNext = 0, time.Time{}
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
	s.breaker, s.retryBreaker = breaker{}, breaker{}
	s.state.LastSuccess, s.update.state = now, true
}

// maxAfter bounds what a receiver may ask for.
const maxAfter = time.Hour

// fail backs the sink off.
func (s *Sink) fail(res Result, now time.Time) {
	b := &s.breaker
	b.fail(res, s.o.Retry, now)
	if n := b.attempts; n&(n-1) == 0 { // once, then at growing intervals
		s.log.Warn("sink failed", "error_id", res.ID, "message", res.Message, "hint", res.Hint, "attempts", n, "next_retry", b.until)
	}
}

// resyncOf is the record of what was missed up to the present head.
func (s *Sink) resyncOf(reason string) *journal.FullSync {
	st := Status{HeadSeq: s.o.Feed.Head()}
	s.lag(&st)
	now := s.o.Clock.Now()
	behind := now.Add(-time.Duration(st.LagSeconds * float64(time.Second)))
	return &journal.FullSync{Reason: reason, Started: s.o.Now(), Total: st.HeadSeq, Behind: behind}
}
