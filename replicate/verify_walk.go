package replicate

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

const (
	// poolSize is how many paths that seem to differ are known at once. However
	// many there are, a verify takes no more memory.
	poolSize = 16384
	// lookEvery is how long paths that seem to differ wait for company before
	// they are looked at again, and lookShare how many times as long as the last
	// such look took: a tree that is very busy is slow to tell what is journaled.
	lookEvery = time.Second
	lookShare = 5
	// readTries is how often a directory is tried that could not be compared.
	readTries = 6
	// connectTries is how often in a row a run may fail for reasons that pass.
	connectTries = 3
)

// verify is one Verify under way. Nothing of it is shared but what observers
// and the status are told.
type verify struct {
	d   *Dispatcher
	r   VerifyRequest
	on  VerifyObserver
	res VerifyResult
	cmp *comparison

	pool     map[string]*candidate // what seems to differ
	looked   time.Time             // when the pool was last looked through…
	lasted   time.Duration         // …and how long that took
	total    uint64                // directories to compare
	unfenced int                   // fences in a row that took too long
	extras   bool                  // the server tells what only it has
	patience time.Duration
	repair   repairPlan
	deleted  uint64 // paths that repairs in the retry set remove
}

func (v *verify) run(ctx context.Context) error {
	if err := v.d.refusal(ctx); err != nil {
		return err
	}
	var err error
	if v.cmp, err = v.d.compare(ctx, v.r.Sub, v.r.Checksum); err != nil {
		return err
	}
	v.cmp.passedOver = v.passedOver
	if err = v.cmp.f.weigh(v.d.o.Tree, 1, 0, time.Now()); err != nil {
		return v.d.indexFailed(err)
	}
	v.total = v.cmp.f.todo.Dirs
	v.progress()
	l, err := newLook(&v.d.o)
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	dir, err := v.d.view(l).mayBeDir(v.r.Sub)
	if err != nil {
		return v.d.indexFailed(err)
	}
	if !dir && v.r.Sub != "" {
		v.res.Paths = 1
		v.pool[v.r.Sub] = &candidate{path: v.r.Sub}
		return v.drain(ctx, 0)
	}
	if err := v.walk(ctx); err != nil {
		return err
	}
	if err := v.links(ctx); err != nil {
		return err
	}
	return v.drain(ctx, 0)
}

// passedOver files a directory that could not be compared: one that changes
// all the time, or one that cannot be looked at.
func (v *verify) passedOver(dir string, why Outcome) {
	if why.ID == idChanged {
		v.res.Pending++
		return
	}
	v.unread(dir, why)
}

func (v *verify) unread(dir string, why Outcome) {
	v.res.Unread++
	if v.res.Unread <= loggedDifferences {
		v.d.log.Warn("directory could not be compared", "path", dir, "error_id", why.ID, "message", why.Message)
	}
}

func (v *verify) walk(ctx context.Context) error {
	for {
		if len(v.pool) > 0 && time.Since(v.looked) > max(lookEvery, lookShare*v.lasted) {
			if err := v.examine(ctx); err != nil {
				return err
			}
		}
		if err := v.drain(ctx, poolSize/2); err != nil {
			return err
		}
		b, err := v.cmp.next(ctx)
		if b == nil || err != nil {
			return err
		}
		if err := v.chunk(ctx, b); err != nil {
			return err
		}
		v.progress()
	}
}

// chunk compares one chunk of directories and files what seems to differ.
func (v *verify) chunk(ctx context.Context, b *Batch) error {
	s := newSieve(b.Paths, 1, 0)
	res, moved, err := v.look(ctx, b, s)
	switch {
	case err != nil:
		return err
	case moved:
		v.cmp.again(b)
		return nil
	case len(b.Paths) > 1 && (s.over > 0 || !v.whole(res)):
		b.chunk.running = false
		v.cmp.f.halve(b.chunk)
		return nil
	case s.over > 0:
		if res, err = v.inParts(ctx, b, s.over+len(s.found)); err != nil {
			return err
		}
	case !v.whole(res) && b.chunk.attempts < readTries:
		v.cmp.again(b)
		return nil
	default:
		v.take(s)
	}
	if !v.whole(res) {
		v.unread(b.Paths[0], res.Outcome)
	}
	v.res.Dirs += uint64(len(b.Paths))
	v.res.Paths += res.Listed + uint64(len(b.Paths))
	v.cmp.passed(b)
	return nil
}

// whole tells whether a run has looked at everything. It has, too, when all it
// complains about is a directory that could not go, for what is excluded in it.
func (v *verify) whole(res Result) bool { return res.proves(false) || res.Exit == 0 }

