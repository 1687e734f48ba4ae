package sink

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// rig is a source of a real journal with a remote, a sink, and a clock.
type rig struct {
	t      *testing.T
	j      *journal.Journal
	src    *journal.Source
	remote *journal.Remote
	o      Options
	sink   *Sink
	to     *receiver
	now    time.Time
	ino    uint64
}

// receiver notes what it is told, or answers with what it is to say.
type receiver struct {
	got     []string   // op path, in order
	batches []int      // sizes, also of those refused
	ids     [][]string // of each batch
	answer  func(events []Event) Result
}

func (r *receiver) String() string { return "test" }

func (r *receiver) Deliver(_ context.Context, events []Event) Result {
	r.batches = append(r.batches, len(events))
	var ids []string
	for i := range events {
		ids = append(ids, events[i].ID)
	}
	r.ids = append(r.ids, ids)
	res := delivered
	if r.answer != nil {
		res = r.answer(events)
	}
	if res.Class == replicate.ClassOK || res.Left != nil {
		for i := range events {
			if !slices.Contains(res.Left, i) {
				r.got = append(r.got, events[i].Op+" "+events[i].rel)
			}
		}
	}
	return res
}

func (r *receiver) take() string {
	out := strings.Join(r.got, ", ")
	r.got, r.batches, r.ids = nil, nil, nil
	return out
}

func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, to: &receiver{}, now: time.Now().Truncate(time.Second)}
	r.open(filepath.Join(t.TempDir(), "journal"), change...)
	return r
}

func (r *rig) open(dir string, change ...func(*Options)) {
	r.t.Helper()
	j, err := journal.Open(journal.Options{Dir: dir})
	check(r.t, err)
	r.t.Cleanup(func() { check(r.t, j.Close()) })
	r.j = j
	r.src, err = j.Source("www")
	check(r.t, err)
	r.record(dirState(""))
	r.remote, err = r.src.Remote("nas")
	check(r.t, err)
	check(r.t, r.remote.Commit(ctx(r.t), journal.Update{EndFullSync: true}))
	filter, err := watch.ParseFilter(nil)
	check(r.t, err)
	store, err := r.src.Remote(JournalName("hook"))
	check(r.t, err)
	check(r.t, store.Commit(ctx(r.t), journal.Update{EndFullSync: true}))
	r.o = Options{
		Source: "www", Name: "hook", Kind: "test", JournalID: j.ID(), Feed: r.src, Store: store, Delivery: r.to, Filter: filter, Batch: 100,
		Retry: replicate.RetryOptions{Initial: time.Second, Max: time.Minute}, Now: func() time.Time { return r.now },
	}
	for _, c := range change {
		c(&r.o)
	}
	r.restart()
}

// acked has the sink wait for the remote.
func (r *rig) acked() *rig {
	r.o.Gates = []Remote{r.remote}
	r.restart()
	return r
}

// restart makes the sink anew from what is stored, as after a crash.
func (r *rig) restart() {
	r.t.Helper()
	var err error
	r.sink, err = New(r.o)
	check(r.t, err)
}

func ctx(t *testing.T) context.Context { return t.Context() }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type change struct {
	path string
	typ  journal.Type
}

func dirState(p string) change { return change{p, journal.Dir} }
func file(p string) change     { return change{p, journal.File} }
func gone(p string) change     { return change{p, journal.Gone} }

// record journals changes; each makes the path differ from before.
func (r *rig) record(list ...change) {
	r.t.Helper()
	var obs []journal.Observation
	at := time.Now().Add(-time.Hour)
	for _, c := range list {
		r.ino++
		st := journal.State{Type: c.typ, Mode: 0o644, Ino: r.ino, Nlink: 1, Mtime: at.UnixNano() + int64(r.ino), Ctime: at.UnixNano() + int64(r.ino)}
		switch c.typ {
		case journal.Gone:
			st = journal.State{}
		case journal.Dir:
			st.Nlink = 0
		case journal.File:
			st.Size = int64(r.ino)
		}
		obs = append(obs, journal.Observation{Path: c.path, State: st, At: time.Now().UnixNano()})
	}
	_, err := r.src.Record(ctx(r.t), obs)
	check(r.t, err)
}

// ack moves the remote's cursor to the head, but for failing paths.
func (r *rig) ack(failing ...string) {
	r.t.Helper()
	u := journal.Update{Cursor: &journal.Cursor{Low: r.src.Head()}}
	for _, p := range failing {
		u.PutRetry = append(u.PutRetry, journal.Retry{Path: p, Seq: r.src.Head(), Op: journal.OpChange, Attempts: 1, ErrorID: "E-DEST-PERM"})
	}
	check(r.t, r.remote.Commit(ctx(r.t), u))
}

// step runs steps until there is nothing to do now, and returns when there will be.
func (r *rig) step() time.Time {
	r.t.Helper()
	for range 1000 {
		next, err := r.sink.Step(ctx(r.t), r.now)
		check(r.t, err)
		if next.IsZero() || next.After(r.now) {
			return next
		}
	}
	r.t.Fatal("the sink is busy for ever")
	return time.Time{}
}

// later moves the clock, and does what is due then.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	r.step()
}

// want compares what arrived since the last time.
func (r *rig) want(what string) {
	r.t.Helper()
	if got := r.to.take(); got != what {
		r.t.Errorf("delivered: %s\n     want: %s", got, what)
	}
}

// idle demands that nothing is left.
func (r *rig) idle() {
	r.t.Helper()
	st := r.sink.Status()
	if st.LagEntries != 0 || st.State != replicate.StateInSync {
		r.t.Errorf("not idle: %+v", st)
	}
	r.later(lazily) // the cursor may be written late
	if c := r.o.Store.Cursor(); c.Low != r.src.Head() {
		r.t.Errorf("cursor %+v, head %d", c, r.src.Head())
	}
	list, err := r.o.Store.Retries()
	check(r.t, err)
	if len(list) > 0 {
		r.t.Errorf("left in the retry set: %+v", list)
	}
}
