package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Source is the part of a journal that belongs to one watched tree. All
// methods may be called concurrently, but see the duties in the package
// documentation.
type Source struct {
	j    *Journal
	name string

	walk atomic.Pointer[Walk] // told of what Record changes; may be nil

	replaced atomic.Uint64 // see NewestReplaced

	recording sync.Mutex // held for a whole Record, so that its cache of ancestors holds
	// writing is held from reading the header until its change is committed
	// and taken over: one change of the header at a time.
	writing sync.Mutex

	// What every remote had passed at a time; guarded by writing.
	passed   uint64
	passedAt time.Time
	dropped  bool // guarded by writing, too

	mu      sync.Mutex // guards the following
	h       header     // as committed
	changed chan struct{}
	remotes map[string]*Remote
}

func newSource(j *Journal, name string, h header) *Source {
	s := &Source{j: j, name: name, h: h, changed: make(chan struct{}), remotes: map[string]*Remote{}}
	s.replaced.Store(h.Head)
	return s
}

// Name returns the name.
func (s *Source) Name() string { return s.name }

// Head is the newest seq given out and committed.
func (s *Source) Head() uint64 { return s.header().Head }

// Changed returns a channel that is closed when the next entry is committed.
// Fetch it before reading entries, so that none is missed.
func (s *Source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Source) header() header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.h
}

// setHeader takes a committed header over and wakes those who wait for
// entries.
func (s *Source) setHeader(h header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := h.Head > s.h.Head
	s.h = h
	if grown {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// commit writes ops together with the header, if that changed, and takes it
// over. The caller holds writing.
func (s *Source) commit(ctx context.Context, h header, ops []op) error {
	if s.dropped {
		return fmt.Errorf("source %s: %w", s.name, errDroppedSource)
	}
	for i := range ops {
		h.Digest += ops[i].delta()
	}
	if h != s.header() {
		key := sourceKey(s.name)
		ops = append(ops, op{key: key, val: h.encode(key)})
	}
	if len(ops) == 0 {
		return nil
	}
	if err := s.j.submit(ctx, ops); err != nil {
		return err
	}
	s.setHeader(h)
	return nil
}

// edit changes the header alone.
func (s *Source) edit(ctx context.Context, change func(*header)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.j.enter(); err != nil {
		return err
	}
	defer s.j.leave()
	h := s.header()
	change(&h)
	return s.commit(ctx, h, nil)
}

// Root returns the identity of the root that the index describes, false when
// none was set.
func (s *Source) Root() (RootID, bool) {
	h := s.header()
	return h.Root, h.HasRoot
}

// Recorded is when Record last changed anything, zero when that is not known.
func (s *Source) Recorded() time.Time {
	if ns := s.header().Recorded; ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// SetRoot stores the identity of the root.
func (s *Source) SetRoot(ctx context.Context, id RootID) error {
	if err := s.edit(ctx, func(h *header) { h.Root, h.HasRoot = id, true }); err != nil {
		return fmt.Errorf("set root of source %s: %w", s.name, err)
	}
	return nil
}

// Baseline tells whether no scan of the source was ever complete, so that
// every remote still has its first full sync before it.
func (s *Source) Baseline() bool { return s.header().Baseline }

// EndBaseline notes that a scan was complete.
func (s *Source) EndBaseline(ctx context.Context) error {
	if err := s.edit(ctx, func(h *header) { h.Baseline = false }); err != nil {
		return fmt.Errorf("end baseline of source %s: %w", s.name, err)
	}
	return nil
}

// Remotes returns the names of the remotes, sorted.
func (s *Source) Remotes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.remotes))
}

// handles returns the remotes sorted by name.
func (s *Source) handles() []*Remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Remote, 0, len(s.remotes))
	for _, name := range slices.Sorted(maps.Keys(s.remotes)) {
		list = append(list, s.remotes[name])
	}
	return list
}

// acked returns the newest seq that every remote has passed.
func (s *Source) acked() uint64 {
	low := s.Head()
	for _, r := range s.handles() {
		low = min(low, r.Cursor().Low)
	}
	return low
}
