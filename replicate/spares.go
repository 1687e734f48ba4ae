package replicate

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errNoSpare says that no run could start now.
var errNoSpare = errors.New("no rsync can be kept waiting")

const (
	// spareLife is how long a spare waits at most: less than what daemons, ssh
	// servers and NAT tables allow a silent connection. It is less with a short
	// timeout of rsync, and where connections were found to live less.
	spareLife    = 30 * time.Second
	minSpareLife = time.Second
	// spareActive is how long after the last change of a remote its spares are
	// replaced when they are old.
	spareActive = time.Minute
	// spareOff is how long none are kept after a remote had no room for them, or
	// has ended spareTries in a row.
	spareOff   = 10 * time.Minute
	spareTries = 4
	// spareGrace is how long a spare may take to end by itself.
	spareGrace = 500 * time.Millisecond
)

// spares are the warm workers of one remote: after the second small change within
// a minute the next rsync is started before there is work for it, so that a change
// waits neither for the start of a process nor for a connection. A run takes one
// that was started with the very command line it would use itself.
//
// A spare that turns out to be of no use costs a run of the usual kind and
// nothing else: see rsyncTransport.invoke. It occupies a connection of the
// remote, and keeps the file systems of the source, and of a local target, from
// being unmounted while it waits. Safe for concurrent use.
type spares struct {
	t *rsyncTransport

	mu     sync.Mutex // guards the following
	idle   []*spare   // oldest first, at most RsyncOptions.Warm
	life   time.Duration
	lost   int       // that the remote has ended, in a row
	used   time.Time // when one was asked for last
	missed *missed   // what had no slot; begun when one of ours is given back
	off    time.Time // none are kept before
	closed bool

	running sync.WaitGroup
}

// missed is a spare that is wanted.
type missed struct {
	kind spareKind
	like *Batch
}

func newSpares(t *rsyncTransport) *spares {
	return &spares{t: t, life: longestLife(t.o.Rsync.Timeout)}
}

// longestLife is what the timeout of rsync allows: our side says nothing for half
// of it.
func longestLife(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return spareLife
	}
	return min(spareLife, timeout/2)
}

// keep sees to it that there is a spare for batches like one that has arrived.
func (s *spares) keep(b *Batch) {
	kind, ok := b.spareKind()
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.used
	if s.used = time.Now(); s.used.Sub(before) > spareActive {
		return // a single change need not be followed by another
	}
	s.begin(kind, &Batch{Lane: b.Lane, Removes: b.Removes, existing: b.existing, bare: b.bare, place: b.place}, s.used)
}

// begin starts a spare unless there is one of the kind. It needs mu.
func (s *spares) begin(kind spareKind, like *Batch, now time.Time) {
	if s.closed || s.t.o.Rsync.Warm <= 0 || now.Before(s.off) {
		return
	}
	for _, sp := range s.idle {
		if sp.kind == kind {
			return
		}
	}
	if !s.t.o.Slots.take() {
		s.missed = &missed{kind, like}
		return
	}
	s.missed = nil
	sp, stdin, err := newSpare(kind, like)
	if err != nil {
		s.t.o.Slots.give()
		return // of descriptors; a run will say so
	}
	s.idle = append(s.idle, sp)
	for len(s.idle) > s.t.o.Rsync.Warm {
		s.idle[0].end()
		s.idle = s.idle[1:]
	}
	s.running.Go(func() { s.serve(sp, stdin) })
}

// serve runs a spare to its end.
func (s *spares) serve(sp *spare, stdin *os.File) {
	defer sp.cancel()
	err := s.start(sp, stdin)
	s.mu.Lock() // take may be looking
	if sp.eye != nil {
		sp.eye.close()
	}
	s.mu.Unlock()
	sp.end()
	s.t.o.Slots.give()
	s.ended(sp, err)
	s.makeUp()
}

// makeUp begins what had no slot because the spare before it, used or old, had not
// ended yet.
func (s *spares) makeUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, now := s.missed, time.Now()
	if s.missed = nil; m != nil && now.Sub(s.used) < spareActive {
		s.begin(m.kind, m.like, now)
	}
}

