package journal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// node is a path of the model's tree or of a model remote.
type node struct {
	State
	content int // differs for different contents, which no fingerprint tells
}

// files is a tree by path. The root is always there.
type files map[string]node

func (f files) children(dir string) []string {
	var names []string
	for p := range f {
		if p != "" && parent(p) == dir {
			names = append(names, p)
		}
	}
	sort.Strings(names)
	return names
}

func (f files) removeTree(path string) {
	for p := range f {
		if within(path, p) {
			delete(f, p)
		}
	}
}

// machine drives one journal beside a model of the watched tree and of
// remotes that do what rsync does, quick check included. However the steps
// fall, a scan and the entries left must make the remotes equal.
type machine struct {
	dir     string
	j       *Journal
	s       *Source
	now     int64 // of the model's clock, ns
	serial  int
	tree    files
	dirty   map[string]bool // changed since the path was recorded
	renewed map[string]bool // created or removed since
	remotes map[string]files
	life    int // kills survived
}

const modelTick = int64(10e6) // of the time stamps

func (m *machine) stamp() int64 { return m.now / modelTick * modelTick }

func drawPath(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "b!"}), 1, 3).Draw(t, "path"), "/")
}

// touch marks a path changed, as a live watch would.
func (m *machine) touch(path string) { m.dirty[path] = true }

// put creates or rewrites a path whose directory exists.
func (m *machine) put(path string, typ Type, mtime int64) {
	m.serial++
	n, had := m.tree[path]
	if !had || n.Type != typ {
		for q := range m.tree {
			if within(path, q) {
				m.renewed[q] = true
			}
		}
		m.tree.removeTree(path)
		n = node{State: State{Type: typ, Ino: uint64(m.serial), Mode: 0o644}}
		up := m.tree[parent(path)]
		up.Mtime, up.Ctime = m.stamp(), m.stamp()
		m.tree[parent(path)] = up
		m.touch(parent(path))
		m.renewed[path] = true
	}
	if typ == File {
		n.Size, n.Nlink, n.content = int64(m.serial%2), 1, m.serial
	}
	n.Mtime, n.Ctime = mtime, m.stamp()
	m.tree[path] = n
	m.touch(path)
}

// look observes a path now.
func (m *machine) look(path string, confirm bool) Observation {
	o := Observation{Path: path, At: m.now, Confirm: confirm && !m.dirty[path], Renewed: m.renewed[path]}
	for p := path; ; p = parent(p) { // below a file there is nothing
		if n, ok := m.tree[p]; !ok || p != path && n.Type != Dir {
			return o
		}
		if p == "" {
			break
		}
	}
	o.State = m.tree[path].State
	return o
}

func (m *machine) record(t *rapid.T, obs ...Observation) []Result {
	res, err := m.s.Record(context.Background(), obs)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obs {
		delete(m.dirty, o.Path)
		delete(m.renewed, o.Path)
	}
	return res
}

