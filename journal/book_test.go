package journal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// book is what a journal with one flat directory must hold after each step, to
// the letter: TestModel tells whether all arrives, this one whether the books
// are right.
type book struct {
	life int
	dir  string
	j    *Journal
	s    *Source

	at      int64 // of the last observation; nothing is racy
	head    uint64
	index   map[string]line
	entries map[uint64]Entry // Seq, Op, Path and First
	pins    map[string]uint64
	remotes map[string]*account
}

// line is an index record: version 0 is a tombstone.
type line struct {
	version int64
	seq     uint64
}

// account is what the journal keeps of a remote; done has every seq that was
// acknowledged, one by one.
type account struct {
	start   uint64
	done    map[uint64]bool
	retries map[string]Retry
	full    *FullSync
	state   RemoteState
	lacks   map[uint64]uint64 // for each entry that is present, the oldest of its path that it has not had
}

func (a *account) has(seq uint64) bool { return seq <= a.start || a.done[seq] }

// low is the last seq up to which all is done.
func (a *account) low() uint64 {
	n := a.start
	for a.done[n+1] {
		n++
	}
	return n
}

func (a *account) cursor() Cursor {
	c := Cursor{Low: a.low()}
	for _, seq := range slices.Sorted(maps.Keys(a.done)) {
		last := len(c.Done) - 1
		switch {
		case seq <= c.Low:
		case last >= 0 && c.Done[last].To == seq-1:
			c.Done[last].To = seq
		default:
			c.Done = append(c.Done, Range{seq, seq})
		}
	}
	return c
}

// acked is what every remote has passed.
func (b *book) acked() uint64 {
	low := b.head
	for _, a := range b.remotes {
		low = min(low, a.low())
	}
	return low
}

func (b *book) open(t *rapid.T) {
	j, err := Open(Options{Dir: b.dir})
	if err != nil {
		t.Fatal(err)
	}
	b.j = j
	b.j.grace = 0
	if b.s, err = j.Source("www"); err != nil {
		t.Fatal(err)
	}
}

func (b *book) account(t *rapid.T) (string, *account) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "remote")
	return name, b.remotes[name]
}