// inParts compares a single directory in which more paths seem to differ than
// are kept at once: again and again, each time for a part of the names.
func (v *verify) inParts(ctx context.Context, b *Batch, seen int) (res Result, err error) {
	parts := uint32(seen/(poolSize*3/8) + 1)
	for part := uint32(0); part < parts; {
		if err := v.drain(ctx, poolSize/2); err != nil {
			return res, err
		}
		s := newSieve(b.Paths, parts, part)
		var moved bool
		if res, moved, err = v.look(ctx, b, s); err != nil {
			return res, err
		}
		if moved {
			v.res.Pending++ // a part of it has been told already
			return res, nil
		}
		if s.over > 0 {
			// More than there were: what was seen of this part is seen again in
			// its two halves.
			part, parts = part*2, parts*2
			continue
		}
		v.take(s)
		part++
		v.progress()
	}
	return res, nil
}

// look runs a comparison, again after failures that pass.
func (v *verify) look(ctx context.Context, b *Batch, s *sieve) (res Result, moved bool, err error) {
	for tries := 1; ; tries++ {
		s.reset()
		b.extras = v.extras
		if res, moved, err = v.cmp.run(ctx, b, s.take); err != nil {
			return res, moved, err
		}
		again, err := v.judge(ctx, res, tries)
		if err != nil || !again {
			return res, moved, err
		}
	}
}

// judge tells whether a run is to be made again, or why the remote cannot be
// compared.
func (v *verify) judge(ctx context.Context, res Result, tries int) (again bool, err error) {
	out := res.Outcome
	switch out.Class {
	case ClassOK, ClassEntry:
		return false, nil
	case ClassCanceled:
		return false, errors.Join(ctx.Err(), ErrStopped)
	}
	if out.ID == "E-REFUSED" && v.extras && v.d.o.Delete != DeleteAll {
		// It does not allow to ask for deletions, not even with -n. What only
		// the remote has is no difference anyway.
		v.extras = false
		return true, nil
	}
	if out.Class == ClassTransient && tries < connectTries && !v.d.failing(ctx) {
		sleep(ctx, min(v.d.o.Retry.Delay(tries), 5*time.Second))
		return true, ctx.Err()
	}
	return false, &NotComparedError{Remote: v.d.o.Source + "/" + v.d.o.Name, ID: out.ID, Reason: out.Message, Hint: out.Hint,
		Problem: out.Class != ClassTransient}
}

// failing tells whether the remote is known not to work at the moment.
func (d *Dispatcher) failing(ctx context.Context) (open bool) {
	_ = d.do(ctx, func() { open = d.breaker.open() }) // without an answer there is no hurry
	return open
}

// sieve takes in the lines of one comparison, as many as may be kept.
type sieve struct {
	dirs        map[string]bool
	parts, part uint32 // only names of one part of them
	found       map[string]*candidate
	over        int // lines beyond what may be kept
}

func newSieve(dirs []string, parts, part uint32) *sieve {
	s := &sieve{dirs: make(map[string]bool, len(dirs)), parts: parts, part: part}
	for _, d := range dirs {
		s.dirs[d] = true
	}
	return s
}

func (s *sieve) reset() { s.found, s.over = map[string]*candidate{}, 0 }

func (s *sieve) take(c Change) {
	path, top := c.Path, true
	if c.Delete {
		path, top = s.topOf(path)
	} else if c.Item == pureLink || c.Item != "cannot" && c.Item[1] == 'd' && !s.dirs[path] {
		// Hard links are compared by themselves, over all directories; and a
		// directory shows up as a child of its parent, too.
		return
	}
	if s.parts > 1 && s.partOf(path) != s.part {
		return
	}
	k := s.found[path]
	if k == nil {
		if len(s.found) >= poolSize/2 {
			s.over++
			return
		}
		k = &candidate{path: path}
		s.found[path] = k
	}
	k.add(c, top)
}

// topOf finds what goes as a whole: of a tree that only the remote has, each
// path has a line.
func (s *sieve) topOf(path string) (string, bool) {
	for top := path; ; {
		parent, ok := parentOf(top)
		if !ok {
			return path, true
		}
		if s.dirs[parent] {
			return top, top == path
		}
		top = parent
	}
}

var hashSeed = maphash.MakeSeed()

// partOf is the part a name belongs to. With twice as many parts each is two:
// part n becomes 2n and 2n+1. The directories come first, so that the repair of
// what is in a directory that is missing does not come before its own.
func (s *sieve) partOf(path string) uint32 {
	if s.dirs[path] {
		return 0
	}
	return uint32(maphash.String(hashSeed, path) >> 32 * uint64(s.parts) >> 32)
}

// take moves what a sieve has found into the pool.
func (v *verify) take(s *sieve) {
	for path, c := range s.found {
		if v.pool[path] == nil {
			v.pool[path] = c
		}
	}
}
