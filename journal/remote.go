package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// errDropped is returned by a handle whose remote was dropped.
var errDropped = errors.New("remote was dropped")

// Remote is what the journal keeps of one destination of a source: how far it
// has come, what failed there, and what was decided about it. Its owner alone
// calls Commit; all other methods may be called concurrently.
type Remote struct {
	s    *Source
	name string

	committing sync.Mutex // one Commit at a time

	mu      sync.Mutex // guards the following, as committed
	cursor  Cursor
	full    *FullSync
	state   RemoteState
	dropped bool
	held    holdings // what the cursor's record sums up
	history history
	changed chan struct{} // made when somebody waits for it
}

// Update is what Remote.Commit changes. Nil fields stay as they are.
type Update struct {
	Cursor      *Cursor
	PutRetry    []Retry  // set or replace, by path
	DelRetry    []string // paths; those without a record do not matter
	Shallow     bool     // the runs that had DelRetry listed a directory for each
	FullSync    *FullSync
	EndFullSync bool
	State       *RemoteState
}

// Remote returns the handle of a remote, [a-z0-9._-]+, always the same one. A
// new remote starts with its cursor at the head and needs a full sync. One whose name
// begins with "_" promises to read no files of the source: its lag does not make what
// it may have read in between doubtful.
func (s *Source) Remote(name string) (*Remote, error) {
	if !validName(name) {
		return nil, fmt.Errorf("invalid remote name %.100q", name)
	}
	s.writing.Lock() // the cursor must not start below what is being truncated
	defer s.writing.Unlock()
	if err := s.j.enter(); err != nil {
		return nil, err
	}
	defer s.j.leave()
	if r := s.handle(name); r != nil {
		return r, nil
	}
	if s.dropped {
		return nil, fmt.Errorf("remote %s/%s: %w", s.name, name, errDroppedSource)
	}
	if s.j.readOnly {
		return nil, fmt.Errorf("remote %s/%s: %w", s.name, name, ErrNotFound)
	}
	// A DropRemote that was cut short may have left retry records.
	if err := s.deleteRetries(context.Background(), name); err != nil {
		return nil, err
	}
	r := &Remote{s: s, name: name, cursor: Cursor{Low: s.Head()}, held: holdings{Summed: true}, history: history{last: s.j.now()}}
	full := &FullSync{Reason: NewRemote, Started: s.j.now().UTC(), Behind: s.j.Now()}
	if err := r.commit(context.Background(), Update{FullSync: full, State: &r.state}); err != nil {
		return nil, fmt.Errorf("create remote %s/%s: %w", s.name, name, err)
	}
	s.mu.Lock()
	s.remotes[name] = r
	s.mu.Unlock()
	return r, nil
}

func (s *Source) handle(name string) *Remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remotes[name]
}

// loadRemotes reads every remote that has a cursor.
func (s *Source) loadRemotes(txn *badger.Txn) error {
	pre := prefix(kindCursor, s.name)
	return each(txn, pre, func(key, val []byte) error {
		name := string(key[len(pre):])
		s.j.top.marks[string(key)] = mark(key, val)
		r := &Remote{s: s, name: name, history: history{last: s.j.now()}}
		c, err := decodeCursor(key, val)
		if err == nil {
			err = c.check(s.h.Head)
		}
		if err != nil {
			return s.j.corrupt(key, err)
		}
		r.cursor, r.held = c.Cursor, c.holdings
		full, ok, err := lookup(s.j, txn, remoteKey(kindFull, s.name, name), decodeFullSync)
		if err != nil {
			return err
		}
		if ok {
			r.full = &full
		}
		if r.state, _, err = lookup(s.j, txn, remoteKey(kindState, s.name, name), decodeRemoteState); err != nil {
			return err
		}
		s.remotes[name] = r
		return nil
	})
}

// DropRemote forgets a remote, so that it no longer pins entries. Dropping
// one that is not there does nothing.
func (s *Source) DropRemote(ctx context.Context, name string) error {
	r := s.handle(name)
	if r == nil {
		return nil
	}
	r.committing.Lock()
	defer r.committing.Unlock()
	if err := s.j.enter(); err != nil {
		return err
	}
	defer s.j.leave()
	// The cursor goes first: retry records without one belong to nobody,
	// while a cursor without its retry records would lose changes.
	var ops []op
	for _, kind := range []byte{kindCursor, kindFull, kindState} {
		ops = append(ops, op{key: remoteKey(kind, s.name, name)})
	}
	if err := s.j.submit(ctx, ops); err != nil {
		return fmt.Errorf("drop remote %s/%s: %w", s.name, name, err)
	}
	r.mu.Lock()
	r.dropped = true
	r.mu.Unlock()
	s.mu.Lock()
	delete(s.remotes, name)
	s.mu.Unlock()
	return s.deleteRetries(ctx, name)
}

// deleteRetries removes all retry records of a remote; the caller has entered
// the journal.
func (s *Source) deleteRetries(ctx context.Context, remote string) error {
	for {
		var ops []op
		err := s.j.reading(func(txn *badger.Txn) error {
			it := scan(txn, retryPrefix(s.name, remote))
			defer it.Close()
			for it.Rewind(); it.Valid() && len(ops) < pageSize/5; it.Next() {
				ops = append(ops, op{key: it.Item().KeyCopy(nil)})
			}
			return nil
		})
		if len(ops) == 0 || err != nil {
			return err
		}
		if err := s.j.submit(ctx, ops); err != nil {
			return fmt.Errorf("delete retry records of remote %s/%s: %w", s.name, remote, err)
		}
	}
}