// start prepares the process as Run does, and returns when it has ended. An
// error says that there was none.
func (s *spares) start(sp *spare, stdin *os.File) error {
	defer close(sp.done)
	p := process{umask: s.t.o.Rsync.Umask, stall: stallTimeouts * s.t.o.Rsync.Timeout, env: rsyncEnv(), feed: stdin, begun: sp.begun, stdout: &sp.out, watch: &sp.watch}
	defer stdin.Close()
	eye, err := openMountEye() // before anything is looked at
	if err != nil {
		return err
	}
	sp.eye = eye
	place, done, out := s.t.enter(sp.ctx, sp.like, &p)
	if out.Class != "" {
		return errNoSpare
	}
	defer done()
	var st unix.Stat_t
	if err := unix.Fstat(int(p.root.Fd()), &st); err != nil {
		return err
	}
	in := invocation{batch: sp.like}
	limited := s.t.o.Rsync.BWLimit.Change(time.Now()) // before its arguments are made
	walled, args := s.t.wall.way(s.t.o, sp.like, p.root)
	p.walled, p.argv = walled, in.argv(s.t.o, Send, args)
	s.mu.Lock()
	sp.key, sp.place, sp.root = spareKey(&p), place, st
	life := s.life
	s.mu.Unlock()
	old := time.AfterFunc(life, func() { s.retire(sp, true) })
	defer old.Stop()
	if left := time.Until(limited); !limited.IsZero() && left < life {
		renew := time.AfterFunc(left, func() { s.retire(sp, false) })
		defer renew.Stop()
	}
	sp.exit = p.run(sp.ctx)
	return sp.exit.err
}

// remove takes a spare out of the pool and tells whether it was there. It needs
// mu.
func (s *spares) remove(sp *spare) bool {
	for i := range s.idle {
		if s.idle[i] == sp {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			return true
		}
	}
	return false
}

// retire ends a spare that has become old, or has another bandwidth limit than a
// run would have now. While the remote is active another takes its place.
func (s *spares) retire(sp *spare, old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.remove(sp) {
		return // in use
	}
	sp.end()
	if old {
		s.lost, s.life = 0, min(2*s.life, longestLife(s.t.o.Rsync.Timeout))
	}
	if now := time.Now(); now.Sub(s.used) < spareActive {
		s.begin(sp.kind, sp.like, now)
	}
}

// ended draws conclusions from a spare that ended before anybody ended it.
func (s *spares) ended(sp *spare, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.remove(sp) || s.closed {
		return
	}
	if err == nil {
		s.learn(time.Since(sp.born), strings.Contains(sp.exit.stderr, "max connections"))
	}
}

// learn notes how long a connection lived that the remote ended, and that it has
// no room for more. It needs mu.
func (s *spares) learn(age time.Duration, full bool) {
	s.lost++
	s.life = max(min(s.life, age/2), minSpareLife)
	if full || s.lost >= spareTries {
		s.off, s.lost = time.Now().Add(spareOff), 0
		s.t.o.Logger.Debug("no rsync is kept waiting for a while", "source", s.t.o.Source, "remote", s.t.o.Name, "full", full)
	}
}

// take returns a spare for a run, nil when there is none.
func (s *spares) take(p *process, place string) *spare {
	if len(p.stdin) > maxSpareList {
		return nil
	}
	key := spareKey(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.idle {
		if sp.key != key {
			continue
		}
		s.remove(sp)
		if sp.fits(p.root, place) {
			return sp
		}
		sp.end()
		return nil
	}
	return nil
}

// proved notes whether a spare was of use.
func (s *spares) proved(sp *spare, use bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if use {
		s.lost = 0
	} else {
		s.learn(time.Since(sp.born), false)
	}
}

// makeRoom ends all that wait, and returns true when there were any: a remote
// that takes no more connections takes one then. None are kept for a while.
func (s *spares) makeRoom(ctx context.Context) bool {
	s.mu.Lock()
	list := s.idle
	s.idle, s.missed = nil, nil
	if len(list) > 0 {
		s.learn(spareLife, true)
	}
	s.mu.Unlock()
	for _, sp := range list {
		sp.end()
		select {
		case <-sp.done:
		case <-ctx.Done():
		}
	}
	return len(list) > 0
}

// rest ends all that wait. It does not wait for them.
func (s *spares) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.idle {
		sp.end()
	}
	s.idle, s.missed = nil, nil
}

// close is rest for good, and returns when all have ended.
func (s *spares) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.rest()
	s.running.Wait()
}
