package replicate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// lagWorld is a source with real remotes in a real journal, on a machine whose clock
// a test sets, and what is true of it: since when each remote lacks each path.
type lagWorld struct {
	t       *testing.T
	r       *rand.Rand
	dir     string
	begun   time.Time
	shift   time.Duration // of the wall clock
	j       *journal.Journal
	src     *journal.Source
	remotes []*lagRemote
	size    int
	log     []string
}

type lagRemote struct {
	w    *lagWorld
	name string
	d    *Dispatcher // nil while it does not run
	stop func()

	mu   sync.Mutex // guards what the transport reads
	away bool       // the remote takes nothing
	bad  map[string]bool

	paused bool
	lacks  map[string]time.Duration // since when, in passed time
	tried  map[string]bool          // it has failed
	full   *time.Duration           // something is lost since
}

// now is the time that has passed, whatever the clocks say.
func (w *lagWorld) now() time.Duration { return time.Since(w.begun) }

func (w *lagWorld) open() {
	j, err := journal.Open(journal.Options{Dir: filepath.Join(w.dir, "journal"), Time: &journal.TimeSource{
		Wall: func() time.Time { return time.Now().Add(w.shift) }, Up: func() time.Duration { return time.Hour + w.now() }, Boot: "b"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.j = j
	if w.src, err = j.Source("s"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *lagWorld) root() string { return filepath.Join(w.dir, "src") }

// observe has the journal look at paths.
func (w *lagWorld) observe(paths ...string) {
	var obs []journal.Observation
	for _, p := range paths {
		o := journal.Observation{Path: p, At: time.Now().UnixNano()}
		if fi, err := os.Lstat(filepath.Join(w.root(), p)); err == nil {
			o.State = stateOf(fi)
		}
		obs = append(obs, o)
	}
	if _, err := w.src.Record(context.Background(), obs); err != nil {
		w.t.Fatal(err)
	}
}

// change makes a path another one, or removes it.
func (w *lagWorld) change(path string) {
	name := filepath.Join(w.root(), path)
	if w.r.IntN(5) == 0 {
		if os.Remove(name) != nil {
			return
		}
	} else {
		w.size++
		if err := os.WriteFile(name, make([]byte, w.size), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.observe(path)
	for _, r := range w.remotes {
		if _, lacks := r.lacks[path]; !lacks {
			r.lacks[path] = w.now()
		}
	}
}

func (r *lagRemote) Keep(*Batch) {}
func (r *lagRemote) Rest()       {}
func (r *lagRemote) Close()      {}

func (r *lagRemote) Run(ctx context.Context, b *Batch, mode Mode) Result {
	r.mu.Lock()
	away := r.away
	r.mu.Unlock()
	if away {
		select { // changes come meanwhile
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return Result{Outcome: Outcome{Class: ClassCanceled}}
		}
		return failed("E-CONNECT", ClassTransient, 10)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []Change
	for _, p := range b.Paths {
		if r.bad[p] && b.chunk == nil {
			left = append(left, Change{Item: "<f.st......", Path: p})
		}
	}
	switch {
	case len(left) == 0:
		return Result{Outcome: Outcome{Class: ClassOK}}
	case mode == Verify:
		return Result{Outcome: Outcome{Class: ClassOK}, Changes: left}
	}
	return failed("E-DEST-PERM", ClassEntry, 23)
}

func (r *lagRemote) start() {
	store, err := r.w.src.Remote(r.name)
	if err != nil {
		r.w.t.Fatal(err)
	}
	target, _ := ParseTarget("h::m")
	d, err := New(Options{Source: "s", Name: r.name, Root: r.w.root(), Target: target, Feed: r.w.src, Tree: r.w.src, Store: store,
		Clock: r.w.j, transport: r, window: 3, Workers: 2, Retry: RetryOptions{Initial: 10 * time.Minute, Max: 2 * time.Hour}})
	if err != nil {
		r.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx) // canceled
	}()
	r.d = d
	r.stop = func() {
		cancel()
		<-done
		r.d = nil
	}
}

// settle lets time pass until everything has happened that can, and notes what has.
func (w *lagWorld) settle() {
	for range 6 { // what fails puts off what is behind it
		for _, r := range w.remotes {
			if r.d != nil {
				r.d.RetryNow(nil)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
	}
	for _, r := range w.remotes {
		if r.d == nil || r.away || r.paused {
			continue
		}
		r.full = nil
		for p := range r.lacks {
			if r.bad[p] {
				r.tried[p] = true
				continue
			}
			delete(r.lacks, p)
			delete(r.tried, p)
		}
	}
}

// check compares what each remote says with what is true.
func (w *lagWorld) check() {
	w.t.Helper()
	synctest.Wait()
	for _, r := range w.remotes {
		want := 0.0
		for _, since := range r.lacks {
			want = max(want, (w.now() - since).Seconds())
		}
		if r.full != nil {
			want = max(want, (w.now() - *r.full).Seconds())
		}
		var got float64
		if r.d != nil {
			got = r.d.Status().LagSeconds
		} else {
			store, err := w.src.Remote(r.name)
			if err != nil {
				w.t.Fatal(err)
			}
			l, err := StoredLag(w.src, store, r.name)
			if err != nil {
				w.t.Fatal(err)
			}
			got = l.Seconds(w.j.Now())
		}
		if got < want-1 || got > want+1 {
			w.t.Fatalf("%s is said to be %.1f s behind and is %.1f s behind: lacks %v, full %v\n%q", r.name, got, want, r.lacks, r.full, w.log)
		}
	}
}

// step does something. It tells what.
func (w *lagWorld) step() string {
	r := w.remotes[w.r.IntN(len(w.remotes))]
	path := "p" + strconv.Itoa(w.r.IntN(8))
	switch w.r.IntN(14) {
	case 0:
		d := time.Duration(w.r.Int64N(int64(96*time.Hour))) - 48*time.Hour
		w.shift += d
		return "the clock is set by " + d.String()
	case 1:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.away = !r.away
		return fmt.Sprintf("%s away: %v", r.name, r.away)
	case 2:
		if r.full != nil {
			return "" // see mayGiveUp
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bad[path] = !r.bad[path]
		return fmt.Sprintf("%s fails with %s: %v", r.name, path, r.bad[path])
	case 3:
		if r.d == nil {
			return ""
		}
		do := func(ctx context.Context) error { return r.d.Pause(ctx, "", time.Time{}) }
		if r.paused = !r.paused; !r.paused {
			do = r.d.Resume
		}
		if err := do(context.Background()); err != nil {
			w.t.Fatal(err)
		}
		return fmt.Sprintf("%s paused: %v", r.name, r.paused)
	case 4:
		if r.d != nil {
			r.stop()
			return r.name + " ends"
		}
		r.start()
		return r.name + " starts"
	case 5:
		w.restart()
		return "all ends and starts"
	case 6:
		if r.d == nil || !r.mayGiveUp() {
			return ""
		}
		r.giveUp()
		return r.name + " gives up its place"
	default:
		for range 1 + w.r.IntN(6) {
			w.change("p" + strconv.Itoa(w.r.IntN(8)))
		}
		return "changes"
	}
}

func (w *lagWorld) restart() {
	var run []*lagRemote
	for _, r := range w.remotes {
		if r.d != nil {
			r.stop()
			run = append(run, r)
		}
	}
	if err := w.j.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	for _, r := range run {
		r.start()
	}
}

func (w *lagWorld) end() {
	for _, r := range w.remotes {
		if r.d != nil {
			r.stop()
		}
	}
	if err := w.j.Close(); err != nil {
		w.t.Error(err)
	}
}

// mayGiveUp tells whether what becomes of each path is known: of one that fails, some
// go to the retry set when the place is given up and others do not.
func (r *lagRemote) mayGiveUp() bool {
	for p := range r.lacks {
		if r.bad[p] && !r.tried[p] {
			return false
		}
	}
	return true
}

func (r *lagRemote) giveUp() {
	since := r.w.now()
	for p, s := range r.lacks {
		since = min(since, s)
		if !r.tried[p] { // else it stays in the retry set
			delete(r.lacks, p)
		}
	}
	if r.full != nil {
		since = min(since, *r.full)
	}
	r.full = &since
	if err := r.d.RequireFullSync(context.Background(), "journal.max_size reached"); err != nil {
		r.w.t.Fatal(err)
	}
}

// TestLagIsTrue: what a remote says about how far it is behind is true to a second,
// whatever happens: remotes that are away, refuse single paths, are paused, are
// stopped, give up their places and get full syncs; changes of the same paths over
// and over, more than a dispatcher holds in memory, beside another remote that has
// come further; clocks that are set; restarts of everything.
func TestLagIsTrue(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("LAG_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LAG_SEED=%d (LAG_ROUNDS is how many)", seed)
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv("LAG_ROUNDS")); err == nil {
		rounds = n
	}
	for round := range rounds {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			w := &lagWorld{t: t, r: rand.New(rand.NewPCG(seed, uint64(round))), dir: dir, begun: time.Now()}
			if err := os.Mkdir(w.root(), 0o755); err != nil {
				t.Fatal(err)
			}
			w.open()
			defer w.end() // also of a test that fails: what is left over would hide why
			w.observe("")
			for _, name := range []string{"a", "b", "c"} {
				r := &lagRemote{w: w, name: name, bad: map[string]bool{}, lacks: map[string]time.Duration{}, tried: map[string]bool{}}
				created := w.now()
				r.full = &created
				w.remotes = append(w.remotes, r)
				r.start()
			}
			w.settle()
			for range 60 {
				what := w.step()
				w.log = append(w.log, what)
				if w.r.IntN(3) > 0 {
					time.Sleep(time.Duration(w.r.Int64N(int64(time.Hour))))
				}
				w.settle()
				w.check()
			}
		})
	}
}
