package service

import "sync/atomic"

// Sign is the sign of life of one loop. Calls cost a few nanoseconds, and any
// goroutine that works for the loop may make them. It implements watch.Life and
// replicate.Life.
type Sign struct {
	name   string        // of the loop, as in "remote www/nas"
	needs  string        // what its calls wait for, as in "source www"
	rounds atomic.Uint64 // and waits that have ended
	inside atomic.Int32  // calls under way that may take any time
	done   atomic.Bool
	nudge  atomic.Pointer[func()]
}

// Round says that the loop goes round. Before the first one nothing is expected.
func (s *Sign) Round() { s.rounds.Add(1) }

// Enter says that a call begins that may take any time: of the source, or of the
// journal.
func (s *Sign) Enter() { s.inside.Add(1) }

// Leave says that the call has ended.
func (s *Sign) Leave() {
	s.inside.Add(-1)
	s.rounds.Add(1)
}

// Done says that the loop has ended: nothing is expected any more.
func (s *Sign) Done() { s.done.Store(true) }

// Rounds grows with each sign of life.
func (s *Sign) Rounds() uint64 { return s.rounds.Load() }

// Waits tells whether the loop is in a call that may take any time.
func (s *Sign) Waits() bool { return s.inside.Load() > 0 }

// OnLook sets what makes a loop that rests go round.
func (s *Sign) OnLook(nudge func()) { s.nudge.Store(&nudge) }
