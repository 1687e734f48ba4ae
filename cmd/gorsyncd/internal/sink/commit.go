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

// lazily is how long a cursor may wait to be written that has only passed what
// nobody wanted.
const lazily = 2 * time.Second

// commit writes what has changed. The caller holds mu.
func (s *Sink) commit(ctx context.Context, now time.Time) error {
	if !s.moved && !s.update.urgent() {
		return nil
	}
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
	if err := s.o.Store.Commit(ctx, u); err != nil {
		return err
	}
	s.update, s.moved, s.commitAt = update{}, false, now
	close(s.progressed)
	s.progressed = make(chan struct{})
	return nil
}

// commitLazily commits what is not urgent now and then, and says when to come back
// for that.
func (s *Sink) commitLazily(ctx context.Context, now time.Time) (next time.Time, err error) {
	if s.update.urgent() || s.moved && now.Sub(s.commitAt) >= lazily {
		return time.Time{}, s.commit(ctx, now)
	}
	if s.moved {
		return s.commitAt.Add(lazily), nil
	}
	return time.Time{}, nil
}
