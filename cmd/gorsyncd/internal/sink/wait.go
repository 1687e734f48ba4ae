package sink

import (
	"context"
	"strings"

	"gorsyncd/replicate"
)

// WaitFor returns nil as soon as everything journaled up to seq has been told, or just
// the given paths with all below them, and that is stored. When ctx ends first it
// returns a *replicate.BlockedError.
func (s *Sink) WaitFor(ctx context.Context, seq uint64, paths []string) error {
	for {
		left, changed, err := s.left(seq, paths)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			st := s.Status()
			return &replicate.BlockedError{Remote: s.o.FullName(), State: st.State, Pending: left, Failing: st.Failing, Last: st.Error,
				Reason: reasonOf(&st), Cause: ctx.Err()}
		}
	}
}

func reasonOf(st *Status) string {
	switch {
	case st.Paused != nil:
		return "paused"
	case st.WaitsFor != "":
		return "waits for " + st.Source + "/" + st.WaitsFor
	}
	return ""
}

// left counts what is to be told yet. The channel is closed when it may be less.
func (s *Sink) left(seq uint64, paths []string) (uint64, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, nil, ErrStopped
	}
	var n uint64
	if s.read < seq {
		n = seq - s.read
	}
	for path, it := range s.byPath {
		if it.entry.Seq <= seq && within(path, paths) {
			n++
		}
	}
	for path, w := range s.retries {
		if w.rec.Seq <= seq && within(path, paths) {
			n++
		}
	}
	if s.lost != nil {
		n++
	}
	return n, s.progressed, nil
}

// within tells whether a path is one of some, or below one; none are all.
func within(path string, of []string) bool {
	for _, p := range of {
		if p == "" || path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return len(of) == 0
}
