package sink

import (
	"context"
	"time"

	"gorsyncd/journal"
)

// update is what the next commit writes besides the cursor.
type update struct {
	puts        map[string]journal.Retry
	dels        map[string]bool
	state, lost bool
}

func (u *update) put(r journal.Retry) {
	if u.puts == nil {
		u.puts = map[string]journal.Retry{}
	}
	u.puts[r.Path] = r
	delete(u.dels, r.Path)
}

func (u *update) del(path string) {
	if u.dels == nil {
		u.dels = map[string]bool{}
	}
	u.dels[path] = true
	delete(u.puts, path)
}

func (u *update) urgent() bool { return len(u.puts) > 0 || len(u.dels) > 0 || u.state || u.lost }

// again puts back what could not be written, beneath what has come since.
func (u *update) again(old update) {
	for p, r := range old.puts {
		if _, newer := u.puts[p]; !newer && !u.dels[p] {
			u.put(r)
		}
	}
	for p := range old.dels {
		if _, newer := u.puts[p]; !newer {
			u.del(p)
		}
	}
	u.state, u.lost = u.state || old.state, u.lost || old.lost
}

// lazily is how long a cursor may wait to be written that has only passed what
// nobody wanted.
const lazily = 2 * time.Second

// commit writes what has changed. The caller holds mu, which is free while the journal
// writes: on a full disk that takes as long as the disk is full.
func (s *Sink) commit(ctx context.Context) error {
	if !s.moved && !s.update.urgent() {
		return nil
	}
	s.mu.Unlock()
	err := s.takeTurn(ctx)
	s.mu.Lock()
	if err != nil {
		return err
	}
	defer func() { <-s.committing }()
	u, old := s.pendingUpdate(), s.update
	s.update, s.moved = update{}, false
	s.mu.Unlock()
	err = s.o.Store.Commit(ctx, u)
	s.mu.Lock()
	if err != nil {
		s.update.again(old)
		s.moved = true
		return err
	}
	s.commitAt = s.o.Now()
	close(s.progressed)
	s.progressed = make(chan struct{})
	return nil
}

// takeTurn waits until no other commit is under way: they must be written in the order
// in which they were made.
func (s *Sink) takeTurn(ctx context.Context) error {
	select {
	case s.committing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pendingUpdate is what is to be written. The caller holds mu.
func (s *Sink) pendingUpdate() journal.Update {
	s.sweepGone()
	c := s.cursor()
	u := journal.Update{Cursor: &c}
	for _, r := range s.update.puts {
		u.PutRetry = append(u.PutRetry, r)
	}
	for p := range s.update.dels {
		u.DelRetry = append(u.DelRetry, p)
	}
	if s.update.state {
		st := s.state
		u.State = &st
	}
	if s.update.lost {
		u.FullSync, u.EndFullSync = s.lost, s.lost == nil
	}
	return u
}

// commitLazily commits what is not urgent now and then, and says when to come back
// for that.
func (s *Sink) commitLazily(ctx context.Context, now time.Time) (next time.Time, err error) {
	if s.update.urgent() || s.moved && now.Sub(s.commitAt) >= lazily {
		return time.Time{}, s.commit(ctx)
	}
	if s.moved {
		return s.commitAt.Add(lazily), nil
	}
	return time.Time{}, nil
}

// finishTime is how long what was delivered may still be written after the end. What
// cannot be is delivered again at the next start.
const finishTime = 5 * time.Second

// finishing is a context that outlives ctx by finishTime.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cancel) })
	return out, func() {
		stop()
		cancel()
	}
}