// Name returns the name without the source's.
func (r *Remote) Name() string { return r.name }

// Cursor returns a copy of the cursor as committed.
func (r *Remote) Cursor() Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cursor.clone()
}

// FullSync returns a copy of the progress, nil when no full sync is needed.
func (r *Remote) FullSync() *FullSync {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full == nil {
		return nil
	}
	f := *r.full
	return &f
}

// State returns what was decided about the remote.
func (r *Remote) State() RemoteState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// RetryCount is how many retry records there are.
func (r *Remote) RetryCount() uint64 { return r.holdings().Retries }

// Retries returns all retry records in index order.
func (r *Remote) Retries() ([]Retry, error) {
	list, digest, err := r.readRetries()
	if err == nil && digest != r.holdings().Digest && !r.s.j.readOnly {
		// A commit may have come in between.
		r.committing.Lock()
		defer r.committing.Unlock()
		if list, digest, err = r.readRetries(); err == nil && digest != r.holdings().Digest {
			err = r.s.j.damaged(fmt.Sprintf("retry records of remote %s/%s are missing", r.s.name, r.name))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read retry records of remote %s/%s: %w", r.s.name, r.name, err)
	}
	return list, nil
}

func (r *Remote) readRetries() (list []Retry, digest uint64, err error) {
	err = r.s.j.view(func(txn *badger.Txn) error {
		return each(txn, retryPrefix(r.s.name, r.name), func(key, val []byte) error {
			t, err := decodeRetry(key, val)
			if err != nil {
				return r.s.j.corrupt(key, err)
			}
			list, digest = append(list, t), digest+mark(key, val)
			return nil
		})
	})
	return list, digest, err
}

func (r *Remote) holdings() holdings {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// Commit makes an update durable, in one transaction. The cursor never goes
// back and is kept in its shortest form. More than 1000 retry records, or 512
// KiB of them, are written in parts before the rest: a crash in between
// repeats work and forgets none. An update that was refused as invalid changes
// nothing.
func (r *Remote) Commit(ctx context.Context, u Update) error {
	r.committing.Lock()
	defer r.committing.Unlock()
	err := r.s.j.enter()
	if err == nil {
		defer r.s.j.leave()
		err = r.commit(ctx, u)
	}
	if err != nil {
		return fmt.Errorf("commit remote %s/%s: %w", r.s.name, r.name, err)
	}
	return nil
}

func (r *Remote) commit(ctx context.Context, u Update) error {
	if err := r.check(&u); err != nil {
		return err
	}
	r.noteDone(&u)
	w := remoteWrite{r: r, held: r.holdings()}
	if err := w.retries(ctx, u); err != nil {
		return err
	}
	w.rest(u)
	if u.Cursor == nil && len(w.ops) == 0 {
		return nil
	}
	cursor := r.Cursor()
	if u.Cursor != nil {
		cursor = *u.Cursor
	}
	if err := w.submit(ctx, cursor); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor = cursor
	if u.FullSync != nil || u.EndFullSync {
		r.full = u.FullSync
	}
	if u.State != nil {
		r.state = *u.State
	}
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return nil
}

// Changed returns a channel that is closed when the next update is committed.
// Fetch it before reading what may have changed, so that nothing is missed.
func (r *Remote) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// Failing tells whether a path is in the retry set: what the cursor has passed of
// it need not be on the remote.
func (r *Remote) Failing(path string) (bool, error) {
	if r.holdings().Retries == 0 {
		return false, nil
	}
	found := false
	err := r.s.j.view(func(txn *badger.Txn) (err error) {
		_, found, err = lookup(r.s.j, txn, retryKey(r.s.name, r.name, path), decodeRetry)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look up %.200q in the retry records of remote %s/%s: %w", path, r.s.name, r.name, err)
	}
	return found, nil
}

// check validates an update and replaces what it points to by copies.
func (r *Remote) check(u *Update) error {
	r.mu.Lock()
	low, dropped := r.cursor.Low, r.dropped
	r.mu.Unlock()
	if dropped {
		return errDropped
	}
	if u.EndFullSync && u.FullSync != nil {
		return errors.New("update both sets and ends the full sync")
	}
	for _, t := range u.PutRetry {
		if err := checkPath(t.Path); err != nil {
			return err
		}
		if t.Op != OpChange && t.Op != OpRemove {
			return fmt.Errorf("retry of %.200q has invalid op %d", t.Path, t.Op)
		}
	}
	if u.Cursor != nil {
		head := r.s.Head()
		if err := u.Cursor.check(head); err != nil {
			return err
		}
		c := u.Cursor.normal()
		if c.Low < low {
			return fmt.Errorf("cursor goes back from %d to %d", low, c.Low)
		}
		u.Cursor = &c
	}
	if u.FullSync != nil {
		f := *u.FullSync
		u.FullSync = &f
	}
	return nil
}
