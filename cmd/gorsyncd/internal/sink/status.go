package sink

import (
	"time"

	"gorsyncd/replicate"
)

// Status is a sink as seen at one moment. Its JSON form is part of the program's
// interface; what it shares with that of a remote is called the same.
type Status struct {
	Name   string          `json:"name"` // source/sink
	Source string          `json:"source"`
	Sink   string          `json:"sink"`
	Kind   string          `json:"kind"`   // command, http, tcp, unix, cdn
	Target string          `json:"target"` // the receiver, without secrets
	State  replicate.State `json:"state"`

	CursorSeq  uint64  `json:"cursor_seq"`
	HeadSeq    uint64  `json:"head_seq"`
	LagEntries uint64  `json:"lag_entries"` // events that wait; those not read yet count as entries
	LagSeconds float64 `json:"lag_seconds"` // age of the oldest, or of what a resync is due for
	InFlight   int     `json:"in_flight"`   // events of the delivery under way
	WaitsFor   string  `json:"waits_for"`   // the remote that has not come so far; "" for none

	LastSuccess *time.Time             `json:"last_success"`
	Failing     int                    `json:"failing"` // events that were rejected and are tried again
	Paused      *replicate.PauseStatus `json:"paused"`
	Resync      *ResyncStatus          `json:"resync"` // due
	Error       *replicate.StatusError `json:"error"`

	Delivered  uint64 `json:"delivered"`  // events since start
	Deliveries uint64 `json:"deliveries"` // attempts
	Rejected   uint64 `json:"rejected"`   // events, each time
}

// ResyncStatus says why the sink has to be told that it missed something.
type ResyncStatus struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// failingAfter is how many failures in a row want a person, as with remotes.
const failingAfter = 5

// Status returns the present state.
func (s *Sink) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Name: s.o.FullName(), Source: s.o.Source, Sink: s.o.Name, Kind: s.o.Kind, Target: s.o.Delivery.String(),
		CursorSeq: s.cursor().Low, HeadSeq: s.o.Feed.Head(), InFlight: s.inFlight, WaitsFor: s.waitsFor,
		Delivered: s.delivered, Deliveries: s.attempts, Rejected: s.rejected,
	}
	s.lag(&st)
	if t := s.state.LastSuccess; !t.IsZero() {
		t = t.UTC()
		st.LastSuccess = &t
	}
	if s.state.Paused {
		st.Paused = &replicate.PauseStatus{Reason: s.state.PauseReason}
		if t := s.state.PausedUntil; !t.IsZero() {
			st.Paused.Until = &t
		}
	}
	if s.lost != nil {
		st.Resync = &ResyncStatus{Reason: s.lost.Reason, Since: s.lost.Started.UTC()}
	}
	s.trouble(&st)
	st.State = s.stateOf(&st)
	return st
}

// lag counts what waits. The caller holds mu.
func (s *Sink) lag(st *Status) {
	var l replicate.Lag
	add := func(n uint64, since time.Time) {
		l.Entries += n
		if l.Since.IsZero() || !since.IsZero() && since.Before(l.Since) {
			l.Since = since
		}
	}
	for _, it := range s.byPath {
		add(1, it.since)
	}
	for _, w := range s.retries {
		add(1, w.since())
	}
	if unread := st.HeadSeq - min(s.read, st.HeadSeq); unread > 0 {
		add(unread, replicate.UnreadSince(s.o.Feed, s.read, JournalName(s.o.Name)))
	}
	if s.lost != nil {
		add(0, s.lost.Behind)
	}
	st.LagEntries, st.LagSeconds = l.Entries, l.Seconds(s.o.Clock.Now())
}

// trouble is what stands in the way.
func (s *Sink) trouble(st *Status) {
	n, worst := s.failingNow()
	st.Failing = n
	switch b := &s.breaker; {
	case b.attempts > 0:
		until := b.until.UTC()
		st.Error = &replicate.StatusError{ID: b.out.ID, Class: b.out.Class, Message: b.out.Message, Hint: b.out.Hint,
			Attempts: b.attempts, NextRetry: &until}
	case s.retryBreaker.attempts > 0:
		b := &s.retryBreaker
		until := b.until.UTC()
		st.Error = &replicate.StatusError{ID: b.out.ID, Class: b.out.Class, Message: b.out.Message, Hint: b.out.Hint, Attempts: b.attempts, NextRetry: &until}
		if worst != nil {
			st.Error.Path = worst.Path
		}
	case s.lost != nil && s.lostTries > 0:
		next := s.lostNext.UTC()
		st.Error = &replicate.StatusError{ID: s.lostOut.ID, Class: replicate.ClassEntry, Message: s.lostOut.Message, Hint: s.lostOut.Hint,
			Attempts: s.lostTries, NextRetry: &next}
	case worst != nil:
		next := worst.Next.UTC()
		st.Error = &replicate.StatusError{ID: worst.ErrorID, Class: replicate.ClassEntry, Message: worst.Error, Path: worst.Path,
			Attempts: worst.Attempts, NextRetry: &next}
	}
}

func (s *Sink) stateOf(st *Status) replicate.State {
	e := st.Error
	switch {
	case st.Paused != nil:
		return replicate.StatePaused
	case e != nil && (e.Class == replicate.ClassConfig || e.Class == replicate.ClassEntry && e.Attempts >= failingAfter):
		return replicate.StateFailing
	case e != nil:
		return replicate.StateRetrying
	case st.LagEntries > 0 || st.Resync != nil || st.InFlight > 0:
		return replicate.StateSyncing
	}
	return replicate.StateInSync
}