func (b *book) commit(t *rapid.T, name string, u Update) {
	r, err := b.s.Remote(name)
	if err == nil {
		err = r.Commit(context.Background(), u)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// record observes some files, the same ones twice now and then.
func (b *book) record(t *rapid.T) {
	var obs []Observation
	var want []uint64
	for range rapid.IntRange(1, 6).Draw(t, "observations") {
		p := fmt.Sprint("f", rapid.IntRange(0, 5).Draw(t, "file"))
		version := rapid.Int64Range(0, 3).Draw(t, "version")
		b.at += second
		o := gone(p)
		if version > 0 {
			o = file(p, 10, version)
		}
		o.At = b.at
		obs = append(obs, o)
		want = append(want, b.note(p, version))
	}
	res, err := b.s.Record(context.Background(), obs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range res {
		if res[i].Seq != want[i] {
			t.Fatalf("%+v got seq %d, want %d", obs[i], res[i].Seq, want[i])
		}
	}
}

// note enters one observation and returns the seq of its entry.
func (b *book) note(p string, version int64) uint64 {
	old, known := b.index[p]
	if old.version == version && (known || version == 0) {
		return 0
	}
	b.head++
	e := Entry{Seq: b.head, Op: OpChange, Path: p, First: b.head}
	if version == 0 {
		e.Op = OpRemove
	}
	if last, ok := b.entries[old.seq]; ok && known {
		delete(b.entries, old.seq) // superseded
		for _, a := range b.remotes {
			if !a.has(last.Seq) {
				a.lacks[e.Seq] = a.lacks[last.Seq]
				e.First = min(e.First, a.lacks[e.Seq])
			}
		}
	}
	for _, a := range b.remotes {
		if a.lacks[e.Seq] == 0 {
			a.lacks[e.Seq] = e.Seq
		}
	}
	b.entries[e.Seq] = e
	b.index[p] = line{version, e.Seq}
	return e.Seq
}

// acknowledge marks some of what a remote has not done, in any order, and
// whole ranges with superseded seqs in them.
func (b *book) acknowledge(t *rapid.T) {
	name, a := b.account(t)
	if a == nil || a.low() == b.head {
		return
	}
	low := a.low()
	for range rapid.IntRange(1, 3).Draw(t, "ranges") {
		from := rapid.Uint64Range(a.low()+1, b.head).Draw(t, "from")
		for seq := from; seq <= min(b.head, from+rapid.Uint64Range(0, 4).Draw(t, "length")); seq++ {
			a.done[seq] = true
		}
		if a.low() == b.head {
			break
		}
	}
	c := Cursor{Low: low} // one range a seq: the journal is to join them
	for _, seq := range slices.Sorted(maps.Keys(a.done)) {
		if seq > low {
			c.Done = append(c.Done, Range{seq, seq})
		}
	}
	b.commit(t, name, Update{Cursor: &c})
}

func (b *book) retry(t *rapid.T) {
	name, a := b.account(t)
	if a == nil || b.head == 0 {
		return
	}
	p := fmt.Sprint("f", rapid.IntRange(0, 5).Draw(t, "file"))
	if _, ok := a.retries[p]; ok && rapid.Bool().Draw(t, "succeeds") {
		delete(a.retries, p)
		b.commit(t, name, Update{DelRetry: []string{p, "never/failed"}})
		return
	}
	r := Retry{Path: p, Seq: rapid.Uint64Range(1, b.head).Draw(t, "seq"), Op: rapid.SampledFrom([]Op{OpChange, OpRemove}).Draw(t, "op"),
		Flags: Flag(rapid.IntRange(0, 1).Draw(t, "flags")), Attempts: rapid.IntRange(0, 9).Draw(t, "attempts"), First: time.Unix(0, base).UTC(),
		Next: time.Unix(0, base+second).UTC(), ErrorID: "E-PARTIAL", Error: rapid.String().Draw(t, "error")}
	a.retries[p] = r
	b.commit(t, name, Update{PutRetry: []Retry{r}})
}

func (b *book) decide(t *rapid.T) {
	name, a := b.account(t)
	if a == nil {
		return
	}
	if rapid.Bool().Draw(t, "end") {
		a.full = nil
		b.commit(t, name, Update{EndFullSync: true})
		return
	}
	a.full = &FullSync{Reason: "r", Started: time.Unix(0, base).UTC(), After: rapid.StringMatching(`[a-c](/[a-c]){0,2}`).Draw(t, "after"),
		Begun: rapid.Bool().Draw(t, "begun"), Done: rapid.Uint64().Draw(t, "done")}
	a.state = RemoteState{Paused: rapid.Bool().Draw(t, "paused"), PauseReason: rapid.String().Draw(t, "why"), Approved: rapid.Uint64().Draw(t, "approved")}
	b.commit(t, name, Update{FullSync: a.full, State: &a.state})
}

// turnover forgets a remote or makes it known.
func (b *book) turnover(t *rapid.T) {
	name, a := b.account(t)
	if a != nil {
		if err := b.s.DropRemote(context.Background(), name); err != nil {
			t.Fatal(err)
		}
		delete(b.remotes, name)
		return
	}
	b.join(t, name)
}

func (b *book) join(t *rapid.T, name string) {
	b.remotes[name] = &account{start: b.head, done: map[uint64]bool{}, retries: map[string]Retry{}, lacks: map[uint64]uint64{}}
	b.commit(t, name, Update{EndFullSync: true})
}

// maintain truncates, and sweeps tombstones that no retry record needs.
func (b *book) maintain(t *rapid.T) {
	if err := b.j.Maintain(context.Background()); err != nil {
		t.Fatal(err)
	}
	acked := b.acked()
	needed := func(p string) bool {
		for _, a := range b.remotes {
			if _, ok := a.retries[p]; ok {
				return true
			}
		}
		return false
	}
	for seq, e := range b.entries {
		if seq <= acked {
			delete(b.entries, seq)
			if e.Op == OpRemove && needed(e.Path) {
				b.pins[e.Path] = seq
			} else if e.Op == OpRemove && b.index[e.Path].seq == seq {
				delete(b.index, e.Path)
			}
		}
	}
	for p, seq := range b.pins {
		if !needed(p) {
			delete(b.pins, p)
			if l := b.index[p]; l.version == 0 && l.seq == seq {
				delete(b.index, p)
			}
		}
	}
}

func (b *book) reopen(t *rapid.T, kill bool) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		return
	}
	if kill {
		b.life++
		to := filepath.Join(filepath.Dir(b.dir), fmt.Sprint("life", b.life))
		snapshot(t, b.dir, to)
		defer os.RemoveAll(b.dir)
		b.dir = to
	}
	if err := b.j.Close(); err != nil {
		t.Fatal(err)
	}
	b.open(t)
}