// scan walks the tree as watch does: a directory, then the union of its
// children in index and tree. At a start nothing is known of events, so that
// nothing is confirmed.
func (m *machine) scan(t *rapid.T, dir string) {
	names := map[string]bool{}
	for _, p := range m.tree.children(dir) {
		names[p] = true
	}
	err := m.s.Children(dir, func(name string, _ Record, _ bool) error {
		names[strings.TrimPrefix(dir+"/"+name, "/")] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Sorted(maps.Keys(names)) {
		m.record(t, m.look(p, false))
		if m.tree[p].Type == Dir {
			m.scan(t, p)
		}
	}
}

// apply does to a remote what rsync does with a listed path.
func (m *machine) apply(remote files, path string, flags Flag) {
	missing := func(p string) bool { return m.look(p, false).State.Type == Gone }
	if missing(path) {
		for missing(parent(path)) {
			path = parent(path)
		}
		remote.removeTree(path)
		return
	}
	var above []string
	for p := parent(path); p != ""; p = parent(p) {
		above = append(above, p)
	}
	for _, p := range slices.Backward(above) {
		if remote[p].Type != Dir {
			remote.removeTree(p)
			remote[p] = node{State: State{Type: Dir}}
		}
	}
	src, dst := m.tree[path], remote[path]
	if dst.Type != src.Type {
		remote.removeTree(path)
	} else if src.Type == File && src.Size == dst.Size && src.Mtime == dst.Mtime && flags&FlagChecksum == 0 {
		src.content = dst.content // the quick check
	}
	remote[path] = src
}

// serve lets a remote work on some of its entries, in any order, with
// failures.
func (m *machine) serve(t *rapid.T, name string, whole bool) {
	r, err := m.s.Remote(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := m.s.Entries(r.Cursor().Next(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	old, err := r.Retries()
	if err != nil {
		t.Fatal(err)
	}
	failing := map[string]Retry{}
	for _, f := range old {
		failing[f.Path] = f
	}
	var u Update
	cur := r.Cursor()
	gap := false
	for _, e := range list {
		if r.Cursor().Has(e.Seq) {
			continue
		}
		fate := "ack"
		if !whole {
			fate = rapid.SampledFrom([]string{"ack", "ack", "later", "fail"}).Draw(t, "fate")
		}
		flags := e.Flags | failing[e.Path].Flags
		switch fate {
		case "later":
			gap = true
			continue
		case "fail":
			failing[e.Path] = Retry{Path: e.Path, Seq: e.Seq, Op: e.Op, Flags: flags}
			u.PutRetry = append(u.PutRetry, failing[e.Path])
		case "ack":
			m.apply(m.remotes[name], e.Path, flags)
		}
		if gap {
			cur.Done = append(cur.Done, Range{e.Seq, e.Seq})
		} else {
			cur.Low = e.Seq
		}
	}
	sort.Slice(cur.Done, func(i, k int) bool { return cur.Done[i].From < cur.Done[k].From })
	if !gap {
		cur = Cursor{Low: m.s.Head()}
	}
	u.Cursor = &cur
	if err := r.Commit(context.Background(), u); err != nil {
		t.Fatal(err)
	}
	if whole || rapid.Bool().Draw(t, "retry") {
		for _, p := range slices.Sorted(maps.Keys(failing)) {
			if m.phantom(t, failing[p]) {
				continue
			}
			m.apply(m.remotes[name], p, failing[p].Flags)
			if err := r.Commit(context.Background(), Update{DelRetry: []string{p}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (m *machine) open(t *rapid.T) {
	j, err := Open(Options{Dir: m.dir})
	if err != nil {
		t.Fatal(err)
	}
	m.j = j
	m.j.grace = 0
	setClock(m.j, func() time.Time { return time.Unix(0, m.now) })
	if m.s, err = m.j.Source("www"); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) reopen(t *rapid.T) {
	if err := m.j.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
	m.record(t, m.look("", false))
	m.scan(t, "")
}

func (m *machine) check(t *rapid.T) {
	rep, err := m.j.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Problems) > 0 {
		t.Fatalf("%d problems:\n%s", len(rep.Problems), strings.Join(rep.Problems, "\n"))
	}
}

// converge lets all catch up and compares.
func (m *machine) converge(t *rapid.T) {
	m.now += 10 * second
	m.record(t, m.look("", false))
	m.scan(t, "")
	for name := range m.remotes {
		for m.remote(t, name).FullSync() != nil {
			m.reconcile(t, name, 2)
		}
		m.serve(t, name, true)
		m.serve(t, name, true)
		for _, p := range slices.Sorted(maps.Keys(m.tree)) {
			if p != "" && m.tree[p].content != m.remotes[name][p].content {
				t.Errorf("remote %s: %q has content %d, want %d", name, p, m.remotes[name][p].content, m.tree[p].content)
			}
		}
		for p := range m.remotes[name] {
			if _, ok := m.tree[p]; !ok {
				t.Errorf("remote %s has %q", name, p)
			}
		}
	}
	var want []string
	for p, n := range m.tree {
		if n.Type == Dir {
			want = append(want, p)
		}
	}
	slices.SortFunc(want, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	})
	if got, _, err := m.s.Dirs("", false, Weight{1 << 20, 1 << 30, 1 << 40}); err != nil || !slices.Equal(got, want) {
		t.Errorf("directories %q, want %q (%v)", got, want, err)
	}
	if err := m.j.Maintain(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.check(t)
	h := m.s.header()
	if h.Entries != 0 || h.Index != uint64(len(m.tree)) {
		t.Errorf("%d entries and %d records left for %d paths", h.Entries, h.Index, len(m.tree))
	}
}

func root() files { return files{"": {State: State{Type: Dir, Ino: 1}}} }

// memoryDir is a directory that needs no waiting for a disk, where there is
// one.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "journal-model-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestModel(t *testing.T) {
	home := memoryDir(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{dir: filepath.Join(home, fmt.Sprint(n), "journal"), now: base,
			tree: root(), dirty: map[string]bool{}, renewed: map[string]bool{}, remotes: map[string]files{"a": root(), "b": root()}}
		if err := os.Mkdir(filepath.Dir(m.dir), 0o700); err != nil {
			t.Fatal(err)
		}
		m.open(t)
		defer os.RemoveAll(filepath.Dir(m.dir))
		defer func() { m.j.Close() }()
		for name := range m.remotes {
			r, err := m.s.Remote(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Commit(context.Background(), Update{EndFullSync: true}); err != nil {
				t.Fatal(err)
			}
		}
		m.record(t, m.look("", false))
		steps := m.actions()
		maps.Copy(steps, m.blows())
		t.Repeat(steps)
		m.converge(t)
	})
}

// observeDirty looks at all that events have told of, directories first.
func (m *machine) observeDirty(t *rapid.T) {
	for _, p := range slices.Sorted(maps.Keys(m.dirty)) {
		if res := m.record(t, m.look(p, false)); res[0].Descend {
			m.scan(t, p)
		}
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	wait := func(t *rapid.T) { m.now += rapid.Int64Range(0, 30).Draw(t, "ms") * ms }
	change := func(typ Type, mtime func() int64) func(*rapid.T) {
		return func(t *rapid.T) {
			wait(t)
			p := drawPath(t)
			for up := parent(p); up != ""; up = parent(up) {
				if m.tree[up].Type == File {
					return
				}
			}
			var above []string
			for up := parent(p); up != "" && m.tree[up].Type == Gone; up = parent(up) {
				above = append(above, up)
			}
			slices.Reverse(above)
			for _, up := range above {
				m.put(up, Dir, m.stamp())
			}
			m.put(p, typ, mtime())
		}
	}
	now := m.stamp
	return map[string]func(*rapid.T){
		"write":   change(File, now),
		"write2":  change(File, now),
		"restore": change(File, func() int64 { return base - second }), // mtime set back
		"mkdir":   change(Dir, now),
		"remove": func(t *rapid.T) {
			wait(t)
			p := drawPath(t)
			if _, ok := m.tree[p]; !ok {
				return
			}
			for q := range m.tree {
				if within(p, q) {
					m.touch(q)
					m.renewed[q] = true
				}
			}
			m.tree.removeTree(p)
		},
		"observe": func(t *rapid.T) { // a path and what is above, as events come
			wait(t)
			p := drawPath(t)
			var obs []Observation
			if rapid.Bool().Draw(t, "above") {
				for up := parent(p); up != ""; up = parent(up) {
					obs = append(obs, m.look(up, true))
				}
				slices.Reverse(obs)
			}
			m.record(t, append(obs, m.look(p, true))...)
		},
		"observe dirty": func(t *rapid.T) {
			wait(t)
			m.observeDirty(t)
		},
		"serve": func(t *rapid.T) {
			m.serve(t, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "remote"), false)
		},
		"maintain": func(t *rapid.T) {
			m.observeDirty(t) // which takes less than the grace of the sweep
			if err := m.j.Maintain(context.Background()); err != nil {
				t.Fatal(err)
			}
		},
		"reopen": func(t *rapid.T) {
			if rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
				m.reopen(t)
			}
		},
		"": m.check,
	}
}
