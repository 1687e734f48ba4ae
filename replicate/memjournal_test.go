package replicate

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorsyncd/journal"
)

var (
	_ Feed  = (*memJournal)(nil)
	_ Tree  = (*memJournal)(nil)
	_ Store = (*memRemote)(nil)
)

// memJournal is a source's journal in memory, with compaction. scan is the
// watcher: it compares a real tree with the index.
type memJournal struct {
	root string

	mu      sync.Mutex
	head    uint64
	entries map[uint64]journal.Entry
	newest  map[string]uint64
	index   map[string]journal.State
	shadow  map[string]bool   // went away with a directory above: no entry of their own
	since   map[string]uint64 // directories that came back, with the seq of that
	changed chan struct{}
}

func newMemJournal(root string) *memJournal {
	return &memJournal{root: root, entries: map[uint64]journal.Entry{}, newest: map[string]uint64{},
		index: map[string]journal.State{}, shadow: map[string]bool{}, changed: make(chan struct{})}
}

func (j *memJournal) Head() uint64 { j.mu.Lock(); defer j.mu.Unlock(); return j.head }

func (j *memJournal) Changed() <-chan struct{} { j.mu.Lock(); defer j.mu.Unlock(); return j.changed }

func (j *memJournal) Entries(from uint64, limit int) ([]journal.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []journal.Entry
	for _, seq := range slices.Sorted(maps.Keys(j.entries)) {
		if seq >= from && len(out) < limit {
			out = append(out, j.entries[seq])
		}
	}
	return out, nil
}

func (j *memJournal) append(path string, op journal.Op, flags journal.Flag, count uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appendLocked(path, op, flags, count)
}

func (j *memJournal) appendLocked(path string, op journal.Op, flags journal.Flag, count uint64) uint64 {
	delete(j.entries, j.newest[path])
	j.head++
	j.entries[j.head] = journal.Entry{Seq: j.head, Op: op, Flags: flags, Path: path, Count: count, Time: time.Now()}
	j.newest[path] = j.head
	close(j.changed)
	j.changed = make(chan struct{})
	return j.head
}

func (j *memJournal) change(paths ...string) (seq uint64) {
	for _, p := range paths {
		seq = j.append(p, journal.OpChange, 0, 0)
	}
	return seq
}

func (j *memJournal) remove(path string, count uint64) uint64 {
	return j.append(path, journal.OpRemove, 0, count)
}

