package replicate

import (
	"slices"
	"time"
)

// seen tells which entries this process has read: a seq that was missing when it was
// its turn had been superseded by an entry that has not been read yet.
type seen struct {
	start uint64   // nothing at or below it was read by this process
	from  uint64   // all that there was up to it has been read, and what has replaced it then
	seqs  []uint64 // of what has been read since, as far as somebody may ask

	// When there was nothing journaled behind head, the remote had had all up to low
	// for good: no entry behind head asks for that.
	head, low uint64

	// skipped are paths that were acknowledged though nothing was sent, with since
	// when they waited: they were gone, and the entry that says so, or one that has
	// replaced it, had not been read.
	skipped map[string]time.Time
}

func (s *seen) skip(path string, since time.Time) {
	if since.IsZero() {
		return
	}
	if s.skipped == nil {
		s.skipped = map[string]time.Time{}
	}
	s.skipped[path] = older(s.skipped[path], since)
}

// caughtUp tells that there is nothing to read.
func (s *seen) caughtUp(read uint64) { *s = seen{start: s.start, from: read} }

// forget drops what no entry behind read asks for: a remote may be behind for ever.
func (s *seen) forget(read, head, low uint64) {
	if read < s.head {
		return
	}
	if i, _ := slices.BinarySearch(s.seqs, s.low+1); i > len(s.seqs)/2 {
		s.seqs = slices.Clone(s.seqs[i:])
	}
	s.head, s.low = head, low
}

// had tells whether an entry was there when it was its turn.
func (s *seen) had(seq uint64) bool {
	if seq <= s.start {
		return false
	}
	_, found := slices.BinarySearch(s.seqs, seq)
	return seq <= s.from || found
}
