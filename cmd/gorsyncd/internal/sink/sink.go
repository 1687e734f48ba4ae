package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// ErrStopped is returned by calls after Run has ended.
var ErrStopped = errors.New("sink has stopped")

// Sink delivers the events of one source to one receiver. All methods may be called
// concurrently.
type Sink struct {
	o   Options
	log *slog.Logger

	poke       chan struct{} // looks again; of capacity 1
	committing chan struct{} // full while a commit is under way; of capacity 1
	drain      chan struct{} // closed to end after the delivery under way
	drained    sync.Once

	mu       sync.Mutex // guards the following; not held during a delivery
	start    journal.Cursor
	read     uint64           // newest seq that was read
	pending  []*item          // in the order of their seqs
	byPath   map[string]*item // of pending, without those that are gone
	retries  map[string]*waiting
	lost     *journal.FullSync // what was missed is not known: a resync is due
	state    journal.RemoteState
	update   update // what the next commit writes
	moved    bool   // the cursor is another one than was committed
	commitAt time.Time

	limit    int               // events at once, at present
	alone    int               // single new events rejected in a row
	newFirst bool              // of new events and those of the retry set
	scanAt   time.Time         // when to look through the retry set
	told     map[uint64]string // by seq: the last path below that was told, of what is told in pieces
	breaker  breaker

	retryLimit   int     // as limit and breaker, of the retry set: what fails there
	retryBreaker breaker // does not hold up new events
	suspect      *item   // failed alone, see suspectOne
	suspicion    replicate.Outcome
	lostNext     time.Time // the resync is not told before
	lostTries    int
	lostOut      replicate.Outcome
	inFlight     int
	waitsFor     string // the remote that holds events up, "" for none
	delivered    uint64
	attempts     uint64
	rejected     uint64
	ended        bool

	progressed chan struct{} // closed and made anew when less may be left
}

// New prepares a sink; Run makes it work.
func New(o Options) (*Sink, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = nowClock{o.Now}
	}
	s := &Sink{
		o: o, log: o.Logger, poke: make(chan struct{}, 1), drain: make(chan struct{}), progressed: make(chan struct{}),
		committing: make(chan struct{}, 1), told: map[uint64]string{}, byPath: map[string]*item{}, retries: map[string]*waiting{}, limit: o.Batch, retryLimit: o.Batch,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("source", o.Source, "sink", o.Name)
	s.start, s.commitAt = o.Store.Cursor(), o.Now()
	s.read, s.lost, s.state = s.start.Low, o.Store.FullSync(), o.Store.State()
	return s, s.loadRetries(o.Now())
}

// Run delivers until ctx ends, Drain is called, or the journal fails.
func (s *Sink) Run(ctx context.Context) error {
	defer s.stop()
	var watchers sync.WaitGroup
	defer watchers.Wait()
	watching, end := context.WithCancel(ctx)
	defer end()
	for _, r := range s.o.Gates {
		watchers.Go(func() { s.watch(watching, r.Changed) })
	}
	if !s.o.scanned() {
		watchers.Go(func() {
			select {
			case <-s.o.Ready:
				s.look()
			case <-watching.Done():
			}
		})
	}
	for {
		grown := s.o.Feed.Changed()
		next, err := s.Step(ctx, s.o.Now())
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("sink %s: %w", s.o.FullName(), err)
		}
		if !s.rest(ctx, next, grown) {
			return s.last(ctx)
		}
	}
}

// gatePause keeps a remote that acknowledges batch after batch from waking a sink
// for each.
const gatePause = 20 * time.Millisecond

// watch pokes the sink when what changed says that it may go on.
func (s *Sink) watch(ctx context.Context, changed func() <-chan struct{}) {
	next := changed()
	s.look() // what changed before that
	for {
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
		next = changed() // what changes from here on is looked at again
		s.look()
		select {
		case <-ctx.Done():
			return
		case <-time.After(gatePause):
		}
	}
}

func (s *Sink) look() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// rest waits for something to do; false when the sink is to end.
func (s *Sink) rest(ctx context.Context, next time.Time, grown <-chan struct{}) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(next.Sub(s.o.Now()))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-s.drain:
		return false
	case <-s.poke:
	case <-grown:
	case <-due:
	}
	return ctx.Err() == nil && !s.draining()
}

func (s *Sink) draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
}

// Drain ends Run after the delivery under way.
func (s *Sink) Drain() { s.drained.Do(func() { close(s.drain) }) }

// last commits what is done and not yet committed.
func (s *Sink) last(ctx context.Context) error {
	fin, cancel := finishing(ctx)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.commit(fin)
	switch {
	case err != nil && ctx.Err() != nil:
		s.log.Warn("what was told last could not be noted, and is told again", "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("sink %s: %w", s.o.FullName(), err)
	}
	return nil
}

func (s *Sink) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	close(s.progressed)
}

// Pause stops deliveries until Resume, or until a time; the zero time is for ever.
func (s *Sink) Pause(ctx context.Context, reason string, until time.Time) error {
	return s.decide(ctx, func(st *journal.RemoteState) { st.Paused, st.PauseReason, st.PausedUntil = true, reason, until })
}

// Resume ends a pause.
func (s *Sink) Resume(ctx context.Context) error {
	return s.decide(ctx, func(st *journal.RemoteState) { st.Paused, st.PauseReason, st.PausedUntil = false, "", time.Time{} })
}

func (s *Sink) decide(ctx context.Context, change func(*journal.RemoteState)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.look()
	if s.ended {
		return ErrStopped
	}
	change(&s.state)
	s.update.state = true
	return s.commit(ctx)
}

// RetryNow skips the back-off: of some paths, or of everything.
func (s *Sink) RetryNow(paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.look()
	s.scanAt = time.Time{}
	if len(paths) == 0 {
		s.breaker.until, s.retryBreaker.until, s.lostNext = time.Time{}, time.Time{}, time.Time{}
		for _, w := range s.retries {
			w.next = time.Time{}
		}
	}
	for _, p := range paths {
		if w := s.retries[p]; w != nil {
			w.next = time.Time{}
		}
	}
}

// GiveUp forgets what is on its way, so that the journal need not keep it, and has
// the receiver told so.
func (s *Sink) GiveUp(ctx context.Context, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.look()
	if s.ended {
		return ErrStopped
	}
	lost := s.resyncOf(reason) // before it is forgotten since when that waits
	for path := range s.retries {
		s.forget(path)
	}
	clear(s.told)
	for _, it := range s.pending {
		s.drop(it)
	}
	s.sweepGone()
	s.read, s.moved = max(s.read, lost.Total), true
	s.lost = lost
	s.lostTries, s.lostNext = 0, time.Time{}
	s.update.lost = true
	return s.commit(ctx)
}

// breaker is the back-off of the whole sink.
type breaker struct {
	out      replicate.Outcome // the last failure
	attempts int
	since    time.Time
	until    time.Time
}

func (b *breaker) fail(res Result, r replicate.RetryOptions, now time.Time) {
	if b.attempts == 0 {
		b.since = now
	}
	b.attempts++
	b.out = res.Outcome
	wait := r.Delay(b.attempts)
	if res.Class == replicate.ClassConfig {
		wait = r.Max
	}
	b.until = now.Add(max(wait, min(res.After, maxAfter)))
}

func (b *breaker) open(now time.Time) bool { return b.attempts > 0 && now.Before(b.until) }