// scan journals every difference between the tree and the index; baseline
// fills the index without entries.
func (j *memJournal) scan(tb testing.TB, baseline bool) uint64 {
	tb.Helper()
	now := map[string]journal.State{}
	err := filepath.WalkDir(j.root, func(p string, _ os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := os.Lstat(p)
		if err != nil {
			return nil
		}
		rel, err := filepath.Rel(j.root, p)
		if rel == "." {
			rel = ""
		}
		now[rel] = stateOf(fi)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	paths := slices.Collect(maps.Keys(now))
	sort.Slice(paths, func(a, b int) bool { return indexLess(paths[a], paths[b]) })
	for _, p := range paths {
		old, ok := j.index[p]
		if ok && old == now[p] {
			continue
		}
		var flags journal.Flag
		if s := now[p]; ok && s.Type == journal.File && old.Size == s.Size && old.Mtime == s.Mtime {
			flags = journal.FlagChecksum
		} else if ok && s.Type == journal.Dir && old.Type != s.Type {
			flags = journal.FlagTurned
		}
		if !baseline {
			j.appendLocked(p, journal.OpChange, flags, 0)
		}
	}
	topGone := func(top string) string {
		for parent, ok := parentOf(top); ok; parent, ok = parentOf(top) {
			if _, there := now[parent]; there {
				break
			}
			top = parent
		}
		return top
	}
	counts := map[string]uint64{}
	for p := range j.index {
		if _, ok := now[p]; !ok {
			top := topGone(p)
			counts[top]++
			if p != top {
				j.shadow[p] = true
			}
		}
	}
	// A directory that came back: exact removals of what did not.
	for p := range j.shadow {
		if _, ok := now[p]; ok {
			delete(j.shadow, p)
		} else if top := topGone(p); top == p {
			counts[top]++
			delete(j.shadow, p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(counts)) {
		j.appendLocked(p, journal.OpRemove, 0, counts[p])
	}
	j.index = now
	return j.head
}

func stateOf(fi os.FileInfo) journal.State {
	st := fi.Sys().(*syscall.Stat_t)
	s := journal.State{Type: journal.File, Mode: st.Mode & 07777, UID: st.Uid, GID: st.Gid, Size: st.Size,
		Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), Ino: st.Ino, Nlink: uint32(st.Nlink), Rdev: st.Rdev}
	if fi.IsDir() {
		s.Type, s.Size, s.Nlink = journal.Dir, 0, 0
	} else if !fi.Mode().IsRegular() {
		s.Type = journal.Symlink
	}
	return s
}

func (j *memJournal) dirs() []string {
	var dirs []string
	for p, s := range j.index {
		if s.Type == journal.Dir {
			dirs = append(dirs, p)
		}
	}
	sort.Slice(dirs, func(a, b int) bool { return indexLess(dirs[a], dirs[b]) })
	return dirs
}

func (j *memJournal) Dirs(after string, begun bool, limit journal.Weight) ([]string, journal.Weight, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	var w journal.Weight
	for _, d := range j.dirs() {
		if !begun || indexLess(after, d) {
			if len(out) > 0 && (w.Dirs >= limit.Dirs || w.Files >= limit.Files || w.Bytes >= limit.Bytes) {
				break
			}
			out, w = append(out, d), w.Add(j.in(d))
		}
	}
	return out, w, nil
}

// in is the weight of a directory.
func (j *memJournal) in(dir string) journal.Weight {
	w := journal.Weight{Dirs: 1}
	for p, s := range j.index {
		if parent, ok := parentOf(p); ok && parent == dir && s.Type != journal.Dir {
			w = w.Add(journal.Weight{Files: 1, Bytes: s.Size})
		}
	}
	return w
}

func (j *memJournal) Weigh(sub, after string, begun bool) (w journal.Weight, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.dirs() {
		if (d == sub || isBelow(d, sub)) && (!begun || indexLess(after, d)) {
			w = w.Add(j.in(d))
		}
	}
	return w, nil
}

func (j *memJournal) Siblings(_, ino uint64) ([]string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.names()[ino], nil
}

func (j *memJournal) names() map[uint64][]string {
	m := map[uint64][]string{}
	for p, s := range j.index {
		if s.Type == journal.File && s.Nlink > 1 {
			m[s.Ino] = append(m[s.Ino], p)
		}
	}
	for _, ps := range m {
		slices.Sort(ps)
	}
	return m
}

func (j *memJournal) LinkGroups(fn func([]string) error) error {
	j.mu.Lock()
	names := j.names()
	j.mu.Unlock()
	for _, ps := range names {
		if len(ps) > 1 {
			if err := fn(ps); err != nil {
				return err
			}
		}
	}
	return nil
}

// memRemote is a remote's durable state in memory. It checks every commit: a
// cursor never goes back, and never passes an entry of a path that is neither
// acknowledged before nor in the retry set of the same or an earlier commit.
type memRemote struct {
	mu      sync.Mutex
	cursor  journal.Cursor
	retries map[string]journal.Retry
	full    *journal.FullSync
	state   journal.RemoteState
	fail    error
	commits int
	deleted []journal.Update // those that deleted records
}

func newMemRemote(low uint64) *memRemote {
	return &memRemote{cursor: journal.Cursor{Low: low}, retries: map[string]journal.Retry{}}
}

func (r *memRemote) Cursor() journal.Cursor { r.mu.Lock(); defer r.mu.Unlock(); return r.cursor }

func (r *memRemote) Retries() ([]journal.Retry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.retries)), nil
}

func (r *memRemote) FullSync() *journal.FullSync { r.mu.Lock(); defer r.mu.Unlock(); return r.full }

func (r *memRemote) State() journal.RemoteState { r.mu.Lock(); defer r.mu.Unlock(); return r.state }

func (r *memRemote) Commit(_ context.Context, u journal.Update) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.commits++
	if len(u.DelRetry) > 0 {
		r.deleted = append(r.deleted, u)
	}
	if u.Cursor != nil {
		if u.Cursor.Low < r.cursor.Low {
			return errors.New("cursor goes back")
		}
		last := u.Cursor.Low
		for _, d := range u.Cursor.Done {
			if d.From <= last+1 || d.To < d.From {
				return errors.New("ranges out of order")
			}
			last = d.To
		}
		r.cursor = *u.Cursor
	}
	for _, p := range u.DelRetry {
		delete(r.retries, p)
	}
	for _, rec := range u.PutRetry {
		r.retries[rec.Path] = rec
	}
	if u.FullSync != nil {
		fs := *u.FullSync
		r.full = &fs
	}
	if u.EndFullSync {
		r.full = nil
	}
	if u.State != nil {
		r.state = *u.State
	}
	return nil
}

func (r *memRemote) retry(path string) (journal.Retry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, ok := r.retries[path]
	return rec, ok
}

// write makes files under root; a name ending in "/" is a directory.
func write(tb testing.TB, root string, files map[string]string) {
	tb.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := root + "/" + name
		dir := filepath.Dir(p)
		if strings.HasSuffix(name, "/") {
			dir = p
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(p, []byte(files[name]), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}

// Lookup makes the index known to a full sync.
func (j *memJournal) Lookup(path string) (journal.Record, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.index[path]
	return journal.Record{State: s, LastSeq: j.newest[path], Since: j.since[path]}, ok, nil
}

func (j *memJournal) Unknown(paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		if _, ok, _ := j.Lookup(p); !ok {
			out = append(out, p)
		}
	}
	return out, nil
}
