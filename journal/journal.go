package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Journal is an open journal. All methods may be called concurrently.
type Journal struct {
	dir       string
	log       *slog.Logger
	retain    atomic.Int64 // a time.Duration
	db        *database
	epoch     string // set once while opening
	readOnly  bool
	temporary string           // directory to remove on Close
	now       func() time.Time // by the wall clock, as the kernel dates files
	clock     *clock           // by which entries are dated
	grace     time.Duration    // sweepGrace, but for tests

	// gate is held for reading while a call uses the database; Close takes it
	// for writing. It is never taken twice by one call, and never held while
	// a caller's function runs.
	gate   sync.RWMutex
	closed bool // guarded by gate

	requests      chan *request
	committerDone chan struct{}
	commitTxn     func(*badger.Txn) error // replaced by tests
	commits       atomic.Uint64           // transactions begun
	turns         atomic.Uint64           // of the committer; odd while one is under way
	serial        atomic.Uint64           // of the newest commit
	failure       atomic.Pointer[error]

	// Only the committer uses these, once it runs.
	top     *rootKeeper
	pulse   *pulse
	reserve *reserve

	committed func(time.Duration) // nil: nobody is told

	rotated       chan struct{} // a log was begun; of capacity 1
	compactNow    chan chan error
	closing       chan struct{} // closed to end the compactor; nil without one
	compactorDone chan struct{}

	checkpointing sync.Mutex // held while the side file is written
	side          *sideFile  // what it holds; guarded by checkpointing

	mu       sync.Mutex
	sources  map[string]*Source // guarded by mu
	more     chan struct{}      // guarded by mu; closed when a source is created
	dropping map[string]bool    // sources whose header is about to go; guarded by mu
	ghosts   map[string]bool    // dropped sources, true while records of them are left; guarded by mu
	purging  sync.Mutex         // held while such records are deleted

	closeOnce sync.Once
	closeErr  error
}

// ID is random and stays the same for as long as there is this journal: with a
// source and a seq it names an entry for ever.
func (j *Journal) ID() string { return j.epoch }

// enter must succeed before the database is used; leave follows it.
func (j *Journal) enter() error {
	j.gate.RLock()
	err := j.Err()
	if j.closed {
		err = ErrClosed
	}
	if err != nil {
		j.gate.RUnlock()
	}
	return err
}

func (j *Journal) leave() { j.gate.RUnlock() }

// view runs fn with a read transaction, which must not outlast it.
func (j *Journal) view(fn func(*badger.Txn) error) error {
	if err := j.enter(); err != nil {
		return err
	}
	defer j.leave()
	return j.reading(fn)
}

// reading is view for callers that have entered. Badger panics when it meets
// some kinds of damage; that fails the journal instead of the process, whose
// other goroutines may be writing.
func (j *Journal) reading(fn func(*badger.Txn) error) (err error) {
	defer faultsPanic()()
	defer func() {
		if r := recover(); r != nil {
			j.log.Error("panic while reading the journal", "panic", r, "stack", string(debug.Stack()))
			err = j.damaged(fmt.Sprintf("reading it panics: %.200s", fmt.Sprint(r)))
		}
	}()
	txn := j.db.NewTransaction(false)
	defer txn.Discard()
	return fn(txn)
}

// Err returns the reason why the journal failed, nil while it works.
func (j *Journal) Err() error {
	if p := j.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// SetRetain changes Options.Retain from the next Maintain on.
func (j *Journal) SetRetain(d time.Duration) { j.retain.Store(int64(d)) }

// Dir is the directory that the journal was opened in; for OpenOffline
// possibly a temporary copy.
func (j *Journal) Dir() string { return j.dir }

// Source returns the source of that name, [a-z0-9._-]+, and creates it on
// first use.
func (j *Journal) Source(name string) (*Source, error) {
	if !validName(name) {
		return nil, fmt.Errorf("invalid source name %.100q", name)
	}
	for {
		s, ghost, err := j.source(name)
		if !ghost {
			return s, err
		}
		// What is left of the one that was dropped must not be taken for the new one's.
		if err := j.purge(context.Background(), []string{name}); err != nil {
			return nil, err
		}
	}
}

// source is Source, unless something is left of a dropped one of that name.
func (j *Journal) source(name string) (s *Source, ghost bool, err error) {
	if err := j.enter(); err != nil {
		return nil, false, err
	}
	defer j.leave()
	j.mu.Lock()
	defer j.mu.Unlock()
	switch s := j.sources[name]; {
	case s != nil && j.dropping[name]:
		return nil, false, fmt.Errorf("source %s: %w", name, errDroppedSource)
	case s != nil:
		return s, false, nil
	case j.readOnly:
		return nil, false, fmt.Errorf("source %s: %w", name, ErrNotFound)
	case j.ghosts[name]:
		return nil, true, nil
	}
	s = newSource(j, name, header{Baseline: true, Summed: true})
	key := sourceKey(name)
	if err := j.submit(context.Background(), []op{{key: key, val: s.h.encode(key)}}); err != nil {
		return nil, false, fmt.Errorf("create source %s: %w", name, err)
	}
	j.sources[name] = s
	close(j.more)
	j.more = make(chan struct{})
	return s, false, nil
}

// MoreSources returns a channel that is closed when the next source is created.
// Fetch it before asking for Sources, so that none is missed.
func (j *Journal) MoreSources() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.more
}

// Epoch names this journal: one that takes its place has another, and seqs of
// its own.
func (j *Journal) Epoch() string { return j.epoch }

// Sources returns the names of all sources, sorted.
func (j *Journal) Sources() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(j.sources)), func(n string) bool { return j.dropping[n] })
}

// all returns the sources sorted by name, without one that is being dropped.
func (j *Journal) all() []*Source {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]*Source, 0, len(j.sources))
	for _, name := range slices.Sorted(maps.Keys(j.sources)) {
		if !j.dropping[name] {
			list = append(list, j.sources[name])
		}
	}
	return list
}

// Close waits for calls under way, writes the checkpoint and closes the
// database. Later calls return ErrClosed; a second Close returns the first
// result.
func (j *Journal) Close() error {
	j.closeOnce.Do(func() { j.closeErr = j.close() })
	return j.closeErr
}

func (j *Journal) close() error {
	if j.closing != nil {
		close(j.closing) // a Verify of the compactor would hold the gate
	}
	j.gate.Lock()
	j.closed = true
	j.gate.Unlock()
	if j.requests != nil {
		close(j.requests)
		<-j.committerDone
	}
	if j.closing != nil {
		<-j.compactorDone
	}
	j.pulse.close()
	if j.temporary != "" {
		defer os.RemoveAll(j.temporary)
	}
	if j.Err() != nil {
		// The process is to end anyway and the next Open recovers.
		if err := j.closeDB(failedClose); err != nil {
			j.log.Warn("close failed journal", "error", err)
		}
		return nil
	}
	var err error
	if !j.readOnly {
		err = j.checkpoint()
		j.clock.keep(true)
	}
	if cerr := j.closeDB(closePatience); cerr != nil && err == nil {
		err = fmt.Errorf("close journal: %w", cerr)
	}
	return err
}

// How long the database may take to be closed. Badger repeats a failing flush for
// ever: where its directory is gone, or full, it would keep the process from ending.
// What is not flushed is in its logs.
const failedClose = 3 * time.Second

var closePatience = time.Minute // changed by tests

var errNotClosed = errors.New("the database does not end: its directory may be gone, or full; the next start recovers")

func (j *Journal) closeDB(limit time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- j.db.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return errNotClosed
	}
}
