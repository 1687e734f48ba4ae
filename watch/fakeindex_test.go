package watch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/journal"
)

// fakeIndex follows the rules of the journal's package documentation in
// memory, and checks the duties of its caller.
type fakeIndex struct {
	t testing.TB

	mu       sync.Mutex // guards the following
	recs     map[string]journal.Record
	names    map[string]map[string]struct{} // directory to its recorded children
	head     uint64
	log      []journal.Entry // all entries, superseded ones too
	root     journal.RootID
	hasRoot  bool
	recorded time.Time
	baseline bool
	fail     error // returned by Record
	calls    int
	observed map[string]int // by path
}

var (
	_ Index = (*fakeIndex)(nil)
	_ Roots = (*fakeIndex)(nil)
)

func newFakeIndex(t testing.TB) *fakeIndex {
	return &fakeIndex{
		t:        t,
		recs:     map[string]journal.Record{},
		names:    map[string]map[string]struct{}{},
		observed: map[string]int{},
		baseline: true,
	}
}

func (f *fakeIndex) Record(_ context.Context, obs []journal.Observation) ([]journal.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fail != nil {
		return nil, f.fail
	}
	if len(obs) > 2*batchSize+1 {
		f.t.Errorf("%d observations at once", len(obs))
	}
	results := make([]journal.Result, len(obs))
	for i, o := range obs {
		f.observed[o.Path]++
		results[i] = f.one(o)
	}
	return results, nil
}

// shadowed tells whether a record does not count, and whether because an
// ancestor is a tombstone.
func (f *fakeIndex) shadowed(path string, r journal.Record) (shadowed, gone bool) {
	for p := path; p != ""; {
		p = dirOf(p)
		a, ok := f.recs[p]
		if !ok {
			continue
		}
		if a.Type == journal.Gone {
			return true, true
		}
		if a.Type != journal.Dir || a.Since > r.LastSeq {
			shadowed = true
		}
	}
	return shadowed, false
}

func (f *fakeIndex) one(o journal.Observation) journal.Result {
	old, exists := f.recs[o.Path]
	stale, gone := f.shadowed(o.Path, old)
	if o.State.Type == journal.Gone {
		if !exists || old.Type == journal.Gone && !o.Renewed || gone {
			return journal.Result{}
		}
		f.head++
		f.put(o.Path, journal.Record{ObservedAt: o.At, LastSeq: f.head})
		f.log = append(f.log, journal.Entry{Seq: f.head, Op: journal.OpRemove, Path: o.Path})
		return journal.Result{Seq: f.head}
	}
	if o.Path != "" {
		if p, ok := f.recs[dirOf(o.Path)]; !ok || p.Type != journal.Dir {
			f.t.Errorf("%q was observed before its directory", o.Path)
		}
	}
	trusted := exists && old.Type != journal.Gone && !stale
	rec := journal.Record{State: o.State, ObservedAt: o.At, LastSeq: old.LastSeq, Since: old.Since}
	renewed := o.Renewed && old.Type == journal.Dir
	suspect := o.State.Type == journal.File && old.ObservedAt < o.Suspect
	if trusted && !renewed && !suspect && journal.Same(old, o) && (!old.Racy() || o.Confirm) {
		if old.Racy() {
			f.put(o.Path, rec)
		}
		return journal.Result{Racy: rec.Racy()}
	}
	var res journal.Result
	var flags journal.Flag
	relabelled := o.Unwritten && (old.Mode != o.State.Mode || old.UID != o.State.UID || old.GID != o.State.GID || old.Nlink != o.State.Nlink)
	back := o.State.Mtime < old.ObservedAt && o.State.Mtime != old.Mtime
	if trusted && old.Type == journal.File && (back || old.Size == o.State.Size && old.Mtime == o.State.Mtime && !relabelled) {
		flags = journal.FlagChecksum
	}
	if !o.Baseline {
		f.head++
		res.Seq = f.head
		f.log = append(f.log, journal.Entry{Seq: f.head, Op: journal.OpChange, Path: o.Path, Flags: flags})
	}
	rec.LastSeq = f.head
	if o.State.Type == journal.Dir && (!trusted || renewed || old.Type != journal.Dir || old.Ino != o.State.Ino || old.Dev != o.State.Dev) {
		rec.Since = f.head
		res.Descend = true
	}
	f.put(o.Path, rec)
	res.Racy = rec.Racy()
	return res
}

func (f *fakeIndex) put(path string, r journal.Record) {
	f.recs[path] = r
	if path == "" {
		return
	}
	dir := dirOf(path)
	if f.names[dir] == nil {
		f.names[dir] = map[string]struct{}{}
	}
	f.names[dir][baseOf(path)] = struct{}{}
}

func (f *fakeIndex) Children(dir string, fn func(string, journal.Record, bool) error) error {
	type child struct {
		name    string
		r       journal.Record
		trusted bool
	}
	f.mu.Lock()
	var list []child
	for _, name := range slices.Sorted(maps.Keys(f.names[dir])) {
		r := f.recs[join(dir, name)]
		if r.Type == journal.Gone {
			continue
		}
		stale, _ := f.shadowed(join(dir, name), r)
		list = append(list, child{name, r, !stale})
	}
	f.mu.Unlock()
	for _, c := range list {
		if err := fn(c.name, c.r, c.trusted); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeIndex) Lookup(path string) (journal.Record, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.lookup(path)
	return r, ok, nil
}

func (f *fakeIndex) lookup(path string) (journal.Record, bool) {
	r, ok := f.recs[path]
	if !ok || r.Type == journal.Gone {
		return journal.Record{}, false
	}
	if stale, _ := f.shadowed(path, r); stale {
		return journal.Record{}, false
	}
	return r, true
}

// live returns all live records.
func (f *fakeIndex) live() map[string]journal.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]journal.Record{}
	for p := range f.recs {
		if r, ok := f.lookup(p); ok {
			all[p] = r
		}
	}
	return all
}

func (f *fakeIndex) Head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// entries returns the entries after seq.
func (f *fakeIndex) entries(seq uint64) []journal.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []journal.Entry
	for _, e := range f.log {
		if e.Seq > seq {
			list = append(list, e)
		}
	}
	return list
}

// removals returns the paths that were ever journaled as removed after seq.
func (f *fakeIndex) removals(seq uint64) []string {
	var list []string
	for _, e := range f.entries(seq) {
		if e.Op == journal.OpRemove {
			list = append(list, e.Path)
		}
	}
	return list
}

func (f *fakeIndex) Root() (journal.RootID, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.root, f.hasRoot
}

func (f *fakeIndex) SetRoot(_ context.Context, id journal.RootID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.root, f.hasRoot = id, true
	return nil
}

func (f *fakeIndex) Recorded() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.recorded
}

func (f *fakeIndex) Baseline() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.baseline
}

func (f *fakeIndex) EndBaseline(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.baseline = false
	return nil
}

// below returns the live paths at or below a path.
func (f *fakeIndex) below(path string) []string {
	var list []string
	for p := range f.live() {
		if p == path || strings.HasPrefix(p, path+"/") {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

var _ Linker = (*fakeIndex)(nil)

func (f *fakeIndex) Siblings(dev, ino uint64) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for p, r := range f.recs {
		if r.Dev == dev && r.Ino == ino && isLinked(r.State) {
			if _, ok := f.lookup(p); ok {
				list = append(list, p)
			}
		}
	}
	return list, nil
}
