package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

const patience = 20 * time.Second

// onBoth runs a test once for each backend, side by side. None is left out where
// it cannot be had: its test fails.
func onBoth(t *testing.T, test func(t *testing.T)) {
	for _, b := range []Backend{BackendInotify, BackendFanotify} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// inTurn is onBoth for tests that measure time.
func inTurn(t *testing.T, test func(t *testing.T)) {
	for _, b := range []Backend{BackendInotify, BackendFanotify} {
		t.Run(string(b), test)
	}
}

// backendOf is the one that onBoth asks of a test, inotify for others.
func backendOf(t testing.TB) Backend {
	if slices.Contains(strings.Split(t.Name(), "/"), string(BackendFanotify)) {
		return BackendFanotify
	}
	return BackendInotify
}

// rig is a tree that runs over a temporary directory.
type rig struct {
	t    testing.TB
	root string
	idx  *fakeIndex
	o    Options
	tree *Tree
	stop func() error

	prepare func(*Tree)                      // before it runs; may be nil
	live    func() map[string]journal.Record // what another index than idx holds; nil: idx is used

	fallsBack bool // the backend asked for cannot be had everywhere, and that is expected

	// passingLinks says that links are made, and removed or moved out of the
	// tree before they are looked at: that changes ctime and link count of the
	// other names without an event, and there is nothing to replicate.
	passingLinks bool
}

// newRig makes a directory and does not watch it yet.
func newRig(t testing.TB) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, root: filepath.Join(dir, "root"), idx: newFakeIndex(t)}
	r.o = Options{
		Root:     r.root,
		Index:    r.idx,
		Roots:    r.idx,
		FenceDir: filepath.Join(dir, "fence"),
		Backend:  backendOf(t),
		Guard:    GuardOptions{EmptySource: true, SameFilesystem: true},
	}
	if testing.Verbose() {
		r.o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	for _, d := range []string{r.root, r.o.FenceDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// startTree is a rig whose first scan is done.
func startTree(t testing.TB, before ...func(*rig)) *rig {
	t.Helper()
	r := newRig(t)
	for _, f := range before {
		f(r)
	}
	r.start()
	r.waitReady()
	return r
}

// start runs the tree until stop or the end of the test.
func (r *rig) start() {
	r.t.Helper()
	tree, err := New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	tree.every = 200 * time.Millisecond
	if r.prepare != nil {
		r.prepare(tree)
	}
	r.tree = tree
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tree.Run(ctx) }()
	done := false
	r.stop = func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		return <-ended
	}
	r.t.Cleanup(func() { r.stop() })
}

func (r *rig) waitReady() {
	r.t.Helper()
	select {
	case <-r.tree.Ready():
	case <-time.After(patience):
		r.t.Fatalf("not ready: %+v", r.tree.Status())
	}
	if s := r.tree.Status(); len(s.Fallbacks) > 0 && !r.fallsBack {
		r.t.Fatalf("not on the backend of this test: %q", s.Fallbacks)
	}
}

func (r *rig) path(rel string) string { return r.root + "/" + rel }

// sh runs a script in the root.
func (r *rig) sh(script string, args ...string) {
	r.t.Helper()
	runIn(r.t, r.root, script, args...)
}

func runIn(t testing.TB, dir, script string, args ...string) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"-euc", script, "sh"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func (r *rig) fence() uint64 {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seq, err := r.tree.Fence(ctx)
	if err != nil {
		r.t.Fatalf("fence: %v\n%+v", err, r.tree.Status())
	}
	return seq
}

// eventually waits for a condition that no fence promises.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not in time: %s\n%+v", what, r.tree.Status())
		}
	}
}

func (r *rig) waitHeld(part string) {
	r.t.Helper()
	r.eventually("held: "+part, func() bool {
		s := r.tree.Status()
		return s.State == StateHeld && strings.Contains(s.Held, part)
	})
}

func (r *rig) waitState(state string) {
	r.t.Helper()
	r.eventually("state "+state, func() bool { return r.tree.Status().State == state })
}

// walk returns what a fresh walk of the tree says, filter applied.
func (r *rig) walk() map[string]journal.State {
	r.t.Helper()
	all := map[string]journal.State{}
	var st unix.Stat_t
	if err := unix.Stat(r.root, &st); err != nil {
		r.t.Fatal(err)
	}
	dev := uint64(st.Dev)
	var visit func(rel string, st *unix.Stat_t)
	visit = func(rel string, st *unix.Stat_t) {
		all[rel] = stateOf(st, dev)
		if !isDir(st) {
			return
		}
		entries, err := os.ReadDir(r.path(rel))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range entries {
			p := join(rel, e.Name())
			var st unix.Stat_t
			if err := unix.Lstat(r.path(p), &st); err != nil {
				r.t.Fatal(err)
			}
			if !r.o.Filter.Match(p, isDir(&st)).Excluded {
				visit(p, &st)
			}
		}
	}
	visit("", &st)
	return all
}

// diff compares the index with a fresh walk.
func (r *rig) diff() []string {
	r.t.Helper()
	live := r.live
	if live == nil {
		live = r.idx.live
	}
	want, got := r.walk(), live()
	var list []string
	for p, s := range want {
		switch rec, ok := got[p]; {
		case !ok:
			list = append(list, fmt.Sprintf("%q is not in the index", p))
		case r.passingLinks && s.Type != journal.Dir && sameButLinks(rec.State, s):
		case !journal.Same(rec, journal.Observation{State: s, AttributesLater: r.o.AttributesLater}):
			list = append(list, fmt.Sprintf("%q: index %+v, tree %+v", p, rec.State, s))
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok && !r.o.Filter.Match(p, got[p].Type == journal.Dir).Excluded {
			list = append(list, fmt.Sprintf("%q is in the index and not in the tree", p))
		}
	}
	return list
}

func sameButLinks(a, b journal.State) bool {
	a.Ctime, a.Nlink = b.Ctime, b.Nlink
	return a == b
}

// settled asserts that after a fence the index equals the tree.
func (r *rig) settled() {
	r.t.Helper()
	r.fence()
	if d := r.diff(); len(d) > 0 {
		r.t.Fatalf("index and tree differ in %d paths:\n%s\n%+v", len(d), strings.Join(d[:min(len(d), 10)], "\n"), r.tree.Status())
	}
}

// contextWithStop returns a context that ends with the test, and a channel on
// which the test waits for what runs in it.
func contextWithStop(t *testing.T) (context.Context, chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return ctx, ended
}
